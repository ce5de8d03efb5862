//! Bun 1.4.5: what it makes of a descriptor.

use std::io::Read;
use std::net::Ipv4Addr;

use crate::harness::http::server_of;
use crate::harness::net::{connect, echo};
use crate::harness::service::all_answer;
use crate::runtime::Runtime;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// `fd` is ignored without a word: they bind the port of `PORT`, or one of the kernel's choice.
#[test]
fn its_http_servers_do_not_take_a_descriptor() {
    let Some(bun) = Runtime::bun("its_http_servers_do_not_take_a_descriptor") else {
        return;
    };
    for server in [
        "const server = Bun.serve({ fd: 3, fetch: () => new Response('') });
         console.log('port', server.port);",
        "import http from 'node:http';
         const server = http.createServer(answer).listen({ fd: 3 },
             () => console.log('port', server.address().port));",
    ] {
        let app = bun.app(server);
        let named = app.port + 1;
        let service = app.workers(1, ["--listen", &format!("127.0.0.1:{named}")]);
        let port: u16 = service.after("port ").parse().unwrap();
        assert_ne!(port, named, "{server}");
        assert!(connect((HOME, port)).peer_addr().is_ok());
        service.stop().code(0);
    }
}

/// What to do instead, where `node:net` in front is not wanted: the workers share the port themselves.
#[test]
fn bun_serve_shares_a_port_with_reuse_port() {
    let Some(bun) = Runtime::bun("bun_serve_shares_a_port_with_reuse_port") else {
        return;
    };
    let app = bun.app(
        "Bun.serve({ port: process.env.PORT, reusePort: true, fetch: (request) =>
             new Response(`${process.pid} ${request.url.slice(request.url.indexOf('/', 8))}`) });
         up();",
    );
    let service = app.workers(2, [""; 0]).ready();
    let port = service.app.port;
    all_answer(&service, || server_of(connect((HOME, port))));
    service.stop().code(0);
}

#[test]
fn bun_listen_serves_descriptor_3() {
    let Some(bun) = Runtime::bun("bun_listen_serves_descriptor_3") else {
        return;
    };
    let app = bun.app(
        "Bun.listen({ fd: 3, socket: { open: (socket) => { socket.end(String(process.pid)) }, data() {} } });
         up();",
    );
    let port = app.port;
    let service = app
        .workers(2, ["--listen", &format!("127.0.0.1:{port}")])
        .ready();
    all_answer(&service, || {
        let mut text = String::new();
        connect((HOME, port)).read_to_string(&mut text).unwrap();
        text.parse().unwrap()
    });
    service.stop().code(0);
}

#[test]
fn datagrams_come_to_descriptor_3() {
    let Some(bun) = Runtime::bun("datagrams_come_to_descriptor_3") else {
        return;
    };
    for socket in [
        "const socket = await Bun.udpSocket({ fd: 3, socket: {
             data: (socket, text, port, address) => { socket.send(`${process.pid} ${text}`, port, address) } } });
         up();",
        "import dgram from 'node:dgram';
         const socket = dgram.createSocket('udp4');
         socket.on('message', (text, from) => socket.send(`${process.pid} ${text}`, from.port, from.address));
         socket.bind({ fd: 3 }, up);",
    ] {
        let app = bun.app(socket);
        let port = app.port;
        let service = app
            .workers(2, ["--listen", &format!("udp:127.0.0.1:{port}")])
            .ready();
        let answer = echo((HOME, port), "hello");
        let pid = answer.strip_suffix(" hello").unwrap().parse().unwrap();
        assert!(service.workers().contains(&pid), "{socket}");
        service.stop().code(0);
    }
}
