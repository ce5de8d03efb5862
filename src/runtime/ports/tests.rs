use super::*;
use crate::address::{Endpoint, Host, ListenAddress};
use crate::channel::cluster::HandleKind;
use crate::channel::query::ListenerKey;
use crate::channel::query::Query;
use crate::runtime::sources::Sources;
use crate::sys::activation::Inherited;
use crate::sys::alone;
use crate::sys::poll;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const WATCHDOG: Duration = Duration::from_secs(30);
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A temporary directory, removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pidone-ports-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Ports for so many slots.
fn ports(balance: Balance, slots: usize) -> Ports {
    let mut ports = Ports::new(balance, BindRights::Own);
    ports.ensure_members(slots * Member::PER_SLOT).unwrap();
    ports
}

fn open(ports: &mut Ports, addresses: &[&str]) -> Result<(), String> {
    let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    ports
        .open(Balance::ReusePort, &addresses, Vec::new())
        .map_err(|error| error.to_string())
}

/// On an idle machine that is done at once.
fn close(ports: &mut Ports) {
    ports.close_to_new_connections(&Sources::default(), Moment::ZERO);
    assert!(!ports.are_closing());
}

fn members(slots: &[Option<usize>]) -> Vec<Option<Member>> {
    slots.iter().map(|member| member.map(Member)).collect()
}

fn tcp(address: Option<IpAddr>, port: u16) -> ListenerKey {
    let (v6only, index) = (false, 0);
    let address = address.map(Into::into);
    ListenerKey::Tcp {
        address,
        port,
        v6only,
        index,
    }
}

fn at(address: &str, port: u16) -> ListenerKey {
    tcp(Some(address.parse().unwrap()), port)
}

fn unix(path: &str) -> ListenerKey {
    let (readable_all, writable_all) = (false, false);
    ListenerKey::Unix {
        path: path.to_owned(),
        readable_all,
        writable_all,
    }
}

fn udp(port: u16) -> ListenerKey {
    ListenerKey::Udp {
        address: HOME.into(),
        port,
        v6only: false,
        reuse_addr: false,
        index: 0,
    }
}

/// Parses a query from a worker's line, and replaces its listener.
fn query(listener: ListenerKey, data: &str) -> Query {
    use crate::channel::{cluster::FromWorker, frame::Line};
    let line = format!(
        r#"{{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"seq":1,"data":{data},"address":null,"port":0,"addressType":4}}"#
    );
    let FromWorker::Query(query) = FromWorker::parse(Line::Whole(line.as_bytes())) else {
        panic!("{line}");
    };
    Query {
        listener: Ok(listener),
        ..query
    }
}

fn ask(ports: &mut Ports, worker: u32, member: usize, key: &ListenerKey) -> Answer {
    let query = query(key.clone(), "null");
    ports.query(WorkerId(worker), Member(member), &query)
}

/// The port and the socket for a worker.
fn get(ports: &mut Ports, worker: u32, member: usize, key: &ListenerKey) -> (PortId, Listener) {
    match ask(ports, worker, member, key) {
        Answer::Listener { port, handle, .. } => (port, handle.into()),
        other => panic!("{key:?}: {other:?}"),
    }
}

fn refused(answer: Answer) -> i32 {
    match answer {
        Answer::Failure(errno) => errno,
        other => panic!("{other:?}"),
    }
}

fn number(listener: &Listener) -> u16 {
    listener.local_address().unwrap().unwrap().port()
}

