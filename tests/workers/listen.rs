//! Apps that have never heard of pidone, and all the ways in which they listen.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::harness::http::server_of;
use crate::harness::net::{connect, connect_unix, echo, shared_listener};
use crate::harness::service::{App, PLAIN, Service, all_answer};
use crate::node::{Node, on_every_node};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Two workers that listen so, and say at what address.
fn listening(node: &Node, arguments: &str) -> Service {
    let script = format!(
        "const server = require('http').createServer(require('./answer.js'));
        const port = Number(process.env.PORT);
        const listener = server.listen({arguments}, () => {{
            console.log('address', JSON.stringify(server.address()));
            console.log('up', process.pid);
        }});"
    );
    App::script(&script)
        .node(&node.path)
        .workers(2, [""; 0])
        .until_ready()
}

/// All forms in one app, each on the next port.
#[test]
fn a_port_at_any_address() {
    const FORMS: [(&str, &[IpAddr], &[IpAddr]); 9] = [
        ("port", &[V4, V6], &[]),
        ("String(port)", &[V4, V6], &[]),
        ("{ port }", &[V4, V6], &[]),
        ("{ port, backlog: 5 }", &[V4, V6], &[]),
        ("port, '0.0.0.0'", &[V4], &[V6]),
        ("port, '127.0.0.1'", &[V4], &[V6]),
        ("port, '::'", &[V4, V6], &[]),
        ("port, '::1'", &[V6], &[V4]),
        ("{ port, host: '::', ipv6Only: true }", &[V6], &[V4]),
    ];
    let servers = FORMS.map(|(arguments, ..)| {
        format!(
            "await new Promise((listens) => http.createServer(answer).listen({arguments}, listens)); port += 1;"
        )
    });
    let script = format!(
        "const http = require('http');
        const answer = require('./answer.js');
        let port = Number(process.env.PORT);
        (async () => {{ {} console.log('up', process.pid); }})();",
        servers.concat()
    );
    on_every_node(|node| {
        let service = App::script(&script)
            .node(&node.path)
            .workers(2, [""; 0])
            .ready();
        for (port, (arguments, at, not_at)) in (service.app.port..).zip(FORMS) {
            for address in at {
                all_answer(&service, || server_of(connect((*address, port))));
            }
            for address in not_at {
                let refused = std::net::TcpStream::connect((*address, port));
                assert!(refused.is_err(), "{arguments} at {address}");
            }
        }
        service.stop().code(0);
    });
}

/// The app is in the snapshot, and there is no script on the command line.
#[test]
fn an_app_in_a_snapshot_is_a_worker() {
    on_every_node(|node| {
        if node.major < 20 {
            return;
        }
        let app = App::snapshot(&node.path);
        let service = app.workers(2, [""; 0]).until_ready();
        all_answer(&service, || server_of(connect((V4, service.app.port))));
        service.stop().code(0);
    });
}

/// The worker looks the name up, to one address or the other.
#[test]
fn a_port_at_a_name() {
    on_every_node(|node| {
        let service = listening(node, "{ port, host: 'localhost' }");
        let is_v6 = service.after("address ").contains("::1");
        let address = if is_v6 { V6 } else { V4 };
        all_answer(&service, || server_of(connect((address, service.app.port))));
        service.stop().code(0);
    });
}

/// As under Node.js' own primary, the workers share the port that the kernel has chosen.
#[test]
fn a_port_of_the_kernels_choice_is_one_for_all() {
    for arguments in ["0", "", "{ port: 0, host: '127.0.0.1' }"] {
        on_every_node(|node| {
            let arguments = if arguments.is_empty() {
                "undefined"
            } else {
                arguments
            };
            let service = listening(node, arguments);
            let addresses: BTreeSet<_> = (0..2).map(|_| service.after("address ")).collect();
            assert_eq!(addresses.len(), 1, "{addresses:?}");
            let address = addresses.first().unwrap();
            let port = address.split("\"port\":").nth(1).unwrap();
            let port: u16 = port.trim_end_matches('}').parse().unwrap();
            all_answer(&service, || server_of(connect((V4, port))));
            service.stop().code(0);
        });
    }
}

