//! A group that is closed to new connections.

use super::*;

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
                fs::write("/proc/sys/net/ipv4/tcp_syncookies", "0")?;
                // It would answer a peer whose round-trip time it has saved (`tcp_peer_is_proven`,
                // net/ipv4/tcp_metrics.c).
                fs::write("/proc/sys/net/ipv4/tcp_no_metrics_save", "1")
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
