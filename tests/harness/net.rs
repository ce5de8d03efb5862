//! Ports, and the connections of processes.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self as unix, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, listen,
    recv, send, setsockopt, socket, sockopt,
};

use super::patience;

/// A free port. Below those that the kernel gives to clients, so that no client takes it before the
/// test does.
pub fn fresh_port() -> u16 {
    fresh_ports(1)
}

/// The first of this many free ports in a row.
pub fn fresh_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const RANGE: u16 = 20_000;
    // Test programs that run at the same time begin at another port.
    let start = u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        // With a gap behind: an app may listen on the next ports too.
        let step = NEXT.fetch_add(count + 8, Ordering::Relaxed);
        let port = FIRST + (start + step) % RANGE;
        let used = used_ports();
        if (port..port + count).all(|port| !used.contains(&port)) {
            return port;
        }
    }
}

/// A port that can only be bound with privileges, or with a sysctl.
pub fn fresh_port_below_1024() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 100).unwrap() * 3;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 600 + (start + step) % 400;
        if !used_ports().contains(&port) {
            return port;
        }
    }
}

/// The local ports of all sockets, by the tables of proc(5). To bind one and see would take it away: what another thread
/// starts in that moment has a copy of the socket until it executes its program, and that can be long on a busy machine.
fn used_ports() -> HashSet<u16> {
    let mut used = HashSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        // No table, no such sockets: a kernel without IPv6.
        let table = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        used.extend(table.lines().skip(1).map(|line| {
            let local = line.split_whitespace().nth(1).unwrap();
            let (_, port) = local.rsplit_once(':').unwrap();
            u16::from_str_radix(port, 16).unwrap()
        }));
    }
    used
}

/// Connections are this process's descriptors, and on a slow machine many are open at a time.
pub fn raise_descriptor_limit() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = most.min(65_536);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most).unwrap();
    assert!(wanted > 2500, "ulimit -n: {wanted}");
}

/// A listener on this port with SO_REUSEPORT.
pub fn shared_listener(port: u16) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    setsockopt(&fd, sockopt::ReusePort, &true).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).unwrap();
    listen(&fd, Backlog::new(16).unwrap()).unwrap();
    fd
}

/// A connection with a time limit.
#[track_caller]
pub fn connect(address: impl Into<SocketAddr>) -> TcpStream {
    let address = address.into();
    // connect(2) is the one call that the standard library does not repeat after an interruption.
    let stream = loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => break other.unwrap(),
        }
    };
    stream.set_read_timeout(Some(patience())).unwrap();
    stream
}

/// The same to a UNIX socket.
#[track_caller]
pub fn connect_unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    stream
}

/// The same to an abstract name (unix(7), "abstract").
#[track_caller]
pub fn connect_abstract(name: &str) -> UnixStream {
    let address = unix::SocketAddr::from_abstract_name(name).unwrap();
    let stream = UnixStream::connect_addr(&address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    stream
}

/// Sends a datagram, and waits for the reply.
#[track_caller]
pub fn echo(address: impl Into<SocketAddr>, text: &str) -> String {
    let address = address.into();
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    socket.send_to(text.as_bytes(), address).unwrap();
    let mut answer = [0; 1024];
    let length = loop {
        match socket.recv(&mut answer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => break other.unwrap(),
        }
    };
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// The client's ports of all connections that a process has accepted on this port.
///
/// From its descriptors and sock_diag(7): /proc/net/tcp takes 250 ms when thousands of connections
/// are in TIME_WAIT.
pub fn accepted(pid: i32, port: u16) -> HashSet<u16> {
    let mut inodes = HashSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
    {
        let link = entry.and_then(|entry| fs::read_link(entry.path()));
        let link = link.unwrap_or_default().to_string_lossy().into_owned();
        let inode = link
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(inode.and_then(|inode| inode.parse::<u32>().ok()));
    }
    let families = [libc::AF_INET, libc::AF_INET6];
    let all = families
        .iter()
        .flat_map(|family| connections(u8::try_from(*family).unwrap(), port));
    all.filter(|(inode, _)| inodes.contains(inode))
        .map(|(_, peer)| peer)
        .collect()
}

/// Inode and remote port of each connection of this local port in one of these states
/// (linux/inet_diag.h).
fn connections(family: u8, port: u16) -> Vec<(u32, u16)> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const REQUEST_DUMP: u16 = 0x301;
    const DONE: u16 = 3;
    const TCP: u8 = 6;
    const HEADER: usize = 16;
    // TCP_ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING (net/tcp_states.h).
    let states: u32 = [1, 4, 5, 8, 9, 11].iter().map(|state| 1 << state).sum();

    let mut request = vec![family, TCP, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend(port.to_be_bytes());
    request.resize(56, 0);
    let mut message = u32::try_from(HEADER + request.len())
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(REQUEST_DUMP.to_ne_bytes());
    message.resize(HEADER, 0);
    message.extend(request);

    let protocol = SockProtocol::NetlinkSockDiag;
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    );
    let kernel = kernel.unwrap();
    send(kernel.as_raw_fd(), &message, MsgFlags::empty()).unwrap();
    let mut found = Vec::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let read = recv(kernel.as_raw_fd(), &mut block, MsgFlags::empty()).unwrap();
        let mut rest = &block[..read];
        while rest.len() >= HEADER {
            let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
            match u16::from_ne_bytes([rest[4], rest[5]]) {
                SOCK_DIAG_BY_FAMILY => {
                    // inet_diag_msg: four bytes, inet_diag_sockid of 48, four words, the inode.
                    let peer = u16::from_be_bytes([rest[HEADER + 6], rest[HEADER + 7]]);
                    found.push((word(HEADER + 68), peer));
                }
                DONE => return found,
                other => panic!("sock_diag answers with message {other}"),
            }
            let length = usize::try_from(word(0)).unwrap().next_multiple_of(4);
            rest = &rest[length.min(rest.len())..];
        }
    }
}
