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
        for process in descendants() {
            let _ = send(Target::Process(process.pid), signal);
        }
    }
}

/// SIGHUP to those that have a terminal, as when it closes: an interactive shell ignores SIGTERM
/// (bash(1), SIGNALS). Then SIGCONT to all, since what is stopped acts on no signal but SIGKILL.
pub fn hang_up() {
    for process in others().filter(|process| process.terminal != 0) {
        let _ = send(Target::Process(process.pid), Signal::HUP);
    }
    signal(Signal::CONT);
}

/// What they are called: `bash (pid 42), sleep (pid 43)`. Empty where /proc cannot say.
#[must_use]
pub fn names() -> String {
    names_of(others())
}

/// What those in a process group are called.
#[must_use]
pub fn names_in_group(group: i32) -> String {
    let members = everybody().into_iter();
    names_of(members.filter(|process| process.group == group && !process.has_ended))
}

/// Everybody who has not ended yet but pidone itself; outside a container, its descendants.
fn others() -> impl Iterator<Item = Process> {
    let others = if is_init() {
        everybody()
    } else {
        descendants()
    };
    others
        .into_iter()
        .filter(|process| process.pid != 1 && !process.has_ended)
}

/// The names of the first few, and how many more there are.
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

/// A program's name, as it was started.
fn name(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let file = program.rsplit(|byte| *byte == b'/').next();
    let file = file.unwrap_or_default();
    // A login shell's begins with a dash.
    let file = file.strip_prefix(b"-").unwrap_or(file);
    let name: String = String::from_utf8_lossy(file).chars().take(32).collect();
    if name.is_empty() {
        "a process".to_owned()
    } else {
        name
    }
}

/// Whether there is anybody besides pidone and its children: people who came in by `docker exec`.
#[must_use]
pub fn foreign_exist() -> bool {
    is_init() && exists(Target::Everyone)
}

/// Processes that joined the container and are not our children.
#[derive(Debug, Default)]
pub struct ForeignProcesses {
    /// A descriptor for each, readable when that process has ended (pidfd_open(2)): nothing else
    /// tells, as they are not our children.
    pub watched: Vec<OwnedFd>,
    /// Others exist whose end nothing tells: before Linux 5.3, under a seccomp profile that refuses
    /// the call, or without /proc.
    pub unwatched: bool,
}

impl ForeignProcesses {
    /// Those that are there now.
    #[must_use]
    pub fn find() -> Self {
        let mut found = Self::default();
        if !foreign_exist() {
            return found;
        }
        let everybody = everybody();
        found.unwatched = everybody.is_empty();
        for process in everybody {
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

    /// Whether there are any.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.unwatched || !self.watched.is_empty()
    }
}

fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Everybody below pidone, found through /proc.
fn descendants() -> Vec<Process> {
    // By parent, so that the children of one are found at once. Of the ways to sort, the one with the
    // least code.
    let children = everybody().into_iter().collect::<BinaryHeap<_>>();
    let children = children.into_sorted_vec();
    let mut parents: Vec<i32> = i32::try_from(std::process::id()).into_iter().collect();
    let mut family = Vec::new();
    // Those that are found are looked at in turn.
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

/// A process, as /proc/PID/stat tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    // First, so that this orders them.
    parent: i32,
    pid: i32,
    group: i32,
    /// The number of its terminal; 0: it has none.
    terminal: i32,
    /// It is a zombie, or on the way to be none any more.
    has_ended: bool,
}

fn everybody() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| Process::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

impl Process {
    /// Reads a line of /proc/PID/stat. Its fields count from after the name, which stands in
    /// parentheses and may hold anything, parentheses too (proc_pid_stat(5)).
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // Its session is in between.
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
    fn a_process_is_called_by_its_program() {
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
