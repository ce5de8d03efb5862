//! Sockets that pidone binds before anything starts, and passes on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use crate::harness::http::{answer, request, server_of};
use crate::harness::net::{connect, connect_unix, echo, fresh_port_below_1024};
use crate::harness::service::{App, PLAIN, all_answer};
use crate::harness::{Pidone, is_root};
use crate::node::on_every_node;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Serves what it is given, and says what that is.
const INHERITING: &str = "
    const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID } = process.env;
    console.log('given', LISTEN_FDS, LISTEN_FDNAMES, Number(LISTEN_PID) === process.pid);
    const server = require('http').createServer(require('./answer.js'));
    server.listen({ fd: 3 }, () => console.log('up', process.pid));
";

#[test]
fn an_app_serves_descriptor_3_at_any_address() {
    for (host, at, not_at) in [
        ("", &[V4, V6][..], &[][..]),
        ("0.0.0.0:", &[V4], &[V6]),
        ("127.0.0.1:", &[V4], &[V6]),
        ("localhost:", &[V4], &[]),
        ("[::]:", &[V4, V6], &[]),
        ("[::1]:", &[V6], &[V4]),
    ] {
        on_every_node(|node| {
            // Without a channel it is the same socket: one form shows that it works.
            let channels = if host.is_empty() {
                &["node", "off"][..]
            } else {
                &["node"]
            };
            for channel in channels {
                let app = App::script(INHERITING).node(&node.path);
                let port = app.port;
                let address = format!("{host}{port}");
                let service = app.workers(2, ["--listen", &address, "--channel", channel]);
                for _ in 0..2 {
                    assert_eq!(service.after("given "), format!("1 tcp-{port} true"));
                }
                let service = service.until_ready();
                for host in at {
                    all_answer(&service, || server_of(connect((*host, port))));
                }
                for host in not_at {
                    assert!(
                        TcpStream::connect((*host, port)).is_err(),
                        "{address} at {host}"
                    );
                }
                service.stop().code(0);
            }
        });
    }
}

#[test]
fn several_sockets_in_the_order_of_the_options() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const http = require('http');
        console.log('given', process.env.LISTEN_FDNAMES);
        http.createServer(answer).listen({ fd: 3 });
        http.createServer(answer).listen({ fd: 4 });
    ";
    on_every_node(|node| {
        for channel in ["node", "off"] {
            let app = App::script(SCRIPT).node(&node.path);
            let port = app.port;
            let path = app.directory.path("app.sock");
            let listen = [
                format!("127.0.0.1:{port}"),
                format!("unix:{}", path.display()),
                format!("udp:127.0.0.1:{port}"),
            ];
            let options = listen.iter().flat_map(|address| ["--listen", address]);
            let service = app.workers(2, options.chain(["--channel", channel]));
            let names = format!("tcp-{port}:unix-app.sock:udp-{port}");
            for _ in 0..2 {
                assert_eq!(service.after("given "), names);
            }
            let service = service.until_ready();
            all_answer(&service, || server_of(connect((V4, port))));
            all_answer(&service, || server_of(connect_unix(&path)));
            let (app, end) = service.stop_and_keep();
            end.code(0);
            assert!(!app.directory.path("app.sock").exists());
        }
    });
}

#[test]
fn datagrams_by_descriptor_and_by_address() {
    for (channel, bind) in [
        ("off", "{ fd: 3 }"),
        ("node", "{ fd: 3 }"),
        (
            "node",
            "{ port: Number(process.env.PORT), address: '127.0.0.1' }",
        ),
    ] {
        on_every_node(|node| {
            let script = format!(
                "const udp = require('dgram').createSocket('udp4');
                udp.on('message', (text, from) => udp.send(`${{process.pid}} ${{text}}`, from.port, from.address));
                udp.bind({bind}, () => console.log('up', process.pid));"
            );
            let app = App::script(&script).node(&node.path);
            let port = app.port;
            let address = format!("udp:127.0.0.1:{port}");
            let service = app.workers(2, ["--listen", &address, "--channel", channel]);
            service.up(2);
            let pid = echo((V4, port), "hello");
            let pid = pid.strip_suffix(" hello").unwrap().parse().unwrap();
            assert!(service.workers().contains(&pid));
            service.stop().code(0);
        });
    }
}

