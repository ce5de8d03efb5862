//! Watches files for writes (inotify(7)).
//!
//! A write to a file of a control group is seen whatever mount, and whatever namespace, it came
//! through: all mounts of a hierarchy share their inodes (kernfs_get_tree() in the kernel's
//! fs/kernfs/mount.c).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;

/// Readable when one of its files was written to.
#[derive(Debug)]
pub struct WriteWatch(OwnedFd);

impl WriteWatch {
    /// Watches these files.
    ///
    /// # Errors
    /// Those of inotify_init1(2) and inotify_add_watch(2): the user has too many instances
    /// (`EMFILE`) or watches (`ENOSPC`).
    pub fn of(files: &[PathBuf]) -> io::Result<Self> {
        // SAFETY: takes flags only.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        let fd = Errno::result(fd)?;
        // SAFETY: the kernel has just opened the descriptor, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        for file in files {
            let path = CString::new(file.as_os_str().as_bytes())?;
            // SAFETY: the path ends with a zero byte and outlives the call.
            let watch =
                unsafe { libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) };
            Errno::result(watch)?;
        }
        Ok(Self(fd))
    }

    /// Reads and drops what has been reported.
    pub fn drain(&self) {
        // An event takes 16 bytes when it is that of a file and not of one in a directory.
        let mut events = [0_u8; 512];
        while nix::unistd::read(&self.0, &mut events).is_ok_and(|read| read > 0) {}
    }
}

impl AsFd for WriteWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