/// A port that no process listens on now. Nor does the probe: a process that another test forks in this moment has a copy
/// of it until it executes its program, and one that is only bound, with this option, keeps nobody from the port.
fn free_port() -> u16 {
    let flags = SockFlag::SOCK_CLOEXEC;
    let probe = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    setsockopt(&probe, sockopt::ReuseAddr, &true).unwrap();
    bind(probe.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    getsockname::<SockaddrIn>(probe.as_raw_fd()).unwrap().port()
}

/// Opens `count` connections, and counts how many each socket gets.
fn accepted_connections(sockets: &[&Listener], count: usize) -> Vec<usize> {
    let port = number(sockets[0]);
    let clients: Vec<_> = (0..count)
        .map(|_| TcpStream::connect((HOME, port)).unwrap())
        .collect();
    let deadline = Instant::now() + WATCHDOG;
    let mut arrived = vec![0; sockets.len()];
    while arrived.iter().sum::<usize>() < count {
        for (socket, arrived) in sockets.iter().zip(&mut arrived) {
            *arrived += std::iter::from_fn(|| socket.accept().unwrap()).count();
        }
        assert!(Instant::now() < deadline, "{arrived:?}, not {count}");
    }
    drop(clients);
    arrived
}

fn is_refused(port: u16) -> bool {
    let error = TcpStream::connect((HOME, port)).err();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A process that another test is about to start has a copy of the socket, until it runs its program.
fn until_refused(port: u16) {
    let deadline = Instant::now() + WATCHDOG;
    while !is_refused(port) {
        assert!(Instant::now() < deadline, "{port} is still open");
    }
}

mod opening;

#[test]
fn each_member_has_its_own_socket_on_one_port() {
    let mut ports = ports(Balance::ReusePort, 2);
    let (id, zero) = get(&mut ports, 1, 0, &tcp(None, 0));
    let (same, two) = get(&mut ports, 2, 2, &tcp(None, 0));
    assert_eq!((id, number(&zero)), (same, number(&two)));
    ports.serve(&members(&[Some(0), Some(2)]));
    let arrived = accepted_connections(&[&zero, &two], 100);
    assert!(arrived.iter().all(|count| *count > 20), "{arrived:?}");

    // The successor in slot 0 listens, then serves, and gets all connections of the old worker.
    let (_, one) = get(&mut ports, 3, 1, &tcp(None, 0));
    assert_eq!(accepted_connections(&[&zero, &two, &one], 40)[2], 0);
    ports.serve(&members(&[Some(1), None]));
    assert_eq!(accepted_connections(&[&zero, &two, &one], 20), [0, 0, 20]);
    // No worker serves: nothing changes.
    ports.serve(&members(&[None, None]));
    assert_eq!(accepted_connections(&[&zero, &two, &one], 20), [0, 0, 20]);
}

#[test]
fn unix_udp_and_shared_ports_have_one_socket_for_all() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let name = format!("pidone-ports-{}", std::process::id());
    let mut shared = ports(Balance::Shared, 2);
    let (_, zero) = get(&mut shared, 1, 0, &tcp(None, 0));
    let (_, three) = get(&mut shared, 2, 3, &tcp(None, 0));
    let _client = TcpStream::connect((HOME, number(&zero))).unwrap();
    assert_eq!(zero.queue_length().unwrap(), 1);
    assert_eq!(three.queue_length().unwrap(), 1);

    let mut group = ports(Balance::ReusePort, 2);
    for key in [unix(&path), ListenerKey::Abstract(name.clone())] {
        let (one, _) = get(&mut group, 1, 0, &key);
        let (other, socket) = get(&mut group, 2, 3, &key);
        assert_eq!(one, other);
        let _client = match &key {
            ListenerKey::Unix { path, .. } => UnixStream::connect(path).unwrap(),
            _ => {
                use std::os::linux::net::SocketAddrExt;
                let address = std::os::unix::net::SocketAddr::from_abstract_name(&name);
                UnixStream::connect_addr(&address.unwrap()).unwrap()
            }
        };
        assert!(group.waiting(None) && !group.waiting(Some(Member(0))));
        assert!(socket.accept().unwrap().is_some());
        assert!(!group.waiting(None));
    }
    match ask(&mut group, 1, 0, &udp(0)) {
        Answer::Listener { kind, handle, .. } => {
            assert_eq!(kind, HandleKind::Datagram);
            let socket = UdpSocket::from(handle);
            let client = UdpSocket::bind((HOME, 0)).unwrap();
            client.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            assert!(!group.waiting(None), "a datagram is no connection");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pidone_accepts_round_robin_connections() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = ports(Balance::RoundRobin, 2);
    let answer = ask(&mut ports, 1, 0, &tcp(None, 0));
    let Answer::RoundRobin {
        port,
        address: Some(address),
        ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert!(ports.accept(port, Member(0)).unwrap().is_none());
    let _client = TcpStream::connect((HOME, address.port())).unwrap();
    assert!(ports.accept(port, Member(0)).unwrap().is_some());

    let answer = ask(&mut ports, 1, 0, &unix(&path));
    assert!(matches!(answer, Answer::RoundRobin { address: None, .. }));
    // Datagrams cannot be accepted.
    let answer = ask(&mut ports, 1, 0, &udp(0));
    assert!(matches!(answer, Answer::Listener { .. }));
}

#[test]
fn a_port_without_holders_stays_open_until_close_unheld() {
    let directory = Directory::new();
    let path = directory.path("app.sock");
    let mut ports = ports(Balance::ReusePort, 2);
    let (id, socket) = get(&mut ports, 1, 0, &tcp(None, 0));
    let number = number(&socket);
    get(&mut ports, 2, 2, &tcp(None, 0));
    drop(socket);
    ports.closed(id, WorkerId(1));
    ports.close_unheld();
    drop(TcpStream::connect((HOME, number)).unwrap());

    // The last worker exits with a connection in its queue: its successor gets the connection.
    let mut client = TcpStream::connect((HOME, number)).unwrap();
    ports.forget(WorkerId(2));
    let (same, socket) = get(&mut ports, 3, 2, &tcp(None, 0));
    assert_eq!(same, id);
    while let Some(accepted) = socket.accept().unwrap() {
        let _ = TcpStream::from(accepted).write_all(b"x");
    }
    assert_eq!(client.read(&mut [0]).unwrap(), 1);

    drop(socket);
    ports.closed(id, WorkerId(3));
    drop(TcpStream::connect((HOME, number)).unwrap());
    ports.close_unheld();
    until_refused(number);
    assert!(!ports.contains(id));

    let (id, socket) = get(&mut ports, 1, 0, &unix(&path));
    drop(socket);
    assert!(fs::exists(&path).unwrap());
    ports.closed(id, WorkerId(1));
    assert!(fs::exists(&path).unwrap());
    ports.close_unheld();
    assert!(!fs::exists(&path).unwrap());
}

#[test]
fn a_connection_in_an_exited_workers_queue_can_be_accepted() {
    let mut ports = ports(Balance::ReusePort, 2);
    let (id, _zero) = get(&mut ports, 1, 0, &tcp(None, 0));
    let (_, two) = get(&mut ports, 2, 2, &tcp(None, 0));
    ports.serve(&members(&[Some(0), None]));
    let _client = TcpStream::connect((HOME, number(&two))).unwrap();
    ports.forget(WorkerId(1));
    ports.serve(&members(&[None, Some(2)]));
    assert!(ports.waiting(Some(Member(0))) && ports.waiting(None));
    assert!(!ports.waiting(Some(Member(2))));
    assert_eq!(ports.queue(Member(0)), Some(1));
    let orphaned_queues = ports.orphaned_queues(|_| true, &[WorkerId(2)]);
    let is_zero = |queue: &&(PortId, Member, _)| (queue.0, queue.1) == (id, Member(0));
    let (_, _, queue) = orphaned_queues.iter().find(is_zero).unwrap();
    assert!(poll::is_readable(*queue));
    assert!(ports.accept(id, Member(0)).unwrap().is_some());
    assert!(!ports.waiting(None));
    assert_eq!(accepted_connections(&[&two], 10), [10]);
}

#[test]
fn closing_rejects_new_connections_and_keeps_the_waiting_ones() {
    if !alone::is_alone() {
        return;
    }
    for balance in [
        Balance::ReusePort,
        Balance::SourceIp,
        Balance::Shared,
        Balance::RoundRobin,
    ] {
        let directory = Directory::new();
        let path = directory.path("app.sock");
        let mut ports = ports(balance, 1);
        open(&mut ports, &["127.0.0.1:0", &format!("unix:{path}")]).unwrap();
        ports.serve(&members(&[Some(0)]));
        let ids: Vec<_> = ports.registry.passed_on().collect();
        let [tcp_id, unix_id] = ids[..] else { panic!() };
        let address = ports.sockets.get(tcp_id).unwrap().local_address().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let _local = UnixStream::connect(&path).unwrap();
        close(&mut ports);
        let limit = Duration::from_millis(50);
        let late = TcpStream::connect_timeout(&address, limit);
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(UnixStream::connect(&path).is_err());
        // Steering does not admit new connections again.
        ports.serve(&members(&[Some(1)]));
        ports.ensure_members(4).unwrap();
        let late = TcpStream::connect_timeout(&address, limit);
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        for id in [tcp_id, unix_id] {
            assert!(ports.waiting(None));
            assert!(ports.accept(id, Member(0)).unwrap().is_some());
        }
        assert!(!ports.waiting(None));
        // Known ports can still be used, and no new ones opened.
        ask(&mut ports, 1, 0, &at("127.0.0.1", address.port()));
        assert_eq!(refused(ask(&mut ports, 1, 0, &tcp(None, 0))), 108);
        drop(ports);
        until_refused(address.port());
    }
}
