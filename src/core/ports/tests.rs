//! Which worker may have which port, and the errors for the others.

mod queues;
mod service;
mod steer;

use super::*;
use crate::channel::cluster::{FromWorker, HandleKind};
use crate::channel::frame::Line;
use crate::channel::query::{Data, ListenerKey};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

fn registry(balance: Balance) -> Registry {
    Registry::new(balance, BindRights::Own, b"/app".into())
}

/// A named port with this many members.
fn named(registry: &mut Registry, address: &str, members: usize) -> PortId {
    let address = address.parse().unwrap();
    let is_group = registry.is_for_group(&address);
    let port = registry.insert(Origin::Named, address, is_group);
    grow(registry, port, members);
    port
}

fn grow(registry: &mut Registry, port: PortId, members: usize) {
    while registry.lacks_members(port, members) {
        registry.grown(port);
    }
}

fn tcp(address: &str, port: u16) -> ListenerKey {
    ListenerKey::Tcp {
        address: (address != "*").then(|| address.parse().unwrap()),
        port,
        v6only: false,
        index: 0,
    }
}

fn unix(path: &str) -> ListenerKey {
    ListenerKey::Unix {
        path: path.to_owned(),
        readable_all: false,
        writable_all: false,
    }
}

fn udp(port: u16, reuse_addr: bool) -> ListenerKey {
    ListenerKey::Udp {
        address: "127.0.0.1".parse().unwrap(),
        port,
        v6only: false,
        reuse_addr,
        index: 0,
    }
}

fn fd(number: i32, is_udp: bool) -> ListenerKey {
    ListenerKey::Fd { number, is_udp }
}

fn data(json: &str) -> Data {
    let line = format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"data":{json}}}"#);
    match FromWorker::parse(Line::Whole(line.as_bytes())) {
        FromWorker::Query(query) => query.data,
        other => panic!("{other:?}"),
    }
}

/// As the runtime does it, with four members; the kernel permits every bind.
fn listen(
    registry: &mut Registry,
    worker: u32,
    member: usize,
    key: &ListenerKey,
) -> Result<PortId, i32> {
    let (worker, wanted) = (WorkerId(worker), Wanted::new(key, 0, 0));
    let port = match registry.find(&wanted)? {
        Some(port) => {
            registry.may_listen(port, worker, &wanted)?;
            port
        }
        None => {
            let address = wanted.address().unwrap();
            registry.may_open(address)?;
            let is_group = registry.is_for_group(address);
            let port = registry.insert(wanted.origin(), address.clone(), is_group);
            grow(registry, port, 4);
            port
        }
    };
    registry.handout(port, worker)?;
    registry.hold(port, (worker, Member(member)), &wanted, &data("null"));
    Ok(port)
}

#[test]
fn a_named_port_serves_every_query_for_it() {
    let mut ports = registry(Balance::ReusePort);
    let addresses = ["8080", "127.0.0.1:81", "udp:127.0.0.1:53", "unix:app.sock"];
    let named = addresses.map(|address| named(&mut ports, address, 2));
    for (worker, address) in ["*", "0.0.0.0", "::"].iter().enumerate() {
        let worker = u32::try_from(worker).unwrap() + 1;
        let port = listen(&mut ports, worker, 0, &tcp(address, 8080));
        assert_eq!(port, Ok(named[0]), "{address}");
    }
    assert_eq!(
        listen(&mut ports, 1, 0, &tcp("127.0.0.1", 81)),
        Ok(named[1])
    );
    assert_eq!(listen(&mut ports, 1, 0, &udp(53, false)), Ok(named[2]));
    assert_eq!(
        listen(&mut ports, 1, 0, &unix("/app/app.sock")),
        Ok(named[3])
    );
    // As in Node.js: one address does not equal all addresses.
    for (address, port) in [("*", 81), ("127.0.0.1", 8080)] {
        let wanted = Wanted::new(&tcp(address, port), 0, 0);
        assert_eq!(ports.find(&wanted), Ok(None), "{address}:{port}");
    }
    for (place, port) in named.iter().enumerate() {
        let (descriptor, is_udp) = (i32::try_from(place).unwrap() + 3, place == 2);
        let key = fd(descriptor, is_udp);
        assert_eq!(listen(&mut ports, 1, 0, &key), Ok(*port));
        // A server gets no datagram socket, and the reverse.
        assert_eq!(listen(&mut ports, 1, 0, &fd(descriptor, !is_udp)), Err(22));
    }
    for descriptor in [0, 2, 7, i32::MAX, i32::MIN] {
        assert_eq!(listen(&mut ports, 1, 0, &fd(descriptor, false)), Err(22));
    }
    // They stay open without holders.
    for worker in 1..4 {
        ports.forget(WorkerId(worker));
    }
    assert_eq!(ports.close_unheld(), []);
    assert_eq!(ports.ids().collect::<Vec<_>>(), named);
}

