//! pidone under a service manager.

use crate::harness::manager::Manager;
use crate::harness::service::{App, FRAGILE, PLAIN};
use crate::harness::{Pidone, processes, words};

fn variables(pid: i32) -> Vec<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let entries = environ.split(|byte| *byte == 0);
    entries
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
        .collect()
}

#[test]
fn the_manager_learns_of_each_change() {
    let manager = Manager::new();
    let service = App::named(FRAGILE).start_with(2, [""; 0], |pidone| {
        pidone.env("NOTIFY_SOCKET", &manager.name)
    });
    let first = manager.next("STATUS=0 of 2 ready");
    assert_eq!(first, ["STATUS=0 of 2 ready"]);
    let ready = manager.until("READY=1");
    assert_eq!(ready, ["READY=1", "STATUS=2 of 2 ready"]);
    let service = service.ready();
    for worker in service.workers() {
        let names = ["NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID="];
        let is_managers = |entry: &String| names.iter().any(|name| entry.starts_with(name));
        assert!(!variables(worker).iter().any(is_managers));
    }
    for is_good in [true, false] {
        if !is_good {
            service.app.directory.file("crash", "", 0o644);
        }
        service.run.signal(libc::SIGHUP);
        let begun = manager.until("RELOADING=1");
        let time = begun[1].strip_prefix("MONOTONIC_USEC=").unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
        assert!(begun[2].starts_with("STATUS=reloading, "), "{begun:?}");
        manager.until("READY=1");
    }
    service.run.until_stderr(words::RELOAD_FAILED);
    service.run.signal(libc::SIGTERM);
    manager.until("STOPPING=1");
    service.run.end().code(0);
}

#[test]
fn the_watchdog_gets_its_sign_of_life_if_it_is_pidones() {
    let manager = Manager::abstract_one();
    let start = |more: &[(&str, &str)]| {
        let options = ["-i", "1", "--channel", "off", "--stop-signal", "KILL"];
        let mut pidone = Pidone::new(options)
            .command(["sleep", "inf"])
            .env("NOTIFY_SOCKET", &manager.name);
        for (name, value) in more {
            pidone = pidone.env(name, value);
        }
        pidone.start()
    };
    let run = start(&[("WATCHDOG_USEC", "100000")]);
    for _ in 0..5 {
        manager.until("WATCHDOG=1");
    }
    run.signal(libc::SIGTERM);
    manager.until("STOPPING=1");
    run.end();
    let run = start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    run.until_stderr(words::READY);
    processes::wait_for_sleep(run.pid());
    run.signal(libc::SIGTERM);
    run.end();
    manager.socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    while let Ok(length) = manager.socket.recv(&mut bytes) {
        let text = str::from_utf8(&bytes[..length]).unwrap();
        assert!(!text.contains("WATCHDOG"), "{text}");
    }
}

#[test]
fn a_single_child_has_the_manager_to_itself() {
    let manager = Manager::new();
    let run = Pidone::plain()
        .env("NOTIFY_SOCKET", &manager.name)
        .env("WATCHDOG_USEC", "1000")
        .command(["cat"])
        .start();
    run.until_started();
    let variables = variables(run.child_pid());
    assert!(variables.contains(&format!("NOTIFY_SOCKET={}", manager.name)));
    assert!(variables.contains(&"WATCHDOG_USEC=1000".into()));
    run.signal(libc::SIGTERM);
    run.end().code(143);
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err());
}

#[test]
fn a_manager_that_is_gone_stops_nobody() {
    for name in ["/no/such/socket", "nonsense"] {
        let service =
            App::named(PLAIN).start_with(1, [""; 0], |pidone| pidone.env("NOTIFY_SOCKET", name));
        let service = service.ready();
        service.run.until_stderr("NOTIFY_SOCKET");
        assert_eq!(service.run.stderr_count("NOTIFY_SOCKET"), 1);
        service.stop().code(0);
    }
}