#[test]
fn a_unix_socket_by_any_path_is_gone_at_the_end() {
    for arguments in [
        "`${__dirname}/app.sock`",
        "{ path: `${__dirname}/app.sock`, readableAll: true, writableAll: true }",
    ] {
        on_every_node(|node| {
            let service = listening(node, arguments);
            let path = service.app.directory.path("app.sock");
            all_answer(&service, || server_of(connect_unix(&path)));
            let (app, end) = service.stop_and_keep();
            end.code(0);
            assert!(!app.directory.path("app.sock").exists());
        });
    }
}

#[test]
fn one_that_an_earlier_run_has_left_behind_is_in_nobodys_way() {
    let app = App::script(
        "
        const server = require('http').createServer(require('./answer.js'));
        server.listen(`${__dirname}/app.sock`, () => console.log('up', process.pid));
    ",
    );
    let path = app.directory.path("app.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let service = app.workers(2, [""; 0]).ready();
    all_answer(&service, || server_of(connect_unix(&path)));
    service.stop().code(0);
}

#[test]
fn several_servers_in_one_app() {
    on_every_node(|node| {
        let service = App::named("several.js")
            .node(&node.path)
            .workers(2, [""; 0])
            .ready();
        let port = service.app.port;
        all_answer(&service, || server_of(connect((V4, port))));
        all_answer(&service, || server_of(connect((V6, port))));
        all_answer(&service, || server_of(connect((V4, port + 1))));
        all_answer(&service, || {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut connect((V4, port + 2)), &mut text).unwrap();
            text.strip_suffix(" net").unwrap().parse().unwrap()
        });
        let workers = service.workers();
        for turn in 0..20 {
            let answer = echo((V4, port + 3), &format!("turn {turn}"));
            let pid = answer.strip_suffix(&format!(" turn {turn}")).unwrap();
            assert!(workers.contains(&pid.parse().unwrap()), "{answer}");
        }
        let path = service.app.directory.path("app.sock");
        all_answer(&service, || server_of(connect_unix(&path)));
        service.stop().code(0);
    });
}

#[test]
fn a_server_that_is_closed_can_listen_again() {
    on_every_node(|node| {
        let app = App::script(
            "
            const server = require('http').createServer(require('./answer.js'));
            let left = 3;
            const listen = () => server.listen(process.env.PORT, () => {
                if (left-- > 0) server.close(listen);
                else console.log('up', process.pid);
            });
            listen();
        ",
        );
        let service = app.node(&node.path).workers(2, [""; 0]);
        service.up(2);
        all_answer(&service, || server_of(connect((V4, service.app.port))));
        service.stop().code(0);
    });
}

#[test]
fn https_and_http2() {
    const CLIENT: &str = "
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
        process.removeAllListeners('warning');
        const port = Number(process.argv[2]);
        const text = async (stream) => { let all = ''; for await (const part of stream) all += part; return all; };
        const https = () => new Promise((resolve, reject) => {
            const { get } = require('https');
            get({ port, path: '/who?', agent: false }, async (response) => resolve(await text(response))).on('error', reject);
        });
        const http2 = () => new Promise((resolve, reject) => {
            const session = require('http2').connect(`https://localhost:${port + 1}`).on('error', reject);
            const request = session.request({ ':path': '/who?' });
            text(request).then((all) => { session.close(); resolve(all); }, reject);
        });
        (async () => {
            for (const ask of [https, http2]) {
                const pids = new Set();
                while (pids.size < 2) {
                    const all = await ask();
                    if (!all.endsWith(' /who?')) throw new Error(all);
                    pids.add(all);
                }
            }
        })().catch((error) => { console.error(error); process.exit(1); });
    ";
    on_every_node(|node| {
        let app = App::named("tls.js").with_certificate().node(&node.path);
        let service = app.workers(2, [""; 0]).ready();
        let client = service.app.directory.file("client.js", CLIENT, 0o644);
        let done = std::process::Command::new(&node.path)
            .arg(client)
            .arg(service.app.port.to_string())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        service.stop().code(0);
    });
}

#[test]
fn modules_and_typescript() {
    on_every_node(|node| {
        let mut apps = vec![App::named("esm.mjs")];
        if node.major >= 20 {
            apps.push(App::named("typed.ts").flags(["--import", "tsx"]));
        }
        for app in apps {
            let service = app.node(&node.path).workers(2, [""; 0]).ready();
            all_answer(&service, || server_of(connect((V4, service.app.port))));
            service.stop().code(0);
        }
    });
}

