//! Node.js' inspectors: each worker has one, at the port of its slot.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;

use crate::harness::net::{connect, fresh_ports};
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{Pidone, binary};
use crate::node::{Node, on_every_node};

/// Ports that nobody else takes, above those of the apps: Node.js does not wait for one.
fn base() -> u16 {
    30_000 + fresh_ports(8) % 992
}

/// Two workers.
fn start(node: &Node, flags: &[String], more: impl FnOnce(Pidone) -> Pidone) -> Service {
    let app = App::named(PLAIN).node(&node.path).flags(flags);
    let control = app.directory.path("control");
    let options = ["--control".as_ref(), control.as_os_str()];
    app.start_with(2, options, more)
}

/// Waits for Node.js to say so, and asks there.
#[track_caller]
fn debugger_listens(service: &Service, port: u16) {
    service
        .run
        .until_stderr(&format!("listening on ws://127.0.0.1:{port}/"));
    let mut stream = connect((Ipv4Addr::LOCALHOST, port));
    stream
        .write_all(b"GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"Browser\": \"node.js/")));
}

fn ports_shown(service: &Service) -> Vec<u64> {
    let control = service.app.directory.path("control");
    let ctl = Pidone::program([
        binary().as_os_str(),
        "ctl".as_ref(),
        "--control".as_ref(),
        control.as_os_str(),
        "status".as_ref(),
        "--json".as_ref(),
    ]);
    let text = ctl.run().code(0).text();
    let rests = text.split("\"inspect_port\":").skip(1);
    let number = |rest: &str| rest.split(',').next().unwrap().parse().unwrap();
    rests.map(number).collect()
}

#[test]
fn each_worker_has_an_inspector_at_the_port_of_its_slot() {
    on_every_node(|node| {
        let base = base();
        let service = start(node, &[format!("--inspect=127.0.0.1:{base}")], |pidone| {
            pidone
        })
        .ready();
        for port in [base + 1, base + 2] {
            debugger_listens(&service, port);
        }
        let shown = [base + 1, base + 2].map(u64::from);
        assert_eq!(ports_shown(&service), shown);
        // A crash leaves the port to the next worker of the slot.
        let said = |port: u16| service.run.stderr_count(&format!("127.0.0.1:{port}/"));
        let before = said(base + 1) + said(base + 2);
        let victim = *service.workers().first().unwrap();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(victim),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        service.up(1);
        assert_eq!(said(base + 1) + said(base + 2), before + 1);
        assert_eq!(ports_shown(&service), shown);
        // A successor boots beside the worker that still has it.
        service.reload();
        for port in [base + 1001, base + 1002] {
            debugger_listens(&service, port);
        }
        service.reload();
        assert_eq!(ports_shown(&service), shown);
        assert_eq!(service.run.stderr_count("address already in use"), 0);
        service.stop();
    });
}

#[test]
fn an_inspector_in_the_environment_is_one_for_each_worker() {
    on_every_node(|node| {
        let base = base();
        let options = format!("--inspect=127.0.0.1:{base}");
        let service = start(node, &[], |pidone| pidone.env("NODE_OPTIONS", options)).ready();
        for port in [base + 1, base + 2] {
            debugger_listens(&service, port);
        }
        service.stop();
    });
}

#[test]
fn usr1_opens_the_inspector_of_each_worker() {
    on_every_node(|node| {
        let base = base();
        let service = start(node, &[format!("--inspect-port={base}")], |pidone| pidone).ready();
        assert_eq!(service.run.stderr_count("Debugger listening"), 0);
        service.run.signal(libc::SIGUSR1);
        for port in [base + 1, base + 2] {
            debugger_listens(&service, port);
        }
        service.stop();
    });
}
