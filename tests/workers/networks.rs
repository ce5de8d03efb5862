//! Networks that are not as usual: each test has one of its own.

use std::process::Command;

use crate::harness::service::App;
use crate::harness::{Pidone, skipped, words};

/// Puts pidone into a new network, whose loopback interface is set up by these commands. Whether that
/// is permitted here.
fn is_permitted(test: &str, setup: &str) -> bool {
    let done = Command::new("unshare")
        .args(["-n", "--", "sh", "-c", setup])
        .output();
    let why = match done {
        Ok(done) if done.status.success() => return true,
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    skipped(test, &format!("no network of its own: {why}"))
}

fn inside(pidone: Pidone, setup: &str) -> Pidone {
    let script = format!("{setup} && exec \"$0\" \"$@\"");
    pidone.under(["unshare", "-n", "--", "sh", "-c", &script])
}

/// As Node.js' own primary; RFC 4007.
#[test]
fn a_link_local_address_is_one_of_an_interface() {
    const SETUP: &str = "ip link set lo up && ip addr add fe80::7/64 dev lo nodad";
    const SCRIPT: &str = "
        const net = require('net');
        const dgram = require('dgram');
        const port = Number(process.env.PORT);
        const host = 'fe80::7%lo';
        const error = (error) => console.log('error', error.code);
        net.createServer().on('error', error).listen(port, 'fe80::7%none');
        const server = net.createServer((client) => client.end('tcp')).listen(port, host, () => {
            net.connect(port, host).on('data', (text) => console.log('got', String(text))).on('error', error);
        });
        const socket = dgram.createSocket('udp6').on('error', error);
        socket.on('message', (text, from) => {
            console.log('got', String(text));
            socket.close();
        });
        socket.bind(port, host, () => socket.send('udp', socket.address().port, host));
    ";
    if !is_permitted("a_link_local_address_is_one_of_an_interface", SETUP) {
        return;
    }
    for balance in ["auto", "reuseport", "round-robin"] {
        let service = App::script(SCRIPT)
            .start_with(1, ["--balance", balance], |pidone| inside(pidone, SETUP));
        let mut lines: Vec<_> = (0..3).map(|_| service.run.line()).collect();
        lines.sort();
        assert_eq!(lines, ["error EINVAL", "got tcp", "got udp"]);
        service.until_ready().stop().code(0);
    }
}

#[test]
fn a_stop_lets_nobody_in_where_there_is_only_ipv6() {
    const SETUP: &str = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo";
    const SCRIPT: &str = "
        const http = require('http');
        const server = http.createServer((request, response) => {
            console.log('slow');
            fs.watchFile('gate', { interval: 20 }, () => response.end());
        });
        const fs = require('fs');
        const port = process.env.PORT;
        server.listen(port, () => http.get({ port, host: '::1', agent: false }, (response) => response.resume()));
        fs.watchFile('late', { interval: 20 }, () => {
            const late = require('net').connect(port, '::1');
            late.on('connect', () => console.log('late is let in'));
            late.on('error', () => {});
            setTimeout(() => late.destroy(), 500).unref();
            setTimeout(() => console.log('late was tried'), 300);
        });
    ";
    if !is_permitted("a_stop_lets_nobody_in_where_there_is_only_ipv6", SETUP) {
        return;
    }
    for balance in ["reuseport", "shared"] {
        let service = App::script(SCRIPT)
            .start_with(1, ["--balance", balance], |pidone| inside(pidone, SETUP));
        service.after("slow");
        service.run.signal(libc::SIGTERM);
        service.run.until_stderr(words::STOPPING);
        service.app.directory.file("late", "", 0o644);
        assert_eq!(service.after("late "), "was tried");
        service.app.directory.file("gate", "", 0o644);
        let end = service.run.end();
        end.code(0);
        assert!(!end.stderr.contains("cannot"), "{end:#?}");
    }
}
