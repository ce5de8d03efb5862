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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::{Interest, PollSet};
    use std::fs;
    use std::process::Command;
    use std::time::Duration;

    fn is_readable(watch: &WriteWatch) -> bool {
        let mut set = PollSet::default();
        set.set(0, watch.as_fd(), Interest::Read);
        set.wait(Some(Duration::ZERO)).unwrap()
    }

    #[test]
    fn a_write_is_reported_until_it_is_drained() {
        let file = std::env::temp_dir().join(format!("pidone-watch-{}", std::process::id()));
        fs::write(&file, "1").unwrap();
        let watch = WriteWatch::of(std::slice::from_ref(&file)).unwrap();
        assert!(!is_readable(&watch));
        for _ in 0..2 {
            for value in 0..100 {
                fs::write(&file, value.to_string()).unwrap();
            }
            assert!(is_readable(&watch));
            watch.drain();
            assert!(!is_readable(&watch));
        }
        fs::remove_file(&file).unwrap();
        assert!(WriteWatch::of(&[file]).is_err());
    }

    /// As the container's manager writes, in another namespace: to the same hierarchy of version 2.
    #[test]
    fn a_write_through_another_mount_of_version_2_is_reported() {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut mounts = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let Some(mount) = mounts.find(|fields| fields[2] == "cgroup2") else {
            return eprintln!("skipped: no cgroup version 2 here");
        };
        let name = format!("pidone-watch-{}", std::process::id());
        let group = PathBuf::from(mount[1]).join(&name);
        if fs::create_dir(&group).is_err() {
            return eprintln!("skipped: no right to make a cgroup here");
        }
        // Every group has this file, whatever controllers there are.
        let watch = WriteWatch::of(&[group.join("cgroup.max.depth")]).unwrap();
        let script = "mount -t cgroup2 none /mnt && echo 5 >/mnt/$0/cgroup.max.depth";
        let status = Command::new("unshare")
            .args(["--mount", "--", "sh", "-c", script, &name])
            .status();
        let is_reported = is_readable(&watch);
        fs::remove_dir(&group).unwrap();
        if status.is_ok_and(|status| status.success()) {
            assert!(is_reported);
        } else {
            eprintln!("skipped: no right to mount here");
        }
    }
}