#[test]
fn workers_of_another_user_get_only_what_they_could_bind() {
    let rights = BindRights::Less { ports_from: 1024 };
    let mut ports = Registry::new(Balance::ReusePort, rights, b"/".into());
    named(&mut ports, "unix:/named.sock", 2);
    for key in [
        tcp("*", 80),
        tcp("*", 1023),
        udp(53, false),
        unix("/mine.sock"),
        ListenerKey::Abstract("pidone".into()),
    ] {
        assert_eq!(listen(&mut ports, 1, 0, &key), Err(13), "{key:?}");
    }
    for key in [
        unix("/named.sock"),
        tcp("*", 0),
        tcp("*", 1024),
        udp(0, false),
    ] {
        assert!(listen(&mut ports, 1, 0, &key).is_ok(), "{key:?}");
    }
    assert!(!ports.may_create_files());
}

#[test]
fn a_worker_gets_an_address_once_until_it_closes_it() {
    for balance in [Balance::ReusePort, Balance::RoundRobin] {
        let mut ports = registry(balance);
        for key in [
            tcp("*", 80),
            udp(81, false),
            unix("/app.sock"),
            ListenerKey::Abstract("app".into()),
        ] {
            let port = listen(&mut ports, 1, 0, &key).unwrap();
            assert_eq!(listen(&mut ports, 1, 0, &key), Err(98), "{key:?}");
            assert_eq!(listen(&mut ports, 2, 2, &key), Ok(port));
            ports.closed(port, WorkerId(1));
            assert_eq!(listen(&mut ports, 1, 0, &key), Ok(port));
        }
        // Port 0 may be asked for twice, and datagram sockets may be shared on request.
        for key in [tcp("*", 0), udp(82, true)] {
            let port = listen(&mut ports, 3, 1, &key);
            assert_eq!(listen(&mut ports, 3, 1, &key), port);
        }
    }
}

/// `--listen 8080` serves both listens of an app that names each IP version.
#[test]
fn a_worker_can_listen_on_each_ip_version_separately() {
    let mut ports = registry(Balance::ReusePort);
    let port = named(&mut ports, "8080", 2);
    let v6 = ListenerKey::Tcp {
        address: Some("::".parse().unwrap()),
        port: 8080,
        v6only: true,
        index: 0,
    };
    for key in [tcp("0.0.0.0", 8080), v6] {
        assert_eq!(listen(&mut ports, 1, 0, &key), Ok(port));
        assert_eq!(listen(&mut ports, 1, 0, &key), Err(98));
    }
    assert_eq!(listen(&mut ports, 1, 0, &tcp("*", 8080)), Err(98));
}

#[test]
fn the_number_of_ports_and_listens_is_limited() {
    let mut ports = registry(Balance::Shared);
    let key = |index| match tcp("*", 0) {
        ListenerKey::Tcp { address, port, .. } => ListenerKey::Tcp {
            address,
            port,
            v6only: false,
            index,
        },
        other => other,
    };
    named(&mut ports, "8080", 2);
    let first = listen(&mut ports, 1, 0, &key(0)).unwrap();
    for index in 1..64 {
        listen(&mut ports, 1, 0, &key(index)).unwrap();
    }
    assert_eq!(listen(&mut ports, 1, 0, &key(64)), Err(24));
    for _ in 1..64 {
        assert_eq!(listen(&mut ports, 1, 0, &key(0)), Ok(first));
    }
    assert_eq!(listen(&mut ports, 1, 0, &key(0)), Err(24));
    assert_eq!(listen(&mut ports, 2, 0, &key(0)), Ok(first));
    // The oldest one without a holder makes room, as when an app opens another second port each
    // time and exits soon.
    ports.forget(WorkerId(1));
    for index in 64..200 {
        listen(&mut ports, index, 0, &key(index)).unwrap();
        ports.forget(WorkerId(index));
        assert_eq!(ports.ids().count(), 65);
    }
    assert_eq!(ports.close_unheld().len(), 63);
    assert_eq!(ports.ids().nth(1), Some(first));
}

