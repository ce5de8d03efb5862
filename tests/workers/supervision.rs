//! Workers that die, workers that never get ready, and workers that die for good.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::http::server_of;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN, Service, all_answer};
use crate::harness::{TempDir, processes, words};
use crate::node::on_every_node;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// One that does what the request says: `/exit?code=…`.
const MORTAL: &str = "
    const answer = require('./answer.js');
    require('http').createServer((request, response) => {
        const [, code] = /code=(\\d+)/.exec(request.url) ?? [];
        if (code) process.exit(Number(code));
        answer(request, response);
    }).listen(process.env.PORT, () => console.log('up', process.pid));
";

fn tell(service: &Service, path: &str) {
    let mut stream = connect((LOCALHOST, service.app.port));
    let request = crate::harness::http::request(path, false);
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    // Until it is gone.
    let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
}

#[test]
fn a_worker_that_dies_is_started_again_and_its_death_is_explained() {
    on_every_node(|node| {
        let service = App::script(MORTAL)
            .node(&node.path)
            .workers(2, [""; 0])
            .ready();
        let before = service.workers();
        tell(&service, "/exit?code=7");
        let new = service.pid_after("up ");
        let after = service.workers();
        assert!(after.contains(&new) && !before.contains(&new));
        let gone = *before.difference(&after).next().unwrap();
        service.run.until_stderr(&words::left(gone, 7));
        all_answer(&service, || {
            server_of(connect((LOCALHOST, service.app.port)))
        });
        kill(Pid::from_raw(new), Signal::SIGKILL).unwrap();
        service.run.until_stderr(&words::killed(new));
        service.up(1);
        service.stop().code(0);
    });
}

#[test]
fn instances_have_numbers_and_keep_them() {
    const SCRIPT: &str = "
        console.log('instance', process.env.NODE_APP_INSTANCE, process.pid);
        require('./plain.js');
    ";
    on_every_node(|node| {
        let service = App::script(SCRIPT).node(&node.path).workers(3, [""; 0]);
        let mut instances: Vec<_> = (0..3).map(|_| service.after("instance ")).collect();
        instances.sort();
        for (number, instance) in instances.iter().enumerate() {
            assert!(instance.starts_with(&format!("{number} ")), "{instances:?}");
        }
        service.run.until_stderr(words::READY);
        let second: i32 = instances[1].split_once(' ').unwrap().1.parse().unwrap();
        kill(Pid::from_raw(second), Signal::SIGKILL).unwrap();
        assert!(service.after("instance ").starts_with("1 "));
        service.stop().code(0);
    });
}

#[test]
fn policies_say_which_ends_are_final() {
    for (policy, code, again) in [
        ("always", 0, true),
        ("always", 9, true),
        ("on-failure", 0, false),
        ("on-failure", 9, true),
        ("never", 9, false),
    ] {
        let service = App::script(MORTAL)
            .workers(2, ["--restart", policy])
            .ready();
        let before = service.workers();
        tell(&service, &format!("/exit?code={code}"));
        if again {
            service.up(1);
            assert_eq!(service.workers().len(), 2, "{policy} {code}");
            service.stop().code(0);
        } else {
            processes::wait_until("it is gone", || service.workers().len() == 1);
            let gone = *before.difference(&service.workers()).next().unwrap();
            service.run.until_stderr(&words::left(gone, code));
            // The other one serves on, and is the last.
            let last = server_of(connect((LOCALHOST, service.app.port)));
            tell(&service, &format!("/exit?code={code}"));
            assert_eq!(service.run.stderr_count(words::RESTARTING), 0);
            let end = service.run.end();
            end.code(code.into());
            assert!(end.stderr.contains(&words::left(last, code)), "{end:?}");
        }
    }
}

