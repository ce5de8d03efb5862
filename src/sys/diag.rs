//! The kernel's information about the connections to a port (sock_diag(7)), which needs no
//! privileges.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use libc::{AF_NETLINK, NETLINK_SOCK_DIAG, NLM_F_DUMP, NLM_F_REQUEST, SOCK_RAW};
use nix::errno::Errno;

use super::socket;
use crate::ports::{Connection, Cookie};

/// With more connections than this, the kernel would need milliseconds for the answer.
const LIMIT: usize = 1000;

/// linux/sock_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// linux/inet_diag.h: the attribute with `struct tcp_info`; the request sets the bit before it.
const INET_DIAG_INFO: u16 = 2;
/// The bits of `TCP_ESTABLISHED`, `TCP_SYN_RECV` and `TCP_CLOSE_WAIT` (net/tcp_states.h).
const STATES: u32 = 1 << 1 | 1 << 3 | 1 << 8;
/// Where `struct nlmsghdr` and `struct inet_diag_msg` end, and in them the fields that are read.
const HEADER: usize = 16;
const MESSAGE: usize = HEADER + 72;
const CLIENT_PORT: usize = HEADER + 6;
const CLIENT: usize = HEADER + 24;
const COOKIE: usize = HEADER + 44;
const UNREAD: usize = HEADER + 56;
/// `tcpi_last_data_recv`, in milliseconds, and `tcpi_bytes_received` in `struct tcp_info`
/// (linux/tcp.h; Linux 4.1).
const LAST_RECEIVED: usize = 52;
const RECEIVED: usize = 128;

/// The connections to a TCP port of this machine.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] if the kernel does not answer; `E2BIG` for over a thousand
/// connections to the port; `EMFILE`.
pub fn connections(port: SocketAddr) -> io::Result<Vec<Connection>> {
    dump(port).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::EPROTONOSUPPORT) => io::ErrorKind::Unsupported.into(),
        _ => error,
    })
}

