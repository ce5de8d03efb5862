//! A client's connection, and the request on it.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use nix::errno::Errno;

use super::super::http::Response;

/// A request without a response so far.
pub struct Flight {
    pub number: u64,
    pub asked: Instant,
    pub path: String,
    pub out: Vec<u8>,
    pub sent: usize,
    pub response: Response,
}

pub struct Connection {
    pub stream: TcpStream,
    pub from: SocketAddr,
    pub established: bool,
    /// The number of responses on this connection.
    pub answered: u32,
    pub flight: Option<Flight>,
    /// Whether epoll watches it for room to write.
    pub watches_room: bool,
    /// Why connect(2) failed at once.
    pub stillborn: Option<Errno>,
}

impl Connection {
    pub fn unsent(&self) -> bool {
        let flight = self.flight.as_ref();
        flight.is_some_and(|flight| flight.sent < flight.out.len())
    }

    pub fn send(&mut self) -> std::io::Result<()> {
        let Some(flight) = &mut self.flight else {
            return Ok(());
        };
        while let Some(rest) = flight
            .out
            .get(flight.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match self.stream.write(rest) {
                Ok(written) => flight.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
