//! Situations from public reports on other supervisors, tried as their users would meet them.

use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::process::{Command, Stdio};

use crate::harness::http::server_of;
use crate::harness::net::{connect, connect_abstract, echo};
use crate::harness::service::{App, PLAIN, all_answer};
use crate::harness::{Pidone, processes};

/// Whether this machine has the program, and lets us do that with it.
fn can(line: &[&str]) -> bool {
    let mut command = Command::new(line[0]);
    let command = command.args(&line[1..]).stdin(Stdio::null());
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[test]
fn a_port_found_by_listening_on_0_can_be_listened_on() {
    // What get-port and its like do: the kernel chooses, the probe closes, the server takes it.
    let script = "
        const { createServer } = require('http');
        const probe = require('net').createServer().listen(0, () => {
            const { port } = probe.address();
            probe.close(() => createServer(require('./answer.js')).listen(port, () =>
                console.log('up', process.pid, port)));
        });";
    let service = App::script(script).workers(2, [""; 0]);
    let mut all = Vec::new();
    for _ in 0..2 {
        let line = service.after("up ");
        let (pid, port) = line.split_once(' ').unwrap();
        all.push((pid.parse::<i32>().unwrap(), port.parse::<u16>().unwrap()));
    }
    let service = service.until_ready();
    for (pid, port) in &all {
        let served = server_of(connect((Ipv4Addr::LOCALHOST, *port)));
        assert!(all.iter().any(|(other, at)| *other == served && at == port));
        assert!(service.workers().contains(pid));
    }
    service.stop().code(0);
}

#[test]
fn an_app_that_retries_gets_a_port_that_becomes_free() {
    let script = "
        const server = require('http').createServer(require('./answer.js'));
        const listen = () => server.listen(process.env.PORT);
        server.on('error', error => { console.log('busy', error.code); setTimeout(listen, 20); });
        server.on('listening', () => console.log('up', process.pid));
        listen();";
    let app = App::script(script);
    let other = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, app.port)).unwrap();
    let service = app.workers(2, [""; 0]);
    assert_eq!(service.after("busy "), "EADDRINUSE");
    drop(other);
    let service = service.ready();
    all_answer(&service, || service.who());
    service.stop().code(0);
}

/// The socket is one, so the second worker that joins gets EADDRINUSE, as under Node.js' own primary
/// (`socket.addMembership()` in its documentation).
#[test]
fn a_multicast_group_is_joined_once_for_all_workers() {
    let script = "
        const socket = require('dgram').createSocket({ type: 'udp4', reuseAddr: true });
        socket.on('message', (text, from) =>
            socket.send(`${process.pid} ${text}`, from.port, from.address));
        socket.bind(Number(process.env.PORT), () => {
            console.log('up', process.pid);
            try {
                socket.addMembership('239.255.42.99', '127.0.0.1');
                console.log('joined yes');
            } catch (error) {
                console.log('joined', error.code);
            }
        });";
    let service = App::script(script).workers(2, [""; 0]);
    let mut joined = [service.after("joined "), service.after("joined ")];
    joined.sort();
    assert_eq!(joined, ["EADDRINUSE", "yes"]);
    let service = service.until_ready();
    let answer = echo((Ipv4Addr::LOCALHOST, service.app.port), "hello");
    let (pid, text) = answer.split_once(' ').unwrap();
    assert_eq!(text, "hello");
    assert!(service.workers().contains(&pid.parse().unwrap()));
    service.stop().code(0);
}

#[test]
fn abstract_sockets_survive_a_reload() {
    let name = format!("pidone-test-{}", std::process::id());
    let script = format!(
        "require('http').createServer(require('./answer.js'))
            .listen('\\0{name}', () => console.log('up', process.pid));"
    );
    let service = App::script(&script).workers(2, [""; 0]).ready();
    let answer = || server_of(connect_abstract(&name));
    let before = service.workers();
    assert!(before.contains(&answer()));
    service.reload();
    let after = service.workers();
    assert!(before.is_disjoint(&after) && after.contains(&answer()));
    service.stop().code(0);
}

#[test]
fn workers_serve_where_ipv6_is_switched_off() {
    let network = ["unshare", "--net", "--"];
    let prepare = "ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1";
    if !can(&[&network[..], &["sh", "-c", prepare]].concat()) {
        eprintln!("skipped: no network namespace, or no IPv6 to switch off");
        return;
    }
    let inside = format!("{prepare} && exec \"$@\"");
    let app = App::script(
        "const { get, createServer } = require('http');
        const port = process.env.PORT;
        createServer(require('./answer.js')).listen(port, () => {
            console.log('up', process.pid);
            get({ host: '127.0.0.1', port }, answer => console.log('status', answer.statusCode));
        });",
    );
    let under = [&network[..], &["sh", "-c", &inside, "sh"]].concat();
    let service = app.start_with(2, [""; 0], |pidone: Pidone| pidone.under(under));
    assert_eq!(service.after("status "), "200");
    service.until_ready().stop().code(0);
}

#[test]
fn entry_scripts_wrap_the_app_in_the_usual_ways() {
    let node = "node plain.js";
    let mut tried = 0;
    for wrapper in [
        "exec nice -n 5",
        "ulimit -n 512; exec",
        "exec choom -n 100 --",
        "exec prlimit --nofile=512",
        "exec setpriv --no-new-privs",
        "exec env -S",
        "exec taskset -c 0",
        "exec nohup",
        "exec setarch -R",
    ] {
        let program = wrapper.trim_start_matches("exec ").split(' ').next();
        let program = program.unwrap();
        if !can(&["sh", "-c", &format!("command -v {program}")]) {
            continue;
        }
        tried += 1;
        let line = ["sh".into(), "-c".into(), format!("{wrapper} {node}")];
        let service = App::named(PLAIN)
            .command_line(line)
            .workers(1, [""; 0])
            .ready();
        service.who();
        service.stop().code(0);
    }
    assert!(tried >= 5, "{tried}");
}

#[test]
fn workers_start_whatever_standard_descriptors_are_closed() {
    for closed in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        let words: Vec<_> = closed.iter().map(|fd| format!("close={fd}")).collect();
        let service = App::named(PLAIN).start_with(2, [""; 0], |pidone| pidone.with(words));
        let address = (Ipv4Addr::LOCALHOST, service.app.port);
        processes::wait_until("it is served", || TcpStream::connect(address).is_ok());
        let pid = server_of(connect(address));
        assert!(service.workers().contains(&pid), "{closed:?}");
        service.stop().code(0);
    }
}

#[test]
fn a_stop_while_workers_boot_is_orderly() {
    let script = "
        console.log('boots', process.pid);
        require('./plain.js');";
    for _ in 0..3 {
        let service = App::script(script).workers(2, [""; 0]);
        service.pid_after("boots ");
        service.stop().code(0);
    }
}
