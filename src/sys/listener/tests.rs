use super::*;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longer than any correct run takes.
pub(super) const WATCHDOG: Duration = Duration::from_secs(30);

pub(super) fn listen(address: &str) -> io::Result<Listener> {
    Listener::bind(&address.parse().unwrap(), BindOptions::default())
}

pub(super) fn address(listener: &Listener) -> SocketAddr {
    listener.local_address().unwrap().unwrap()
}

/// All connections in the queue; the caller knows that they are there.
pub(super) fn accept_all(listener: &Listener) -> Vec<OwnedFd> {
    std::iter::from_fn(|| listener.accept().unwrap()).collect()
}

/// Waits for a connection.
fn accept(listener: &Listener) -> OwnedFd {
    crate::sys::poll::wait_readable(&[listener.as_fd()], Some(WATCHDOG)).unwrap();
    listener.accept().unwrap().expect("no connection in time")
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Option<Errno> {
    result.unwrap_err().raw_os_error().map(Errno::from_raw)
}

fn flags(fd: BorrowedFd<'_>) -> (bool, bool) {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let descriptor = FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).unwrap());
    let file = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap());
    (
        descriptor.contains(FdFlag::FD_CLOEXEC),
        file.contains(OFlag::O_NONBLOCK),
    )
}

#[test]
fn a_port_alone_binds_both_versions_of_ip() {
    let listener = listen("0").unwrap();
    let port = address(&listener).port();
    assert_ne!(port, 0);
    assert_eq!(flags(listener.as_fd()), (true, true));
    assert!(listener.accept().unwrap().is_none());
    for host in ["127.0.0.1", "::1"] {
        let ip: IpAddr = host.parse().unwrap();
        let mut client = TcpStream::connect((ip, port)).unwrap();
        let accepted = accept(&listener);
        assert_eq!(flags(accepted.as_fd()), (true, true));
        let mut server = TcpStream::from(accepted);
        server.set_nonblocking(false).unwrap();
        client.write_all(b"hello").unwrap();
        let mut bytes = [0; 5];
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
    }
}

#[test]
fn ipv6_only_leaves_ipv4_to_others() {
    let only_v6 = |port| {
        ListenAddress::Tcp(Endpoint {
            host: Host::V6 {
                scope: 0,
                address: Ipv6Addr::UNSPECIFIED,
                only: true,
            },
            port,
        })
    };
    let ipv4 = listen("0.0.0.0:0").unwrap();
    let port = address(&ipv4).port();
    let ipv6 = Listener::bind(&only_v6(port), BindOptions::default()).unwrap();
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    accept(&ipv4);
    let _client = TcpStream::connect(("::1", port)).unwrap();
    accept(&ipv6);
    // And `[::]` binds both.
    assert_eq!(
        errno(listen(&format!("[::]:{port}"))),
        Some(Errno::EADDRINUSE)
    );
}

#[test]
fn an_address_in_use_is_an_error_and_a_lingering_one_is_not() {
    let first = listen("127.0.0.1:0").unwrap();
    let address = address(&first);
    assert_eq!(errno(listen(&address.to_string())), Some(Errno::EADDRINUSE));
    let port = address.port();
    assert_eq!(errno(listen(&port.to_string())), Some(Errno::EADDRINUSE));
    // The side that closes first leaves the connection in TIME_WAIT, on the listener's port.
    let mut client = TcpStream::connect(address).unwrap();
    drop(accept(&first));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, first));
    listen(&address.to_string()).unwrap();
}

#[test]
fn the_queue_is_counted() {
    let listener = listen("127.0.0.1:0").unwrap();
    assert_eq!(listener.queue_length().unwrap(), 0);
    let _clients: Vec<_> = (0..7)
        .map(|_| TcpStream::connect(address(&listener)).unwrap())
        .collect();
    accept(&listener);
    while listener.queue_length().unwrap() < 6 {
        std::thread::yield_now();
    }
    assert_eq!(listener.queue_length().unwrap(), 6);
    assert_eq!(accept_all(&listener).len(), 6);
    assert_eq!(listener.queue_length().unwrap(), 0);
    let udp = listen("udp:127.0.0.1:0").unwrap();
    assert!(udp.queue_length().is_err());
}

#[test]
fn udp_receives_and_shares_its_address_only_on_request() {
    let socket = listen("udp:127.0.0.1:0").unwrap();
    let address = address(&socket);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"ping", address).unwrap();
    crate::sys::poll::wait_readable(&[socket.as_fd()], Some(WATCHDOG)).unwrap();
    let server = UdpSocket::from(socket.socket);
    let mut bytes = [0; 8];
    assert_eq!(server.recv(&mut bytes).unwrap(), 4);

    let name = format!("udp:{address}").parse().unwrap();
    let bind = |reuse_address| {
        let options = BindOptions {
            reuse_address,
            ..BindOptions::default()
        };
        Listener::bind(&name, options)
    };
    assert_eq!(errno(bind(true)), Some(Errno::EADDRINUSE));
    drop(server);
    let _both = [bind(true).unwrap(), bind(true).unwrap()];
    assert_eq!(errno(bind(false)), Some(Errno::EADDRINUSE));
}

/// A new directory, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pidone-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn unix(&self, options: BindOptions) -> io::Result<Listener> {
        let name = UnixName::Path(self.socket().into_os_string().into_vec());
        Listener::bind(&ListenAddress::Unix(name), options)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("app.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_unix_socket_creates_and_removes_its_file() {
    let directory = Directory::new("unix");
    let options = BindOptions {
        readable_all: true,
        writable_all: true,
        ..BindOptions::default()
    };
    let listener = directory.unix(options).unwrap();
    assert_eq!(flags(listener.as_fd()), (true, true));
    assert_eq!(listener.local_address().unwrap(), None);
    let mode = fs::metadata(directory.socket()).unwrap().mode();
    assert_eq!(mode & 0o666, 0o666);
    let _client = UnixStream::connect(directory.socket()).unwrap();
    accept(&listener);
    drop(listener);
    assert!(!directory.socket().exists());
}

#[test]
fn only_an_unused_socket_file_is_replaced() {
    let directory = Directory::new("stale");
    // The file of a server that was killed.
    drop(UnixListener::bind(directory.socket()).unwrap());
    assert!(directory.socket().exists());
    let listener = directory.unix(BindOptions::default()).unwrap();

    // A live socket stays, and gets no connection.
    let second = directory.unix(BindOptions::default());
    assert_eq!(errno(second), Some(Errno::EADDRINUSE));
    assert!(listener.accept().unwrap().is_none());

    // Another process's socket is not ours to remove, nor is a plain file.
    fs::remove_file(directory.socket()).unwrap();
    fs::write(directory.socket(), "precious").unwrap();
    drop(listener);
    let third = directory.unix(BindOptions::default());
    assert_eq!(errno(third), Some(Errno::EADDRINUSE));
    assert_eq!(fs::read(directory.socket()).unwrap(), b"precious");
}

#[test]
fn an_abstract_name_has_no_file() {
    let name = format!("pidone-test-{}", std::process::id());
    let listener = listen(&format!("unix:@{name}")).unwrap();
    let address = UnixAddress::from_abstract_name(&name).unwrap();
    let _client = UnixStream::connect_addr(&address).unwrap();
    accept(&listener);
    assert!(!Path::new(&name).exists());
}
