//! The service manager of pidone itself: systemd, and other programs with its protocol
//! (sd_notify(3), sd_watchdog_enabled(3)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    /// From `NOTIFY_SOCKET`; `None`: there is no manager.
    ///
    /// # Errors
    /// The name is not a valid UNIX socket address.
    pub fn find() -> io::Result<Option<Self>> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let address = match name.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            Some((b'/', _)) => SocketAddr::from_pathname(&name)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket, address }))
    }

    /// Sends it a message; drops it if the manager does not read.
    ///
    /// # Errors
    /// Those of sendto(2).
    pub fn notify(&self, message: &str) -> io::Result<()> {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        sent.map(drop)
    }
}

/// The watchdog's period: pidone must send a message at least this often; `None`: no watchdog.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let number = |name| env::var_os(name).as_deref().and_then(number);
    let is_ours = match env::var_os("WATCHDOG_PID") {
        Some(_) => number("WATCHDOG_PID") == Some(std::process::id().into()),
        None => true,
    };
    let period = number("WATCHDOG_USEC").filter(|period| *period > 0 && is_ours);
    period.map(Duration::from_micros)
}

fn number(text: &OsStr) -> Option<u64> {
    text.to_str()?.parse().ok()
}

/// The time by `CLOCK_MONOTONIC`, as `RELOADING=1` requires.
#[must_use]
pub fn monotonic() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one timespec. This clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}