fn dump(port: SocketAddr) -> io::Result<Vec<Connection>> {
    let socket = socket::open_as(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)?;
    let request = request(port);
    // SAFETY: the kernel reads exactly the bytes of the slice.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    Errno::result(sent)?;
    let mut answer = vec![0; 16 << 10];
    let mut seen = Seen::default();
    loop {
        // MSG_TRUNC: returns the real length, even if it is longer.
        // SAFETY: the kernel writes at most the bytes of the slice.
        let length = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                answer.as_mut_ptr().cast(),
                answer.len(),
                libc::MSG_TRUNC,
            )
        };
        let length = usize::try_from(Errno::result(length)?).unwrap_or_default();
        let part = answer.get(..length).ok_or(Errno::EMSGSIZE)?;
        if seen.read(part)? {
            return Ok(seen.connections);
        }
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`: a dump of the port's connections.
fn request(port: SocketAddr) -> Vec<u8> {
    let family = u8::try_from(socket::family(port.ip())).unwrap_or_default();
    let protocol = u8::try_from(libc::IPPROTO_TCP).unwrap_or_default();
    let flags = u16::try_from(NLM_F_REQUEST | NLM_F_DUMP).unwrap_or_default();
    let mut request = Vec::with_capacity(HEADER + 56);
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, protocol, 1 << (INET_DIAG_INFO - 1), 0]);
    request.extend(STATES.to_ne_bytes());
    // Of the connection to look for, only this end's port is set.
    request.extend(port.port().to_be_bytes());
    request.resize(HEADER + 56, 0);
    request
}

/// The part of the answer that was read.
#[derive(Debug, Default)]
struct Seen {
    connections: Vec<Connection>,
}

impl Seen {
    /// Reads the messages of one packet; returns whether the last one was among them.
    fn read(&mut self, mut packet: &[u8]) -> Result<bool, Errno> {
        loop {
            let (Some(length), Some(kind)) = (word(packet, 0), half(packet, 4)) else {
                return Ok(false);
            };
            let length = usize::try_from(length).unwrap_or_default();
            let message = packet.get(..length).filter(|it| it.len() >= HEADER);
            let message = message.ok_or(Errno::EBADMSG)?;
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(true),
                libc::NLMSG_ERROR => {
                    let errno = word(message, HEADER).unwrap_or_default().cast_signed();
                    return Err(Errno::from_raw(errno.wrapping_neg()));
                }
                _ => self.connection(message)?,
            }
            packet = packet.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    fn connection(&mut self, message: &[u8]) -> Result<(), Errno> {
        if self.connections.len() >= LIMIT {
            return Err(Errno::E2BIG);
        }
        let fields = (
            word(message, COOKIE),
            word(message, COOKIE + 4),
            word(message, UNREAD),
        );
        let (Some(low), Some(high), Some(unread)) = fields else {
            return Err(Errno::EBADMSG);
        };
        let client = client(message).ok_or(Errno::EBADMSG)?;
        // A connection during its handshake has no such information.
        let info = attribute(message, INET_DIAG_INFO);
        let received = info.and_then(|info| long(info, RECEIVED));
        let silent = info.and_then(|info| word(info, LAST_RECEIVED));
        self.connections.push(Connection {
            cookie: Cookie([low, high]),
            client,
            is_unheard: received.is_none_or(|bytes| bytes <= u64::from(unread)),
            silent: Duration::from_millis(silent.unwrap_or_default().into()),
        });
        Ok(())
    }
}

/// `struct inet_diag_sockid`: port and address are in network byte order.
fn client(message: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(*message.get(HEADER)?);
    let port = u16::from_be_bytes(*message.get(CLIENT_PORT..)?.first_chunk()?);
    let address = message.get(CLIENT..)?;
    let ip: IpAddr = if family == libc::AF_INET6 {
        Ipv6Addr::from(*address.first_chunk::<16>()?).to_canonical()
    } else {
        Ipv4Addr::from(*address.first_chunk::<4>()?).into()
    };
    Some(SocketAddr::new(ip, port))
}

/// The attribute of this kind behind the fields (`struct rtattr`, rtnetlink(7)).
fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(MESSAGE..)?;
    loop {
        let length = usize::from(half(rest, 0)?);
        let kind = half(rest, 2)?;
        if kind == wanted {
            return rest.get(4..length);
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv6Addr, TcpListener, TcpStream};
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn listener(at: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn unread(port: SocketAddr) -> io::Result<Vec<Cookie>> {
        let connections = connections(port)?.into_iter();
        let unread = connections.filter(|connection| connection.is_unheard);
        Ok(unread.map(|connection| connection.cookie).collect())
    }

    #[test]
    fn idle_time_counts_from_the_last_byte() {
        let (listener, port) = listener("127.0.0.1:0");
        let mut client = TcpStream::connect(port).unwrap();
        let _server = listener.accept().unwrap();
        let silent = || connections(port).unwrap()[0].silent;
        let begin = Instant::now();
        while silent() < Duration::from_millis(40) {
            assert!(begin.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(5));
        }
        let before = begin.elapsed();
        client.write_all(b"1").unwrap();
        let after = silent();
        assert!(after <= begin.elapsed() - before + Duration::from_millis(10));
    }

    #[test]
    fn a_client_is_unread_until_its_data_is_read() {
        for at in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let (listener, port) = listener(at);
            assert_eq!(unread(port).unwrap(), [], "{at}");
            let target = if port.ip() == Ipv6Addr::UNSPECIFIED {
                // A dual-stack socket reports IPv4 as IPv6.
                SocketAddr::from(([127, 0, 0, 1], port.port()))
            } else {
                port
            };
            let mut client = TcpStream::connect(target).unwrap();
            let queued = unread(port).unwrap();
            assert_eq!(queued.len(), 1, "{at}");
            let own = client.local_addr().unwrap();
            assert_eq!(connections(port).unwrap()[0].client, own, "{at}");
            let (mut server, _) = listener.accept().unwrap();
            assert_eq!(unread(port).unwrap(), queued, "{at}: accepted");
            client.write_all(b"12").unwrap();
            assert_eq!(unread(port).unwrap(), queued, "{at}: sent");
            server.read_exact(&mut [0]).unwrap();
            assert_eq!(unread(port).unwrap(), [], "{at}: read");
        }
    }

    #[test]
    fn cookies_are_unique_and_too_many_connections_an_error() {
        let (listener, port) = listener("127.0.0.1:0");
        let mut ends = Vec::new();
        while ends.len() < LIMIT {
            let client = TcpStream::connect(port).unwrap();
            ends.push((client, listener.accept().unwrap().0));
        }
        let names = unread(port).unwrap();
        assert_eq!(names.len(), LIMIT);
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name));
        }
        ends.push((
            TcpStream::connect(port).unwrap(),
            listener.accept().unwrap().0,
        ));
        assert_eq!(unread(port).unwrap_err().raw_os_error(), Some(libc::E2BIG));
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error() {
        let mut seen = Seen::default();
        let message = |length: u32, kind: u16, rest: &[u8]| {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(rest);
            bytes
        };
        assert_eq!(seen.read(&[]), Ok(false));
        assert_eq!(seen.read(&message(16, 3, &[])), Ok(true));
        let refused = message(20, 2, &(-libc::ENOENT).to_ne_bytes());
        assert_eq!(seen.read(&refused), Err(Errno::ENOENT));
        for (length, kind) in [(0, 20), (15, 20), (17, 20), (u32::MAX, 20), (16, 20)] {
            assert_eq!(seen.read(&message(length, kind, &[])), Err(Errno::EBADMSG));
        }
        // An attribute without an end.
        let mut endless = vec![0; MESSAGE - HEADER];
        endless.extend([0, 0, 9, 0]);
        assert_eq!(seen.read(&message(92, 20, &endless)), Ok(false));
        let connections = seen.connections.iter();
        let cookies: Vec<_> = connections.map(|one| one.cookie).collect();
        assert_eq!(cookies, [Cookie([0, 0])]);
    }
}