/// The delays: none, 100 ms, 200 ms, 400 ms; and then the end, with the app's own status.
#[test]
fn a_crash_loop_ends_in_the_apps_own_status_and_burns_no_cpu() {
    let directory = TempDir::new();
    let script = directory.file("app.js", "process.exit(9)", 0o644);
    let options = [
        "-i",
        "1",
        "--backoff",
        "100ms..10s",
        "--max-restarts",
        "4/60s",
    ];
    let run = crate::harness::Pidone::new(options)
        .command(["node".as_ref(), script.as_os_str()])
        .start();
    run.until_stderr(words::RESTARTING);
    let pidone = run.pid();
    let before = processes::cpu_time(pidone);
    run.until_stderr_times(words::RESTARTING, 4);
    let spent = processes::cpu_time(pidone) - before;
    let end = run.end();
    end.code(9);
    assert!(end.stderr.contains(words::CRASH_LOOP), "{end:?}");
    let waits = Duration::from_millis(100 + 200 + 400);
    assert!(end.took >= waits, "{end:?}");
    assert!(spent < end.took / 4, "{spent:?} of {:?}", end.took);
}

#[test]
fn a_crash_loop_of_one_ends_all() {
    const SCRIPT: &str = "
        if (process.env.NODE_APP_INSTANCE === '1') process.exit(5);
        require('./plain.js');
    ";
    let service =
        App::script(SCRIPT).workers(2, ["--max-restarts", "3/60s", "--backoff", "10ms..10ms"]);
    service.up(1);
    let end = service.run.end();
    end.code(5);
    assert!(end.stderr.contains(words::CRASH_LOOP), "{end:?}");
}

#[test]
fn one_that_never_listens_has_failed_to_start() {
    let script = "console.log('boot', process.pid); setInterval(() => {}, 1e6);";
    let options = [
        "--ready-timeout",
        "200ms",
        "--max-restarts",
        "2/60s",
        "--backoff",
        "10ms..10ms",
    ];
    let begin = Instant::now();
    let service = App::script(script).workers(1, options);
    let end = service.run.end();
    assert!(begin.elapsed() >= Duration::from_millis(600));
    assert_eq!(end.stderr.matches(words::NEVER_READY).count(), 3, "{end:?}");
    assert!(end.stderr.contains(words::CRASH_LOOP), "{end:?}");
    assert!(
        !matches!(end.status, crate::harness::Status::Code(0)),
        "{end:?}"
    );
}

#[test]
fn readiness_is_what_the_option_says() {
    // Each gets ready when it is told to, by the end of standard input.
    for (ready, script) in [
        ("message", "process.send('ready')"),
        ("listen", "require('./plain.js')"),
        ("port", "require('./plain.js')"),
        (
            "notify",
            "require('child_process').execFileSync('systemd-notify', ['--ready'])",
        ),
    ] {
        if ready == "notify" && !has_systemd_notify() {
            continue;
        }
        let script = format!(
            "console.log('boot'); process.stdin.on('end', () => {{ {script}; setInterval(() => {{}}, 1e6); }}).resume();"
        );
        let app = App::script(&script);
        let mut options = vec!["--ready", ready];
        if ready == "port" {
            options.extend(["--port-env", "PORT"]);
        }
        let mut service = app.workers(1, options);
        service.run.expect("boot");
        assert_eq!(service.run.stderr_count(words::READY), 0);
        service.run.close_stdin();
        service.run.until_stderr(words::READY);
        service.stop().code(0);
    }
}

fn has_systemd_notify() -> bool {
    let found = std::process::Command::new("systemd-notify")
        .arg("--version")
        .output();
    found.is_ok() || crate::harness::skipped("--ready notify", "systemd-notify is not installed")
}

#[test]
fn with_none_it_is_ready_at_once_and_with_listen_not_before_it_listens() {
    let script = "require('fs').readFileSync('gate'); require('./plain.js');";
    for (ready, early) in [("none", 1), ("listen", 0)] {
        let app = App::script(script);
        let gate = app.directory.path("gate");
        nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let service = app.workers(1, ["--ready", ready]);
        service.run.until_started();
        if early == 1 {
            service.run.until_stderr(words::READY);
        }
        assert_eq!(service.run.stderr_count(words::READY), early);
        std::fs::write(&gate, "open").unwrap();
        service.up(1);
        service.run.until_stderr(words::READY);
        service.stop().code(0);
    }
}

#[test]
fn an_idle_pidone_sleeps() {
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    processes::wait_for_sleep(service.run.pid());
    service.stop().code(0);
}
