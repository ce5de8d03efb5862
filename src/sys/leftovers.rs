//! The processes that are still there when the child is gone.
//!
//! For PID 1 that is everybody else in the container; otherwise it is pidone's descendants, who as
//! orphans become its children (`PR_SET_CHILD_SUBREAPER`, prctl(2)).

use std::collections::BinaryHeap;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::signal::{Target, exists, send};
use crate::signal::Signal;

/// Whether pidone is the init of its PID namespace.
#[must_use]
pub fn is_init() -> bool {
    std::process::id() == 1
}

/// Signals them all. Those that this user may not signal are left out.
pub fn signal(signal: Signal) {
    if is_init() {
        let _ = send(Target::Everyone, signal);
    } else {
        for pid in descendants() {
            let _ = send(Target::Process(pid), signal);
        }
    }
}

/// Whether there is anybody besides pidone and its children: people who came in by `docker exec`.
#[must_use]
pub fn strangers_exist() -> bool {
    is_init() && exists(Target::Everyone)
}

/// A descriptor for each stranger, readable when that process has ended (pidfd_open(2)): nothing
/// else tells, as they are not our children. Empty where the kernel or /proc cannot say.
#[must_use]
pub fn watch_strangers() -> Vec<OwnedFd> {
    if !is_init() {
        return Vec::new();
    }
    let parents = parents();
    let strangers = parents
        .iter()
        .filter(|(pid, parent)| *pid != 1 && *parent == 0);
    strangers
        .filter_map(|(pid, _)| open_pidfd(*pid).ok())
        .collect()
}

fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Everybody below pidone, found through /proc.
fn descendants() -> Vec<i32> {
    // By parent, so that the children of one are found at once. Of the ways to sort, the one with the
    // least code.
    let children = parents().into_iter().map(|(pid, parent)| (parent, pid));
    let children = children.collect::<BinaryHeap<_>>().into_sorted_vec();
    let mut family: Vec<i32> = i32::try_from(std::process::id()).into_iter().collect();
    // Those that are found are looked at in turn.
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let first = children.partition_point(|(its_parent, _)| *its_parent < parent);
        let own = children.iter().skip(first);
        let own = own.take_while(|(its_parent, _)| *its_parent == parent);
        family.extend(own.map(|(_, pid)| *pid));
        next += 1;
    }
    family.split_off(family.len().min(1))
}

/// Each process with its parent.
fn parents() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| Some((pid, parent(&fs::read(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

/// The parent in a line of /proc/PID/stat: the second field after the name, which stands in
/// parentheses and may hold anything, parentheses too (proc(5)).
fn parent(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent(b"7 (node) S 1 7 7 0"), Some(1));
        assert_eq!(parent(b"7 (a) S 9 (b)) R 42 7 7 0"), Some(42));
        assert_eq!(parent(b"7 (node"), None);
        assert_eq!(parent(b""), None);
    }
}