#[test]
fn a_shell_script_that_execs_node() {
    let app = App::named(PLAIN);
    let script = app.directory.file(
        "start.sh",
        "#!/bin/sh\nexec node \"$(dirname \"$0\")/plain.js\"\n",
        0o755,
    );
    let service = app.command_line([script]).workers(2, [""; 0]).ready();
    all_answer(&service, || server_of(connect((V4, service.app.port))));
    service.stop().code(0);
}

#[test]
fn whatever_an_app_sends_is_harmless() {
    on_every_node(|node| {
        let service = App::named("talker.js").node(&node.path).workers(2, [""; 0]);
        let said: BTreeSet<_> = (0..2).map(|_| service.after("worker ")).collect();
        let instances: Vec<_> = said
            .iter()
            .map(|one| one.rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(instances, ["0", "1"], "{said:?}");
        service.run.until_stderr(crate::harness::words::READY);
        all_answer(&service, || server_of(connect((V4, service.app.port))));
        service.stop().code(0);
    });
}

/// What went wrong is told to the app as by Node.js itself.
#[test]
fn a_taken_port_is_an_error_of_node() {
    const SCRIPT: &str = "
        const report = (error) => console.log('error', error.code, error.syscall, error.errno < 0, error.port);
        const port = Number(process.env.PORT);
        require('net').createServer().on('error', report).listen(port, '127.0.0.1');
        require('dgram').createSocket('udp4').on('error', report).bind(port, '127.0.0.1');
        require('net').createServer().on('error', report).listen(port, '192.0.2.1');
        require('http').createServer(require('./answer.js')).listen(port + 1, () => console.log('up', process.pid));
    ";
    on_every_node(|node| {
        let app = App::script(SCRIPT).node(&node.path);
        let port = app.port;
        let _tcp = std::net::TcpListener::bind((V4, port)).unwrap();
        let _udp = std::net::UdpSocket::bind((V4, port)).unwrap();
        let service = app.workers(2, [""; 0]).until_ready();
        let mut errors: Vec<_> = (0..6).map(|_| service.after("error ")).collect();
        errors.sort();
        errors.dedup();
        let expected = [
            format!("EADDRINUSE bind true {port}"),
            format!("EADDRNOTAVAIL bind true {port}"),
        ];
        assert_eq!(errors, expected);
        all_answer(&service, || server_of(connect((V4, port + 1))));
        service.stop().code(0);
    });
}

/// Two containers on the host's network would share the port in silence.
#[test]
fn a_port_that_somebody_shares_is_taken_all_the_same() {
    const SCRIPT: &str = "
        require('net').createServer().on('error', (error) => {
            console.log('error', error.code);
            require('http').createServer(require('./answer.js')).listen(0);
        }).listen(process.env.PORT, '127.0.0.1');
    ";
    let app = App::script(SCRIPT);
    let _other = shared_listener(app.port);
    let service = app.workers(2, [""; 0]);
    for _ in 0..2 {
        assert_eq!(service.after("error "), "EADDRINUSE");
    }
    service.until_ready().stop().code(0);
}

#[test]
fn a_port_that_the_workers_user_may_not_have_is_an_error_of_node() {
    if !crate::harness::is_root("a_port_that_the_workers_user_may_not_have_is_an_error_of_node") {
        return;
    }
    const SCRIPT: &str = "
        const report = (error) => console.log('error', error.code, error.syscall);
        require('net').createServer().on('error', report).listen(81);
        require('net').createServer().on('error', report).listen('/run/pidone-test.sock');
        require('http').createServer(require('./answer.js')).listen(process.env.PORT, () => console.log('up', process.getuid()));
    ";
    let app = App::script(SCRIPT);
    app.open_to_all();
    let service = app.workers(2, ["-u", "65534"]).until_ready();
    for _ in 0..4 {
        assert_eq!(service.after("error "), "EACCES bind");
    }
    all_answer(&service, || server_of(connect((V4, service.app.port))));
    service.stop().code(0);
}

#[test]
fn descriptors_are_served_only_if_pidone_passes_them_on() {
    const SCRIPT: &str = "
        require('net').createServer().on('error', (error) => {
            console.log('error', error.code);
            require('http').createServer(require('./answer.js')).listen(process.env.PORT);
        }).listen({ fd: 0 });
    ";
    on_every_node(|node| {
        let service = App::script(SCRIPT).node(&node.path).workers(2, [""; 0]);
        for _ in 0..2 {
            assert_eq!(service.after("error "), "EINVAL");
        }
        service.until_ready().stop().code(0);
    });
}
