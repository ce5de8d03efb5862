//! systemd's journal as the reader of standard error.

use std::env;
use std::os::fd::BorrowedFd;

use nix::sys::stat::fstat;

/// What a line begins with for journald to know its priority (sd-daemon(3)); it removes this.
pub const ERROR: &str = "<3>";
pub const WARNING: &str = "<4>";
pub const INFO: &str = "<6>";
pub const DEBUG: &str = "<7>";

/// Whether standard error is a stream to journald: `JOURNAL_STREAM` names its device and inode, since the variable is
/// also inherited where standard error is not (systemd.exec(5)).
#[must_use]
pub fn is_stderr() -> bool {
    // SAFETY: `entry::begin` has opened it, and pidone never closes it.
    let stderr = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };
    let stream = env::var("JOURNAL_STREAM").unwrap_or_default();
    match (stream.split_once(':'), fstat(stderr)) {
        (Some((device, inode)), Ok(file)) => {
            device.parse() == Ok(file.st_dev) && inode.parse() == Ok(file.st_ino)
        }
        _ => false,
    }
}
