//! The processes that are left when the child has exited.
//!
//! For PID 1 these are all other processes in the container; otherwise they are pidone's
//! descendants, which become its children when they are orphaned (`PR_SET_CHILD_SUBREAPER`,
//! prctl(2)).

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

/// Signals all of them, except those that this user may not signal.
pub fn signal(signal: Signal) {
    if is_init() {
        let _ = send(Target::Everyone, signal);
    } else {
        for process in descendants() {
            let _ = send(Target::Process(process.pid), signal);
        }
    }
}

/// SIGHUP to those that have a terminal, as when it closes: an interactive shell ignores SIGTERM
/// (bash(1), SIGNALS). Then SIGCONT to all, since a stopped process acts on no signal but SIGKILL.
pub fn hang_up() {
    for process in others().filter(|process| process.terminal != 0) {
        let _ = send(Target::Process(process.pid), Signal::HUP);
    }
    signal(Signal::CONT);
}

/// Their names: `bash (pid 42), sleep (pid 43)`. Empty without /proc.
#[must_use]
pub fn names() -> String {
    names_of(others())
}

/// The names of the processes in a process group.
#[must_use]
pub fn names_in_group(group: i32) -> String {
    let members = all_processes().into_iter();
    names_of(members.filter(|process| process.group == group && !process.has_ended))
}

/// All running processes except pidone itself; outside a container, only its descendants.
fn others() -> impl Iterator<Item = Process> {
    let others = if is_init() {
        all_processes()
    } else {
        descendants()
    };
    others
        .into_iter()
        .filter(|process| process.pid != 1 && !process.has_ended)
}

/// The first few names, and how many more there are.
fn names_of(processes: impl Iterator<Item = Process>) -> String {
    const MOST: usize = 5;
    let mut text = String::new();
    let mut more = 0;
    for (index, process) in processes.enumerate() {
        if index >= MOST {
            more += 1;
            continue;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("{} (pid {})", name(process.pid), process.pid));
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The name that a program was started with.
fn name(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let file = program.rsplit(|byte| *byte == b'/').next();
    let file = file.unwrap_or_default();
    // A login shell's name begins with a dash.
    let file = file.strip_prefix(b"-").unwrap_or(file);
    let name: String = String::from_utf8_lossy(file).chars().take(32).collect();
    if name.is_empty() {
        "a process".to_owned()
    } else {
        name
    }
}

/// Whether there are processes other than pidone and its children, such as those of `docker exec`.
#[must_use]
pub fn foreign_exist() -> bool {
    is_init() && exists(Target::Everyone)
}

/// Processes that joined the container and are not our children.
#[derive(Debug, Default)]
pub struct ForeignProcesses {
    /// A descriptor for each, readable when that process has exited (pidfd_open(2)). There is no
    /// other notification, as they are not our children.
    pub watched: Vec<OwnedFd>,
    /// Some exist whose exit cannot be watched: before Linux 5.3, under a seccomp profile that
    /// rejects the call, or without /proc.
    pub unwatched: bool,
}

impl ForeignProcesses {
    /// Finds those that exist now.
    #[must_use]
    pub fn find() -> Self {
        let mut found = Self::default();
        if !foreign_exist() {
            return found;
        }
        let processes = all_processes();
        found.unwatched = processes.is_empty();
        for process in processes {
            if process.pid == 1 || process.parent != 0 || process.has_ended {
                continue;
            }
            match open_pidfd(process.pid) {
                Ok(fd) => found.watched.push(fd),
                Err(Errno::ESRCH) => {}
                Err(_) => found.unwatched = true,
            }
        }
        found
    }
}

fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor; no other code owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// All descendants of pidone, found through /proc.
fn descendants() -> Vec<Process> {
    // Sorted by parent, so that a process's children are found at once. This sort has the least
    // code.
    let children = all_processes().into_iter().collect::<BinaryHeap<_>>();
    let children = children.into_sorted_vec();
    let mut parents: Vec<i32> = i32::try_from(std::process::id()).into_iter().collect();
    let mut family = Vec::new();
    // The processes found so far are visited in turn.
    let mut next = 0;
    while let Some(parent) = parents.get(next).copied() {
        let first = children.partition_point(|process| process.parent < parent);
        let own = children.iter().skip(first);
        for process in own.take_while(|process| process.parent == parent) {
            parents.push(process.pid);
            family.push(*process);
        }
        next += 1;
    }
    family
}

/// A process, from /proc/PID/stat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    // First, so that this orders them.
    parent: i32,
    pid: i32,
    group: i32,
    /// The device number of its terminal; 0: none.
    terminal: i32,
    /// It is a zombie or dead.
    has_ended: bool,
}

fn all_processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| Process::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

impl Process {
    /// Parses a line of /proc/PID/stat. Its fields count from after the name, which is in
    /// parentheses and may contain anything, parentheses included (proc_pid_stat(5)).
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // Skips its session.
        let terminal = fields.nth(1)?.parse().ok()?;
        Some(Self {
            parent,
            pid,
            group,
            terminal,
            has_ended: matches!(state, "Z" | "X"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let parse = |stat: &[u8]| Process::parse(7, stat);
        let parsed = parse(b"7 (a) S 9 (b)) Z 42 8 9 34816 -1").unwrap();
        let expected = Process {
            parent: 42,
            pid: 7,
            group: 8,
            terminal: 34816,
            has_ended: true,
        };
        assert_eq!(parsed, expected);
        let parsed = parse(b"7 (node) S 1 7 7 0 -1").unwrap();
        assert!(!parsed.has_ended && parsed.terminal == 0);
        assert_eq!(parse(b"7 (node) S 1 7"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_process_is_named_after_its_program() {
        let program = std::env::args().next().unwrap();
        let file = std::path::Path::new(&program).file_name().unwrap();
        let name = name(i32::try_from(std::process::id()).unwrap());
        assert!(!name.is_empty() && file.to_string_lossy().starts_with(&name));
        assert_eq!(super::name(0), "a process");
        let process = Process {
            parent: 1,
            pid: 0,
            group: 0,
            terminal: 0,
            has_ended: false,
        };
        let names = names_of([process; 7].into_iter());
        assert!(names.ends_with("a process (pid 0) and 2 more"), "{names}");
    }
}
