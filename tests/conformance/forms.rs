//! What apps ask for, in every form there is.

use std::net::{Ipv4Addr, Ipv6Addr};

use pidone::channel::query::ListenerKey;

use crate::node::on_every_node;
use crate::primary::Worker;

pub const V4: Ipv4Addr = Ipv4Addr::LOCALHOST;
const V6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

pub fn tcp(address: Option<std::net::IpAddr>, port: u16) -> ListenerKey {
    ListenerKey::Tcp {
        address: address.map(Into::into),
        port,
        v6only: false,
        index: 0,
    }
}

fn udp(address: std::net::IpAddr, port: u16) -> ListenerKey {
    ListenerKey::Udp {
        address: address.into(),
        port,
        v6only: false,
        reuse_addr: false,
        index: 0,
    }
}

fn fd(number: i32, is_udp: bool) -> ListenerKey {
    ListenerKey::Fd { number, is_udp }
}

#[test]
fn every_form_of_listen_is_understood() {
    const SCRIPT: &str = "
        const tcp = (...how) => require('net').createServer().listen(...how);
        const udp = (kind, ...how) => require('dgram').createSocket(kind).bind(...how);
        process.on('message', (call) => { eval(call); });
        process.send({ cwd: process.cwd() });
    ";
    on_every_node(|node| {
        let unix = |readable_all, writable_all| {
            move |directory: &str| ListenerKey::Unix {
                path: format!("{directory}/s"),
                readable_all,
                writable_all,
            }
        };
        let is = |key: ListenerKey| move |_: &str| key.clone();
        type Expected = Box<dyn Fn(&str) -> ListenerKey>;
        let mut forms: Vec<(&str, Expected, u32)> = vec![
            ("tcp(8080)", Box::new(is(tcp(None, 8080))), 0),
            ("tcp({ port: 8080 })", Box::new(is(tcp(None, 8080))), 0),
            ("tcp('8080')", Box::new(is(tcp(None, 8080))), 0),
            (
                "tcp({ port: 8080, backlog: 5 })",
                Box::new(is(tcp(None, 8080))),
                5,
            ),
            ("tcp(0)", Box::new(is(tcp(None, 0))), 0),
            ("tcp()", Box::new(is(tcp(None, 0))), 0),
            (
                "tcp(8080, '127.0.0.1')",
                Box::new(is(tcp(Some(V4.into()), 8080))),
                0,
            ),
            (
                "tcp(8080, '0.0.0.0', 7)",
                Box::new(is(tcp(Some(Ipv4Addr::UNSPECIFIED.into()), 8080))),
                7,
            ),
            (
                "tcp(8080, '::')",
                Box::new(is(tcp(Some(V6.into()), 8080))),
                0,
            ),
            (
                "tcp(8080, '::1')",
                Box::new(is(tcp(Some(Ipv6Addr::LOCALHOST.into()), 8080))),
                0,
            ),
            (
                "tcp({ port: 8080, host: '::', ipv6Only: true })",
                Box::new(is(ListenerKey::Tcp {
                    address: Some(std::net::IpAddr::from(V6).into()),
                    port: 8080,
                    v6only: true,
                    index: 0,
                })),
                0,
            ),
            ("tcp('s')", Box::new(unix(false, false)), 0),
            (
                "tcp({ path: process.cwd() + '/s' })",
                Box::new(unix(false, false)),
                0,
            ),
            (
                "tcp({ path: 's', readableAll: true, writableAll: true })",
                Box::new(unix(true, true)),
                0,
            ),
            (
                "tcp({ path: '\\0a/name' })",
                Box::new(is(ListenerKey::Abstract("a/name".into()))),
                0,
            ),
            ("tcp({ fd: 7 })", Box::new(is(fd(7, false))), 0),
            ("udp('udp4', { fd: 7 })", Box::new(is(fd(7, true))), 0),
            ("udp('udp6', { fd: 7 })", Box::new(is(fd(7, true))), 0),
            (
                "udp('udp4')",
                Box::new(is(udp(Ipv4Addr::UNSPECIFIED.into(), 0))),
                0,
            ),
            (
                "udp('udp4', 8080, '127.0.0.1')",
                Box::new(is(udp(V4.into(), 8080))),
                0,
            ),
            ("udp('udp6', 8080)", Box::new(is(udp(V6.into(), 8080))), 0),
            (
                "udp({ type: 'udp6', ipv6Only: true, reuseAddr: true }, 8080)",
                Box::new(is(ListenerKey::Udp {
                    address: std::net::IpAddr::from(V6).into(),
                    port: 8080,
                    v6only: true,
                    reuse_addr: true,
                    index: 0,
                })),
                0,
            ),
        ];
        if node.major < 22 {
            // Ignored here; later ones bind themselves.
            let form = "tcp({ port: 8080, reusePort: true })";
            forms.push((form, Box::new(is(tcp(None, 8080))), 0));
        }
        let mut worker = Worker::start(node, SCRIPT);
        let directory = worker.until_user_message();
        let directory = directory
            .trim_start_matches(r#"{"cwd":""#)
            .trim_end_matches("\"}");
        for (call, expected, backlog) in &forms {
            worker.send_raw(&format!("{call:?}"), None);
            let query = worker.until_query();
            let mut key = query.listener.unwrap();
            // Counted by Node, not by this test.
            if let ListenerKey::Tcp { index, .. } | ListenerKey::Udp { index, .. } = &mut key {
                *index = 0;
            }
            assert_eq!(key, expected(directory), "{call}");
            assert_eq!(query.backlog, *backlog, "{call}");
        }
    });
}

#[test]
fn listens_on_port_0_are_told_apart_and_others_are_not() {
    const SCRIPT: &str = "
        const net = require('net');
        for (const port of [0, 0, 8080, 8080]) net.createServer().listen(port);
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let keys: Vec<_> = (0..4)
            .map(|_| worker.until_query().listener.unwrap())
            .collect();
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[2], keys[3]);
    });
}
