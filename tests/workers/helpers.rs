//! Processes that workers start themselves, and what becomes of them when the worker is gone.

use crate::harness::processes;
use crate::harness::service::App;
use crate::harness::words;

/// One that obeys, one that ignores SIGTERM, and one in a session of its own.
const APP: &str = "
    const { spawn } = require('child_process');
    const start = (name, script, detached) => {
        const helper = spawn('sh', ['-c', script], { detached, stdio: ['ignore', 'pipe', 'inherit'] });
        helper.stdout.once('data', () => console.log(`${name} ${helper.pid}`));
    };
    process.once('SIGUSR2', () => {
        start('obeys', 'echo up; exec sleep 1000');
        start('ignores', 'trap \"\" TERM; echo up; exec sleep 1000');
        start('own', 'echo up; exec sleep 1000', true);
    });
    require('./plain.js');
";

#[test]
fn helpers_of_a_dead_worker_end_and_own_sessions_stay() {
    for (options, ends) in [(&[][..], true), (&["--kill-mode", "process"], false)] {
        let service = App::script(APP).workers(2, options).ready();
        let victim = *service.workers().iter().next().unwrap();
        processes::kill(victim, libc::SIGUSR2);
        let mut helpers = std::collections::BTreeMap::new();
        while helpers.len() < 3 {
            let line = service.run.line();
            let (name, pid) = line.split_once(' ').unwrap();
            helpers.insert(name.to_owned(), pid.parse::<i32>().unwrap());
        }
        processes::kill(victim, libc::SIGKILL);
        service.up(1);
        service.run.until_stderr_times(words::READY, 2);
        let runs = |name: &str| processes::state(helpers[name]).is_some_and(|state| state != 'Z');
        if ends {
            processes::wait_until("those of its group are gone", || {
                !runs("obeys") && !runs("ignores")
            });
            for said in [
                "remain; sending SIGTERM: ",
                "did not exit; sending SIGKILL: ",
            ] {
                let said = format!("processes of the exited worker with pid {victim} {said}");
                service.run.until_stderr_times(&said, 1);
            }
        } else {
            assert!(runs("obeys") && runs("ignores"));
        }
        assert!(runs("own"));
        assert_eq!(service.workers().len(), if ends { 3 } else { 5 });
        service.stop().code(0);
    }
}
