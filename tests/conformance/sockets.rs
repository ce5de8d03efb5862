//! Listeners and clients.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::harness::patience;
use crate::primary::Handle;

/// A listener on a port of the kernel's choice, ready to be handed over; and its address.
pub fn listener() -> (Handle, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (Rc::new(OwnedFd::from(listener)), address)
}

pub fn udp_socket() -> (Handle, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    (Rc::new(OwnedFd::from(socket)), address)
}

/// A client's end and a server's end of a TCP connection.
pub fn connection() -> (TcpStream, Handle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connect(listener.local_addr().unwrap());
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    (client, Rc::new(OwnedFd::from(server)))
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    stream
}

/// Sends a request; the answer is to be read later.
pub fn ask(stream: &mut impl Write) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
}

/// Everything up to the end of the connection.
pub fn answer(stream: &mut impl Read) -> String {
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => text,
        Err(error) => format!("{text}{error}"),
    }
}

/// Asks, and checks that the answer is a good one.
#[track_caller]
pub fn is_served(address: SocketAddr) {
    let mut stream = connect(address);
    ask(&mut stream);
    is_answered(&mut stream);
}

#[track_caller]
pub fn is_answered(stream: &mut impl Read) {
    let text = answer(stream);
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text:?}");
}

/// No more will be sent.
pub fn hang_up(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}
