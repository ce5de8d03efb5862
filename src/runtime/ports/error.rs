//! Why pidone cannot listen on an address of `--listen`: one sentence.

use std::fmt;
use std::io;

use crate::address::{ListenAddress, UnixName};
use crate::cause::Cause;
use crate::errno;

/// An address of `--listen`, and why it failed.
#[derive(Debug)]
pub struct OpenError {
    /// The address.
    pub address: ListenAddress,
    /// The error of binding it; `None`: it is named twice.
    pub cause: Option<io::Error>,
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        let Some(cause) = &self.cause else {
            return write!(out, "--listen {address}: is given twice; leave one out");
        };
        write!(out, "--listen {address}: ")?;
        match (cause.raw_os_error().unwrap_or_default(), address) {
            (errno::EADDRINUSE, ListenAddress::Unix(UnixName::Path(_))) => out.write_str(
                "the path is in use: by a program that listens there, or by a file that is not a socket; stop that program, remove the file, or choose another path",
            ),
            (errno::EADDRINUSE, ListenAddress::Unix(_)) => out.write_str(
                "another program listens there already; stop it, or choose another name",
            ),
            (errno::EADDRINUSE, _) => out.write_str(
                "another program listens there already; stop it, or choose another port",
            ),
            (errno::EACCES, ListenAddress::Unix(_)) => out.write_str(
                "pidone has no permission to create a file there; choose a directory that it can write to",
            ),
            (errno::EACCES, _) => out.write_str(
                "only root may bind a port below 1024; start pidone as root (and the workers as another user, with --user), give it CAP_NET_BIND_SERVICE, or choose a port from 1024 up",
            ),
            (errno::ENOENT | errno::ENOTDIR, _) => {
                out.write_str("no such directory; create it, or choose another path")
            }
            (errno::EADDRNOTAVAIL, _) => out.write_str(
                "this machine has no such address; choose one that it has, or * for all",
            ),
            (errno::EAFNOSUPPORT, _) => out.write_str(
                "this machine has no IPv6; choose an IPv4 address, or * for all",
            ),
            (errno::EMFILE, _) => {
                out.write_str("too many descriptors are open; raise the limit (ulimit -n)")
            }
            _ => write!(
                out,
                "cannot listen there: {}; choose another address",
                Cause(cause)
            ),
        }
    }
}