/// An app that names the same address gets this socket, and a connection waits until it does.
#[test]
fn connections_wait_for_the_app() {
    const SCRIPT: &str = "
        require('fs').readFileSync('gate');
        require('./plain.js');
    ";
    let app = App::script(SCRIPT);
    let port = app.port;
    let gate = app.directory.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let service = app.workers(1, ["--listen", &format!("0.0.0.0:{port}")]);
    service.run.until_started();
    let mut clients: Vec<_> = (0..20).map(|_| connect((V4, port))).collect();
    for client in &mut clients {
        std::io::Write::write_all(client, request("/early", false).as_bytes()).unwrap();
    }
    std::fs::write(&gate, "open").unwrap();
    let pid = service.pid_after("up ");
    for client in &mut clients {
        assert_eq!(answer(client).body(), format!("{pid} /early"));
    }
    service.stop().code(0);
}

#[test]
fn a_taken_port_is_said_before_anything_starts() {
    let other = TcpListener::bind((V4, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    for address in [format!("127.0.0.1:{port}"), port.to_string()] {
        for instances in [&["-i", "2"][..], &[]] {
            let options = instances.iter().copied().chain(["--listen", &address]);
            let end = Pidone::new(options)
                .command(["node", "no-such-file.js"])
                .run();
            end.code(125)
                .says(&["--listen", &address, "listens there already"]);
            assert!(end.stdout.is_empty());
        }
    }
}

#[test]
fn a_port_below_1024_and_workers_without_rights() {
    if !is_root("a_port_below_1024_and_workers_without_rights") {
        return;
    }
    const SCRIPT: &str = "
        const server = require('http').createServer(require('./answer.js'));
        const listen = process.env.BY_FD ? { fd: 3 } : { host: '0.0.0.0', port: process.env.PORT };
        server.listen(listen, () => console.log('user', process.getuid()));
    ";
    for by_fd in ["1", ""] {
        let mut app = App::script(SCRIPT);
        app.port = fresh_port_below_1024();
        let port = app.port;
        app.open_to_all();
        let address = format!("0.0.0.0:{port}");
        let service = app.start_with(2, ["-u", "65534:65534", "--listen", &address], |pidone| {
            pidone.env("BY_FD", by_fd)
        });
        for _ in 0..2 {
            assert_eq!(service.after("user "), "65534");
        }
        all_answer(&service, || server_of(connect((V4, port))));
        service.stop().code(0);
    }
}

/// As systemd starts a service, or pidone another pidone.
#[test]
fn pidone_takes_sockets_that_it_inherits() {
    // Opens a socket, and becomes pidone's parent with it at descriptor 3.
    const ACTIVATE: &str = "
        const server = require('net').createServer().listen(process.env.PORT, '127.0.0.1', () => {
            const stdio = ['inherit', 'inherit', 'inherit', server._handle.fd];
            const script = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" \"$@\"';
            const child = require('child_process').spawn('sh', ['-c', script, ...process.argv.slice(1)], { stdio });
            server._handle.close();
            child.on('exit', (code) => process.exit(code));
        });
    ";
    for channel in ["node", "off"] {
        let app = App::script(INHERITING);
        let service = app.start_with(2, ["--channel", channel], |pidone| {
            pidone.under(["node", "-e", ACTIVATE, "--"])
        });
        for _ in 0..2 {
            assert_eq!(service.after("given "), "1 web true");
        }
        let service = service.until_ready();
        all_answer(&service, || server_of(connect((V4, service.app.port))));
        service.stop().code(0);
    }
}

#[test]
fn each_worker_has_a_port_of_its_own() {
    for channel in ["node", "off"] {
        let app = App::named(PLAIN);
        let port = app.port;
        let service = app.workers(
            3,
            [
                "--port-env",
                "PORT",
                "--channel",
                channel,
                "--ready",
                "port",
            ],
        );
        let pids = service.up(3);
        service.run.until_stderr(crate::harness::words::READY);
        let answering: std::collections::BTreeSet<_> = (port..port + 3)
            .map(|port| server_of(connect((V4, port))))
            .collect();
        assert_eq!(answering, pids);
        // One that dies comes back to its own port.
        let first = server_of(connect((V4, port)));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), nix::sys::signal::SIGKILL)
            .unwrap();
        let next = service.pid_after("up ");
        assert_eq!(server_of(connect((V4, port))), next);
        service.reload();
        let reloaded: std::collections::BTreeSet<_> = (port..port + 3)
            .map(|port| server_of(connect((V4, port))))
            .collect();
        assert_eq!(reloaded, service.workers());
        assert!(reloaded.is_disjoint(&pids));
        service.stop().code(0);
    }
}
