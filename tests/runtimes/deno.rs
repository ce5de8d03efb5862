//! Deno 2.9.6: what it makes of a descriptor.

use std::net::Ipv4Addr;

use crate::harness::http::server_of;
use crate::harness::net::{connect, connect_unix};
use crate::harness::service::all_answer;
use crate::runtime::Runtime;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[test]
fn node_http_serves_descriptor_3() {
    let Some(deno) = Runtime::deno("node_http_serves_descriptor_3") else {
        return;
    };
    let app = deno.http("");
    let port = app.port;
    let service = app
        .workers(2, ["--listen", &format!("127.0.0.1:{port}")])
        .ready();
    all_answer(&service, || server_of(connect((HOME, port))));
    service.stop().code(0);

    let app = deno.http("");
    let path = app.directory.path("app.sock");
    let service = app
        .workers(2, ["--listen", &format!("unix:{}", path.display())])
        .ready();
    all_answer(&service, || server_of(connect_unix(&path)));
    service.stop().code(0);
}

/// `fd` is no option of `Deno.serve`, and is ignored without a word.
#[test]
fn deno_serve_does_not_take_a_descriptor() {
    let Some(deno) = Runtime::deno("deno_serve_does_not_take_a_descriptor") else {
        return;
    };
    let app = deno.app(
        "Deno.serve({ fd: 3, onListen: ({ port }) => console.log('port', port) }, () => new Response(''));",
    );
    let (default, named) = (app.port, app.port + 1);
    let service = app.start_with(
        1,
        ["--listen", &format!("127.0.0.1:{named}")],
        // Instead of 8000, which may be somebody's.
        |pidone| pidone.env("DENO_SERVE_ADDRESS", format!("tcp:127.0.0.1:{default}")),
    );
    assert_eq!(service.after("port "), default.to_string());
    service.stop().code(0);
}

/// What to do instead, with `--unstable-net`: the workers share the port themselves.
#[test]
fn deno_serve_shares_a_port_with_reuse_port() {
    let Some(deno) = Runtime::deno("deno_serve_shares_a_port_with_reuse_port") else {
        return;
    };
    let app = deno.app(
        "Deno.serve({ port: Number(process.env.PORT), reusePort: true, onListen: up }, (request) =>
             new Response(`${process.pid} ${request.url.slice(request.url.indexOf('/', 8))}`));",
    );
    let service = app.workers(2, [""; 0]).ready();
    let port = service.app.port;
    all_answer(&service, || server_of(connect((HOME, port))));
    service.stop().code(0);
}

#[test]
fn node_dgram_does_not_take_a_descriptor() {
    let Some(deno) = Runtime::deno("node_dgram_does_not_take_a_descriptor") else {
        return;
    };
    let app = deno.app(
        "import dgram from 'node:dgram';
         try { dgram.createSocket('udp4').bind({ fd: 3 }); } catch (error) { console.log('error', error.code) }
         setInterval(() => {}, 1e6);",
    );
    let address = format!("udp:127.0.0.1:{}", app.port);
    let service = app.workers(1, ["--listen", &address]);
    assert_eq!(service.after("error "), "ERR_INVALID_FD_TYPE");
    service.stop().code(0);
}
