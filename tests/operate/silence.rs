//! A network in which nothing answers a new connection: pidone goes on, and does not wait for it.

use std::process::Command;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, Service};
use crate::harness::{skipped, words};

/// With cookies the kernel would answer all.
const SETUP: &str = "ip link set lo up && cd /proc/sys/net/ipv4 && echo 0 >tcp_syncookies && echo 128 >tcp_max_syn_backlog";

/// The kernel has no room for a connection in progress, though there is none (`tcp_conn_request`,
/// net/ipv4/tcp_input.c).
const SILENCE: &str = "
    const fs = require('fs');
    const answer = (yes) => fs.writeFileSync('/proc/sys/net/ipv4/tcp_max_syn_backlog', yes ? '128' : '-4');
    fs.watchFile('answer', { interval: 20 }, ({ ino }) => ino > 0 && answer(true));
";

/// Workers in a network of their own; `None`: that is not permitted here.
fn start(
    test: &str,
    script: &str,
    count: usize,
    options: &[&str],
) -> Option<(AdminEndpoints, Service)> {
    let done = Command::new("unshare")
        .args(["-n", "--", "sh", "-c", SETUP])
        .output();
    let why = match done {
        Ok(done) if done.status.success() => None,
        Ok(done) => Some(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(why) = why {
        skipped(test, &format!("no network of its own: {why}"));
        return None;
    }
    let admin = AdminEndpoints::fresh();
    let own = admin.options();
    let options = own
        .iter()
        .map(String::as_str)
        .chain(options.iter().copied());
    let inside = format!("(set -e; {SETUP}) && exec \"$0\" \"$@\"");
    let app = App::script(&format!("{SILENCE}{script}"));
    let service = app.start_with(count, options, |pidone| {
        pidone.under(["unshare", "-n", "--", "sh", "-c", &inside])
    });
    Some((admin, service))
}

const GIVEN_UP: &str = "cannot reject new connections";

const TWO_PORTS: &str = "
    const { createServer } = require('net');
    const port = Number(process.env.PORT);
    createServer().listen(port, () => createServer().listen(port + 1, () => {
        answer(false);
        console.log('silence');
    }));
";

/// Begins to stop a service whose ports cannot be closed, and asks pidone something.
fn stop(test: &str, options: &[&str]) -> Option<Service> {
    let (admin, service) = start(test, TWO_PORTS, 1, options)?;
    service.after("silence");
    let service = service.until_ready();
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    assert!(admin.ask("live").done);
    assert_eq!(service.run.stderr_count(GIVEN_UP), 0);
    Some(service)
}

#[test]
fn a_port_that_is_slow_to_close_holds_up_nothing_else() {
    for balance in ["reuseport", "shared"] {
        let test = "a_port_that_is_slow_to_close_holds_up_nothing_else";
        let Some(service) = stop(test, &["--balance", balance]) else {
            return;
        };
        service.run.until_stderr_times(GIVEN_UP, 2);
        service.run.end().code(0);
    }
}

#[test]
fn a_port_is_closed_when_its_answer_comes_late() {
    if let Some(service) = stop("a_port_is_closed_when_its_answer_comes_late", &[]) {
        service.app.directory.file("answer", "", 0o644);
        let end = service.run.end();
        end.code(0);
        assert!(!end.stderr.contains(GIVEN_UP), "{end:#?}");
    }
}

#[test]
fn probes_without_an_answer_hold_up_nothing_else() {
    let test = "probes_without_an_answer_hold_up_nothing_else";
    let script = "
        answer(fs.existsSync('answer'));
        require('net').createServer().listen(process.env.PORT, '127.0.0.1', () => console.log('listens'));
    ";
    const WORKERS: usize = 8;
    let options = ["--channel", "off", "--ready", "port", "--port-env", "PORT"];
    let Some((admin, service)) = start(test, script, 1, &options) else {
        return;
    };
    service.after("listens");
    // Added workers boot beside it, on however few CPUs.
    for before in 1..WORKERS {
        service.run.signal(libc::SIGTTIN);
        service
            .run
            .until_stderr(&words::scaling(before, before + 1));
        service.after("listens");
    }
    // With probes that wait, each answer takes most of a second.
    for _ in 0..60 {
        assert!(!admin.ask("ready").done);
    }
    assert_eq!(service.run.stderr_count(words::NEVER_READY), 0);
    service.app.directory.file("answer", "", 0o644);
    service.run.until_stderr(words::READY);
    service.stop().code(0);
}