#[test]
fn all_workers_get_the_first_workers_session_keys() {
    let mut ports = registry(Balance::ReusePort);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    let wanted = Wanted::new(&tcp("*", 0), 0, 0);
    let mut reply = |worker, json| {
        let holder = (WorkerId(worker), Member(0));
        let reply = ports.hold(port, holder, &wanted, &data(json));
        reply.as_json().to_owned()
    };
    assert_eq!(reply(1, "null"), "null");
    assert_eq!(reply(1, r#"{"ticketKeys":"a"}"#), r#"{"ticketKeys":"a"}"#);
    assert_eq!(reply(2, r#"{"ticketKeys":"b"}"#), r#"{"ticketKeys":"a"}"#);
    assert_eq!(reply(2, "null"), "null");
    assert_eq!(
        ports.reached_by(Some(WorkerId(2))).next(),
        Some((port, true))
    );
}

#[test]
fn round_robin_hands_out_connections_but_no_datagrams() {
    for (balance, stream) in [
        (Balance::ReusePort, Some(HandleKind::Stream)),
        (Balance::Shared, Some(HandleKind::Stream)),
        (Balance::RoundRobin, None),
    ] {
        let mut ports = registry(balance);
        for (key, handout) in [
            (tcp("*", 0), stream),
            (unix("/app.sock"), stream),
            (udp(0, false), Some(HandleKind::Datagram)),
        ] {
            let port = listen(&mut ports, 1, 0, &key).unwrap();
            assert_eq!(ports.handout(port, WorkerId(1)), Ok(handout), "{key:?}");
        }
    }
}

#[test]
fn a_closed_registry_keeps_its_ports_and_opens_no_others() {
    let mut ports = registry(Balance::ReusePort);
    let inherited = "unix:/inherited.sock".parse().unwrap();
    ports.insert(Origin::Inherited, inherited, false);
    let port = named(&mut ports, "8080", 2);
    assert!(ports.may_create_files());
    assert_eq!(ports.close(), [port]);
    assert!(!ports.may_create_files());
    assert_eq!(listen(&mut ports, 1, 0, &tcp("*", 8080)), Ok(port));
    assert_eq!(listen(&mut ports, 1, 0, &tcp("*", 0)), Err(108));
    assert_eq!(ports.close(), []);
}

/// New code listens on another form of the address.
#[test]
fn only_ports_without_a_holder_make_room_for_another() {
    for (old, new) in [
        ("*", "0.0.0.0"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "::"),
    ] {
        let mut ports = registry(Balance::ReusePort);
        let port = listen(&mut ports, 1, 0, &tcp(old, 80)).unwrap();
        let new = Wanted::new(&tcp(new, 80), 0, 0);
        let elsewhere = Wanted::new(&tcp("127.0.0.1", 81), 0, 0);
        let mut occupant = |wanted: &Wanted| ports.occupant(wanted.address().unwrap());
        assert_eq!(occupant(&new), Occupant::Other);
        ports.forget(WorkerId(1));
        let mut occupant = |wanted: &Wanted| ports.occupant(wanted.address().unwrap());
        assert_eq!(occupant(&elsewhere), Occupant::Other);
        assert_eq!(occupant(&new), Occupant::Unheld([port].into()));
        assert_eq!(ports.ids().count(), 0);
    }
}

#[test]
fn a_port_the_kernel_chose_can_be_queried_by_number() {
    let mut ports = registry(Balance::ReusePort);
    let wanted = Wanted::new(&tcp("*", 0), 0, 0);
    let chosen = "[::]:40000".parse().unwrap();
    let port = ports.insert(wanted.origin(), chosen, true);
    for worker in [1, 2] {
        assert_eq!(ports.find(&wanted), Ok(Some(port)));
        ports.hold(port, (WorkerId(worker), Member(0)), &wanted, &data("null"));
    }
    ports.closed(port, WorkerId(1));
    let occupant = |ports: &mut Registry, address: &str| {
        let wanted = Wanted::new(&tcp(address, 40000), 0, 0);
        ports.occupant(wanted.address().unwrap())
    };
    assert_eq!(occupant(&mut ports, "*"), Occupant::Same(port));
    assert_eq!(occupant(&mut ports, "127.0.0.1"), Occupant::Other);
}

#[test]
fn a_released_worker_keeps_only_named_and_shared_ports() {
    let mut ports = registry(Balance::ReusePort);
    named(&mut ports, "80", 2);
    let keys = [tcp("*", 80), tcp("*", 81), tcp("*", 82)];
    let [named, common, alone] = keys
        .clone()
        .map(|key| listen(&mut ports, 1, 0, &key).unwrap());
    listen(&mut ports, 2, 2, &keys[1]).unwrap();
    assert_eq!(ports.release(WorkerId(1)), [alone]);
    assert_eq!(ports.ids().collect::<Vec<_>>(), [named, common]);
    let holders = [named, common].map(|port| ports.holders(port).collect::<Vec<_>>());
    let [one, two] = [(WorkerId(1), Member(0)), (WorkerId(2), Member(2))];
    assert_eq!(holders, [[one], [two]]);
}

#[test]
fn only_ports_that_no_worker_has_closed_count_as_abandoned() {
    let mut ports = registry(Balance::ReusePort);
    let twice = tcp("*", 0);
    let port = listen(&mut ports, 1, 0, &twice).unwrap();
    listen(&mut ports, 1, 0, &twice).unwrap();
    let abandoned = listen(&mut ports, 1, 0, &tcp("*", 80)).unwrap();
    // It has listened twice, so it must close twice.
    ports.closed(port, WorkerId(1));
    assert_eq!(ports.close_unheld(), []);
    ports.closed(port, WorkerId(1));
    ports.closed(port, WorkerId(1));
    ports.forget(WorkerId(1));
    let closed = ports.close_unheld();
    let closed = closed.iter().map(|port| (port.id, port.was_abandoned));
    assert_eq!(
        closed.collect::<Vec<_>>(),
        [(port, false), (abandoned, true)]
    );
    assert_eq!(ports.address(port), None);
    // Another query for port 0 gets a new port.
    assert_ne!(listen(&mut ports, 1, 0, &twice), Ok(port));
}
