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

/// Starts to connect; the socket becomes writable when there is an answer.
fn source(target: SocketAddr) -> OwnedFd {
    let client = socket::open(socket::family(target.ip()), libc::SOCK_STREAM).unwrap();
    socket::connect(client.as_fd(), target).unwrap();
    client
}

fn is_answered(fd: BorrowedFd<'_>, limit: Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let timeout = PollTimeout::try_from(limit.as_millis()).unwrap();
    poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], timeout).unwrap() > 0
}

fn serve(listener: &Listener) -> usize {
    let connections = accept_all(listener);
    for connection in &connections {
        let mut stream = TcpStream::from(connection.try_clone().unwrap());
        stream.write_all(b"served").unwrap();
    }
    connections.len()
}

/// The host to listen on, the source addresses, and the number of members.
fn closes_to_new_connections(host: &str, clients: &[&str], members: usize) {
    let mut group = group(host, members);
    let port = group.address.port();
    let targets: Vec<_> = clients
        .iter()
        .map(|client| SocketAddr::new(client.parse().unwrap(), port))
        .collect();
    let queued: Vec<_> = (0..20)
        .map(|turn| TcpStream::connect(targets[turn % targets.len()]).unwrap())
        .collect();
    queues(&group, 20);

    let before = diag::connections(group.address).unwrap();
    assert!(group.close_to_new_connections().unwrap());
    // The new ones are pidone's own connections.
    let mut own = diag::connections(group.address).unwrap();
    own.retain(|one| before.iter().all(|other| other.cookie != one.cookie));
    let own: BTreeSet<_> = own.into_iter().map(|one| one.client).collect();
    assert_eq!(own, group.own_connections().collect());
    let new_connections: Vec<_> = targets
        .iter()
        .cycle()
        .take(20)
        .map(|target| source(*target))
        .collect();
    // The kernel has 20 new connections now: on this interface, an accepted connection is
    // established when connect(2) returns. The wait shows that none of them is accepted later.
    for newcomer in &new_connections {
        assert!(!is_answered(newcomer.as_fd(), Duration::from_millis(10)));
    }
    queues(&group, 20);

    let served: usize = group.members().iter().map(serve).sum();
    assert_eq!(served, 20);
    for mut client in queued {
        let mut bytes = [0; 6];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"served");
    }
    // The queues have room now, and still accept no connection.
    let late = source(targets[0]);
    assert!(!is_answered(late.as_fd(), Duration::from_millis(10)));
    queues(&group, 0);
    assert!(is_in_use(group.add()));

    // Once the sockets are closed, the next retry is refused.
    drop(group);
    assert!(is_answered(late.as_fd(), WATCHDOG));
    let error = TcpStream::from(late).take_error().unwrap().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn closed_to_new_connections_on_both_versions_of_ip() {
    closes_to_new_connections("0", &["127.0.0.1", "::1", "127.0.0.2"], 3);
}

#[test]
fn closed_to_new_connections_on_ipv4() {
    closes_to_new_connections("127.0.0.1:0", &["127.0.0.1"], 2);
}

#[test]
fn closed_to_new_connections_on_ipv6() {
    closes_to_new_connections("[::1]:0", &["::1"], 2);
}

#[test]
fn closed_to_new_connections_with_one_member() {
    closes_to_new_connections("0", &["127.0.0.1", "::1"], 1);
}

#[test]
fn closing_to_new_connections_loses_none_under_load() {
    let mut group = group("127.0.0.1:0", 2);
    let target = group.address;
    let before: Vec<_> = (0..50).map(|_| source(target)).collect();
    assert!(group.close_to_new_connections().unwrap());
    // An established connection is in a queue that is served; a blackhole holds only pidone's own.
    let established = before
        .iter()
        .filter(|client| is_answered(client.as_fd(), Duration::from_millis(10)))
        .count();
    assert_eq!(established, 50);
    queues(&group, 50);
}

/// Before there is a second member, new connections cannot be kept from it.
#[test]
fn closing_one_member_keeps_connections_that_arrive_meanwhile() {
    for _ in 0..100 {
        let mut group = group("127.0.0.1:0", 1);
        let target = group.address;
        let over = AtomicBool::new(false);
        let (connected, closing) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let connecting = scope.spawn(|| {
                let mut clients = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    clients.push(source(target));
                    let _ = connected.send(());
                }
                clients
            });
            closing.recv().unwrap();
            assert!(group.close_to_new_connections().unwrap());
            over.store(true, Ordering::Relaxed);
            let clients = connecting.join().unwrap();
            let is_established = |client: &&OwnedFd| is_answered(client.as_fd(), Duration::ZERO);
            let established = clients.iter().filter(is_established).count();
            let queued = group
                .members()
                .iter()
                .map(|member| accept_all(member).len());
            assert_eq!(established, queued.sum::<usize>());
        });
    }
}

