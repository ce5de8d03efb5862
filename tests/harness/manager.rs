//! A service manager's end of sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::{TempDir, patience};

/// Stands in for the manager.
pub struct Manager {
    pub socket: UnixDatagram,
    /// The value for `NOTIFY_SOCKET`.
    pub name: String,
    _directory: TempDir,
}

impl Manager {
    pub fn new() -> Self {
        let directory = TempDir::new();
        let path = directory.path("notify");
        let name = path.display().to_string();
        Self::at(UnixDatagram::bind(&path).unwrap(), name, directory)
    }

    /// At an abstract address (unix(7)), which has no file.
    pub fn abstract_one() -> Self {
        let directory = TempDir::new();
        let name = directory.path("notify").display().to_string();
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        Self::at(socket, format!("@{name}"), directory)
    }

    fn at(socket: UnixDatagram, name: String, directory: TempDir) -> Self {
        socket.set_read_timeout(Some(patience())).unwrap();
        Self {
            socket,
            name,
            _directory: directory,
        }
    }

    /// Reads on until this assignment is there; returns the lines of the last message.
    #[track_caller]
    pub fn until(&self, wanted: &str) -> Vec<String> {
        loop {
            let lines = self.next(wanted);
            if lines.iter().any(|line| line == wanted) {
                return lines;
            }
        }
    }

    /// The lines of the next message.
    #[track_caller]
    pub fn next(&self, wanted: &str) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes);
        let length = length.unwrap_or_else(|error| panic!("waited for {wanted}: {error}"));
        let text = str::from_utf8(&bytes[..length]).unwrap();
        text.lines().map(String::from).collect()
    }
}
