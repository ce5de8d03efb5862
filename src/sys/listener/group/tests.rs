mod closing;
mod dealing;

use super::super::tests::{WATCHDOG, accept_all, address, listen};
use super::*;
use crate::ports::DEFAULT_BACKLOG;
use crate::sys::alone;
use crate::sys::diag;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn group(address: &str, members: usize) -> Group {
    let mut group = Group::new(listen(address).unwrap(), DEFAULT_BACKLOG).unwrap();
    for _ in 1..members {
        group.add().unwrap();
    }
    group
}

/// Waits for `expected` connections in all queues together, and returns the length of each.
fn queues(group: &Group, expected: u32) -> Vec<u32> {
    let deadline = Instant::now() + WATCHDOG;
    loop {
        let each = group.members().iter();
        let queues: Vec<_> = each.map(|member| member.queue_length().unwrap()).collect();
        if queues.iter().sum::<u32>() == expected {
            return queues;
        }
        assert!(Instant::now() < deadline, "{queues:?}, not {expected}");
        std::thread::yield_now();
    }
}

/// The member that each of these connections reaches; all queues are empty again at the end.
fn receivers(group: &Group, clients: impl IntoIterator<Item = OwnedFd>) -> Vec<usize> {
    let one = |client: OwnedFd| {
        let index = queues(group, 1).iter().position(|queue| *queue == 1);
        let index = index.unwrap();
        assert_eq!(accept_all(&group.members()[index]).len(), 1);
        drop(client);
        index
    };
    clients.into_iter().map(one).collect()
}

fn local_clients(group: &Group, count: usize) -> impl Iterator<Item = OwnedFd> {
    let port = group.address.port();
    (0..count).map(move |_| TcpStream::connect(("127.0.0.1", port)).unwrap().into())
}

/// A connection from one address of this machine to another one.
fn connect_from(source: IpAddr, target: SocketAddr) -> OwnedFd {
    let client = blocking(socket::family(source));
    socket::bind(client.as_fd(), SocketAddr::new(source, 0)).unwrap();
    socket::connect(client.as_fd(), target).unwrap();
    client
}

fn blocking(family: i32) -> OwnedFd {
    let client = socket::open(family, libc::SOCK_STREAM).unwrap();
    let stream = TcpStream::from(client);
    stream.set_nonblocking(false).unwrap();
    stream.into()
}

fn is_in_use<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == io::ErrorKind::AddrInUse
}

#[test]
fn members_share_an_address_and_the_kernel_spreads() {
    for name in ["0", "127.0.0.1:0", "[::1]:0"] {
        let group = group(name, 3);
        for member in group.members() {
            assert_eq!(address(member), group.address);
        }
        let target = group.reachable_addresses()[0];
        let _clients: Vec<_> = (0..60)
            .map(|_| TcpStream::connect(target).unwrap())
            .collect();
        let queues = queues(&group, 60);
        assert!(queues.iter().all(|queue| *queue > 0), "{queues:?}");
    }
}

#[test]
fn no_other_socket_can_share_the_address() {
    let theirs = group("0", 2);
    let port = theirs.address.port();
    assert!(is_in_use(listen(&port.to_string())));
    assert!(is_in_use(listen(&format!("127.0.0.1:{port}"))));

    // The other socket binds the port first, and listens later: the one that listens first gets it.
    let options = [libc::SO_REUSEADDR, libc::SO_REUSEPORT];
    let any = "[::]:0".parse().unwrap();
    let theirs = bind_to(any, false, libc::SOCK_STREAM, &options).unwrap();
    let port = socket::local_address(theirs.as_fd())
        .unwrap()
        .unwrap()
        .port();
    let ours = listen(&port.to_string()).unwrap();
    assert!(is_in_use(socket::listen(theirs.as_fd(), 5)));
    drop(ours);

    // Two at once, each between bind and listen of the other, as two pidones would be.
    let exclusive = [libc::SO_REUSEADDR];
    let bind = |address| bind_to(address, false, libc::SOCK_STREAM, &exclusive).unwrap();
    let one = bind(any);
    let two = bind(socket::local_address(one.as_fd()).unwrap().unwrap());
    socket::listen(one.as_fd(), 5).unwrap();
    let _one = Group::new(one.into(), 5).unwrap();
    assert!(is_in_use(socket::listen(two.as_fd(), 5)));
}

#[test]
fn a_unix_socket_cannot_form_a_group() {
    let name = format!("unix:@pidone-group-{}", std::process::id());
    assert!(Group::new(listen(&name).unwrap(), 5).is_err());
}

#[test]
fn the_index_is_the_order_of_adding() {
    let mut group = group("0", 4);
    for index in 0..4 {
        group.steer(&steering::only(index)).unwrap();
        assert_eq!(receivers(&group, local_clients(&group, 5)), [index; 5]);
    }
    // A member added to a steered group gets nothing.
    group.add().unwrap();
    assert_eq!(receivers(&group, local_clients(&group, 5)), [3; 5]);
    assert_eq!(group.members().len(), 5);
}

