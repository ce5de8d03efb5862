//! examples/haproxy/haproxy.cfg in front of `--port-env`, as it is but for the ports.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::load::Plan;
use crate::harness::net::fresh_port;
use crate::harness::service::{App, CLOSE, PLAIN, Service};
use crate::harness::{Pidone, Run, alone, is_installed, processes};

const EXAMPLE: &str = include_str!("../../examples/haproxy/haproxy.cfg");

/// Four workers behind HAProxy, and HAProxy's port.
fn behind_haproxy(app: App, options: &[&str]) -> (Service, Run, u16) {
    let front = fresh_port();
    let mut config = EXAMPLE.replace("bind :8080", &format!("bind 127.0.0.1:{front}"));
    for number in 0..4 {
        let port = app.port + number;
        config = config.replace(&format!(":{}", 3000 + number), &format!(":{port}"));
    }
    let file = app.directory.file("haproxy.cfg", &config, 0o644);
    let service = app
        .workers(4, ["--port-env", "PORT"].iter().chain(options))
        .ready();
    // -db: in the foreground, and silent but for warnings.
    let haproxy = Pidone::program([
        "haproxy".as_ref(),
        "-db".as_ref(),
        "-f".as_ref(),
        file.as_os_str(),
    ])
    .start();
    processes::wait_until("HAProxy listens", || {
        std::thread::sleep(Duration::from_millis(5));
        std::net::TcpStream::connect(("127.0.0.1", front)).is_ok()
    });
    (service, haproxy, front)
}

/// Far from what a small machine can do, as HAProxy has no answer for requests that wait for too long.
fn plans(front: u16) -> [Plan; 3] {
    let plan = || Plan::of(front).rate(250);
    [
        plan(),
        plan().keep_alive(32),
        plan().slow(Duration::from_millis(200)),
    ]
}

#[test]
fn reloads_under_load_lose_nothing() {
    if !is_installed("reloads_under_load_lose_nothing", "haproxy", "haproxy") {
        return;
    }
    let _alone = alone();
    for (app, options) in [
        (PLAIN, &["--channel", "node"][..]),
        (CLOSE, &["--channel", "off", "--ready", "port"]),
    ] {
        let (service, _haproxy, front) = behind_haproxy(App::named(app), options);
        for plan in plans(front) {
            let old = service.workers();
            let load = plan.start();
            load.until_answered_by(4);
            service.reload();
            load.until_answered_by(4);
            load.stop().no_failures();
            assert!(service.workers().is_disjoint(&old));
        }
        service.stop().code(0);
    }
}

/// Its requests are sent again to another one, for they are GETs.
#[test]
fn workers_that_are_killed_lose_nothing() {
    if !is_installed("workers_that_are_killed_lose_nothing", "haproxy", "haproxy") {
        return;
    }
    let _alone = alone();
    for channel in ["node", "off"] {
        let options = [
            "--channel",
            channel,
            "--ready",
            "port",
            "--backoff",
            "10ms..10ms",
        ];
        let (service, _haproxy, front) = behind_haproxy(App::named(PLAIN), &options);
        for plan in plans(front) {
            let load = plan.start();
            load.until_answered_by(4);
            for turn in 0..2 {
                let victim = *service.workers().iter().nth(turn).unwrap();
                kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
                service.up(1);
                load.until_answered_by(4);
            }
            load.stop().no_failures();
        }
        service.stop().code(0);
    }
}