const BACKLOG: &str = "/proc/sys/net/ipv4/tcp_max_syn_backlog";

/// As `ip link set lo up`, without a process that would share this one's sockets for a moment
/// (netdevice(7)).
fn bring_loopback_up() -> io::Result<()> {
    let socket = socket::open(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: a plain structure of numbers, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (place, letter) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *letter as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap();
    // SAFETY: the kernel reads one request, which outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Ok(Errno::result(done).map(drop)?)
}

/// Runs a test in a network of its own, where the kernel can be told to answer no new connection.
fn where_silence_is_possible(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let network = scope.spawn(|| {
            let prepare = || {
                // SAFETY: takes numbers only, and concerns this thread only.
                Errno::result(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
                bring_loopback_up()?;
                // With cookies it would answer all.
                fs::write("/proc/sys/net/ipv4/tcp_syncookies", "0")
            };
            match prepare() {
                Ok(()) => test(),
                Err(error) => eprintln!("SKIPPED: no network of its own: {error}"),
            }
        });
        network.join().unwrap();
    });
}

/// No connection is in the queue of connections in progress, and still it has no room
/// (`tcp_conn_request`, net/ipv4/tcp_input.c).
fn answer_no_client() {
    fs::write(BACKLOG, "-4").unwrap();
}

fn answer_clients() {
    fs::write(BACKLOG, "128").unwrap();
}

#[test]
fn while_a_group_is_being_closed_its_members_get_connections() {
    where_silence_is_possible(|| {
        let mut group = group("127.0.0.1:0", 3);
        group.steer(&steering::among(&[0, 2])).unwrap();
        let target = group.address;
        answer_no_client();
        let begun = Instant::now();
        assert!(!group.close_to_new_connections().unwrap());
        assert!(!group.continue_closing().unwrap());
        assert!(begun.elapsed() < Duration::from_millis(500), "it waits");
        let own: Vec<_> = group.own_connections().collect();
        assert_eq!(own.len(), 1);
        assert!(is_in_use(group.add()));

        answer_clients();
        let clients: Vec<_> = (0..20).map(|_| source(target)).collect();
        assert_eq!(queues(&group, 20).get(1), Some(&0));
        // The kernel repeats pidone's own packet after a second.
        poll::wait_readable(&[group.closing().unwrap()], Some(WATCHDOG)).unwrap();
        assert!(group.continue_closing().unwrap());
        assert!(group.closing().is_none());
        let late = source(target);
        assert!(!is_answered(late.as_fd(), Duration::from_millis(10)));
        let served: usize = group.members().iter().map(serve).sum();
        assert_eq!(served, clients.len());
    });
}

#[test]
fn a_group_that_is_kept_open_gets_connections_as_before() {
    where_silence_is_possible(|| {
        for members in [1, 3] {
            let mut group = group("127.0.0.1:0", members);
            let last = members - 1;
            if members > 1 {
                group.steer(&steering::only(last)).unwrap();
            }
            answer_no_client();
            assert!(!group.close_to_new_connections().unwrap());
            group.keep_open();
            answer_clients();
            assert_eq!(group.own_connections().count(), 0);
            let _clients: Vec<_> = local_clients(&group, 20).collect();
            assert_eq!(queues(&group, 20).get(last), Some(&20));
            group.add().unwrap();
        }
    });
}

/// Except for a moment that cannot be avoided: the kernel empties the last socket's queue while
/// another processor may be checking it for room (`inet_csk_listen_stop`,
/// net/ipv4/inet_connection_sock.c).
#[test]
fn no_connection_is_accepted_while_sockets_are_closed() {
    if !alone::is_alone() {
        return;
    }
    const ROUNDS: usize = 100;
    let mut reset = 0;
    for round in 0..ROUNDS {
        let mut group = group("127.0.0.1:0", [1, 2, 16][round % 3]);
        let target = group.address;
        assert!(group.close_to_new_connections().unwrap());
        let (connected, closing) = std::sync::mpsc::channel();
        let connecting = std::thread::spawn(move || {
            let (mut refused, mut reset) = (0, 0);
            while refused < 10 {
                let client = TcpStream::from(source(target));
                let error = client.take_error().unwrap();
                match error.map(|error| error.kind()) {
                    Some(io::ErrorKind::ConnectionRefused) => refused += 1,
                    Some(io::ErrorKind::ConnectionReset) => reset += 1,
                    // No answer so far, or established.
                    None => assert!(client.peer_addr().is_err(), "connected"),
                    other => panic!("{other:?}"),
                }
                let _ = connected.send(());
            }
            reset
        });
        closing.recv().unwrap();
        drop(group);
        reset += connecting.join().unwrap();
    }
    assert!(reset <= 2, "{reset} in {ROUNDS} rounds");
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