#[test]
fn among_spreads_evenly_over_the_named_members() {
    let mut group = group("0", 5);
    group.steer(&steering::among(&[1, 2, 4])).unwrap();
    let clients: Vec<_> = local_clients(&group, 300).collect();
    let queues = queues(&group, 300);
    assert_eq!((queues[0], queues[3]), (0, 0));
    // 100 each; 50 is six standard deviations away.
    assert!(
        queues.iter().all(|queue| *queue == 0 || *queue > 50),
        "{queues:?}"
    );
    drop(clients);
    for member in group.members() {
        accept_all(member);
    }

    group.steer(&steering::among(&[2])).unwrap();
    assert_eq!(receivers(&group, local_clients(&group, 5)), [2; 5]);
    // No member named: the kernel's own choice, which soon reaches every member.
    group.steer(&steering::among(&[])).unwrap();
    let mut seen = receivers(&group, local_clients(&group, 100));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

fn by_source_address(group: &Group, sources: u8) -> Vec<usize> {
    let target = group.reachable_addresses()[0];
    let source = |last| IpAddr::from([127, 0, 3, last]);
    let clients = (1..=sources).map(|last| connect_from(source(last), target));
    receivers(group, clients)
}

#[test]
fn by_source_a_client_keeps_its_member() {
    let mut dual = group("0", 4);
    let program = steering::by_source(&[0, 1, 2, 3].map(Some));
    dual.steer(&program).unwrap();
    let members = by_source_address(&dual, 128);
    for index in 0..4 {
        // 32 each; 12 is four standard deviations away, and the addresses are always the same.
        let clients = members.iter().filter(|member| **member == index).count();
        assert!((13..=51).contains(&clients), "{clients} at {index}");
    }
    assert_eq!(by_source_address(&dual, 128), members);

    // The same address by real IPv4 reaches the same member as by IPv4 on a dual-stack socket.
    let mut ipv4 = group("127.0.0.1:0", 4);
    ipv4.steer(&program).unwrap();
    assert_eq!(by_source_address(&ipv4, 128), members);

    // One member is left out: its clients go to all of the others, and no other client moves.
    for group in [&mut dual, &mut ipv4] {
        group
            .steer(&steering::by_source(&[Some(0), None, Some(2), Some(3)]))
            .unwrap();
        let now = by_source_address(group, 128);
        let mut refuges = Vec::new();
        for (home, now) in members.iter().zip(&now) {
            if *home == 1 {
                refuges.push(*now);
            } else {
                assert_eq!(home, now);
            }
        }
        refuges.sort_unstable();
        refuges.dedup();
        assert_eq!(refuges, [0, 2, 3]);
        assert_eq!(by_source_address(group, 128), now);
    }

    // Two are left out, and then all but one.
    dual.steer(&steering::by_source(&[Some(0), None, None, Some(3)]))
        .unwrap();
    for (home, now) in members.iter().zip(by_source_address(&dual, 128)) {
        assert!(if [0, 3].contains(home) {
            *home == now
        } else {
            now == 0 || now == 3
        });
    }
    // A slot may have any member.
    let other_members = [3, 2, 1, 0].map(Some);
    dual.steer(&steering::by_source(&other_members)).unwrap();
    for (home, now) in members.iter().zip(by_source_address(&dual, 128)) {
        assert_eq!(now, 3 - home);
    }
    dual.steer(&steering::by_source(&[None, None, Some(2), None]))
        .unwrap();
    assert_eq!(by_source_address(&dual, 20), [2; 20]);
}

#[test]
fn by_source_knows_ipv6() {
    let mut dual = group("0", 3);
    dual.steer(&steering::by_source(&[0, 1, 2].map(Some)))
        .unwrap();
    let target = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), dual.address.port());
    let client = || connect_from(Ipv6Addr::LOCALHOST.into(), target);
    let members = receivers(&dual, (0..20).map(|_| client()));
    assert_eq!(members, [members[0]; 20]);
    let others = [0, 1, 2].map(|member| (member != members[0]).then_some(member));
    dual.steer(&steering::by_source(&others)).unwrap();
    let refuges = receivers(&dual, (0..20).map(|_| client()));
    assert_eq!(refuges, [refuges[0]; 20]);
    assert!(others.contains(&Some(refuges[0])));
}

#[test]
fn udp_members_are_steered_too() {
    let mut group = group("udp:127.0.0.1:0", 3);
    assert!(is_in_use(listen(&format!("udp:{}", group.address))));
    assert!(group.close_to_new_connections().is_err());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for index in [2, 0, 1] {
        group.steer(&steering::only(index)).unwrap();
        client.send_to(&[7], group.address).unwrap();
        let member = group.members()[index].as_fd();
        poll::wait_readable(&[member], Some(WATCHDOG)).unwrap();
        let server = UdpSocket::from(member.try_clone_to_owned().unwrap());
        assert_eq!(server.recv(&mut [0; 2]).unwrap(), 1);
    }
    // By source: a client's datagrams stay together, and one program works for both protocols.
    group
        .steer(&steering::by_source(&[0, 1, 2].map(Some)))
        .unwrap();
    for _ in 0..10 {
        client.send_to(&[7], group.address).unwrap();
    }
    let readable = |member: &&Listener| poll::is_readable(member.as_fd());
    assert_eq!(group.members().iter().filter(readable).count(), 1);
}
