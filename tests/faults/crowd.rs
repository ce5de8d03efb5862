//! More processes than the machine has room for at once.

use crate::SOON;
use crate::harness::http::server_of;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN, all_answer};
use crate::harness::{alone, probe, processes, words};
use crate::vitals::Vitals;

/// They come as a build or a browser leaves them behind: all at once, while requests are answered.
#[test]
fn twenty_thousand_orphans_are_in_nobodys_way() {
    let _alone = alone();
    let service = App::script(
        "require('./plain.js');
        process.on('SIGUSR2', () => {
            if (process.env.NODE_APP_INSTANCE !== '0') return;
            const stdio = ['pipe', 'inherit', 'inherit'];
            const orphans = require('child_process').spawn(process.env.PROBE, ['orphans', '20000', '0'], { stdio });
            orphans.on('exit', () => console.log('over'));
            process.on('SIGWINCH', () => orphans.stdin.end());
        });",
    );
    let service = service
        .start_with(2, SOON, |pidone| pidone.env("PROBE", probe()))
        .ready();
    let before = Vitals::of(&service);
    let load = service.load().rate(200).start();
    load.until_answered_by(2);
    service.run.signal(libc::SIGUSR2);
    service.after("born and gone 20000");
    processes::wait_until("no orphan is left", || {
        processes::children(service.run.pid()).len() == 2
    });
    service.run.signal(libc::SIGWINCH);
    service.after("over");
    load.until_answered_by(2);
    load.stop().no_failures();
    before.are_those_of(&service);
    service.stop().code(0);
}

/// Sixty-four of the build that is shipped; on the others a quarter of that shows the same.
#[test]
fn many_more_workers_than_processors_start_reload_and_stop() {
    let _alone = alone();
    let count = match std::env::var_os("PIDONE_BIN") {
        Some(_) => 64,
        None => 16,
    };
    let service = App::named(PLAIN).workers(count, SOON).ready();
    let before = Vitals::of(&service);
    let old = service.workers();
    service.run.signal(libc::SIGHUP);
    service.up(count);
    service.run.until_stderr(words::RELOADED);
    assert!(service.workers().is_disjoint(&old));
    all_answer(&service, || {
        server_of(connect(([127, 0, 0, 1], service.app.port)))
    });
    before.are_those_of(&service);
    service.stop().code(0);
}
