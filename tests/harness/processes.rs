//! The machine's processes, from /proc.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::{Status, patience, probe};

/// Sends a signal by number, from a separate process.
#[track_caller]
pub fn kill(pid: i32, number: i32) {
    kill_often(pid, number, 1);
}

/// The same, many times, as fast as possible.
#[track_caller]
pub fn kill_often(pid: i32, number: i32, times: i32) {
    let mut command = Command::new(probe());
    command
        .arg("kill")
        .args([pid, number, times].map(|number| number.to_string()));
    assert!(command.status().unwrap().success(), "kill {pid} {number}");
}

/// The status of a child that has exited and is not reaped yet.
pub(super) fn wait_status(pid: i32) -> Status {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
        Ok(WaitStatus::Exited(_, code)) => Status::Code(code),
        Ok(WaitStatus::Signaled(_, signal, _)) => Status::Killed(signal as i32),
        other => panic!("wait status of {pid}: {other:?}"),
    }
}

/// Fields of /proc/PID/stat: the state and the parent.
fn stat(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// All processes, with state and parent.
fn all_processes() -> Vec<(i32, char, i32)> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| stat(pid).map(|(state, parent)| (pid, state, parent)))
        .collect()
}

/// The time that a process has run on a processor (the first field of /proc/PID/schedstat).
#[track_caller]
pub fn cpu_time(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    let nanoseconds = text.split_whitespace().next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

/// The state of a process, as a letter of proc(5).
pub fn state(pid: i32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

/// A process and all its descendants, itself first.
pub fn family(root: i32) -> Vec<i32> {
    let processes = all_processes();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(
            processes
                .iter()
                .filter(|entry| entry.2 == parent)
                .map(|entry| entry.0),
        );
        next += 1;
    }
    family
}

/// The children of a process, zombies included.
pub fn children(parent: i32) -> Vec<i32> {
    let processes = all_processes().into_iter();
    processes
        .filter(|entry| entry.2 == parent)
        .map(|entry| entry.0)
        .collect()
}

/// Waits for a condition that no descriptor reports. Looks often, and leaves the processor to the
/// others between two looks.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    while !is_so() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A line of /proc/PID/status.
#[track_caller]
pub fn status(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    lines
        .next()
        .unwrap_or_else(|| panic!("no {name}"))
        .trim()
        .to_owned()
}

/// How often a process has been switched out, of its own accord and otherwise: it has not run while
/// this stays the same.
#[track_caller]
pub fn switches(pid: i32) -> [String; 2] {
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].map(|name| status(pid, name))
}

/// The number of open descriptors of a process.
#[track_caller]
pub fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// A line of /proc/PID/status that counts memory, in KiB: `RssAnon` is the memory that a process
/// has allocated, without the code that pidone releases from time to time; `VmHWM` is the maximum
/// so far.
#[track_caller]
pub fn memory(pid: i32, name: &str) -> usize {
    let size = status(pid, name);
    size.strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

/// Sets a limit of a running process, as `prlimit(1)` names it: `nproc=1:`. Runs as the process's
/// own user, since for another user's it takes CAP_SYS_RESOURCE.
#[track_caller]
pub fn limit(pid: i32, limit: &str) {
    let about = fs::metadata(format!("/proc/{pid}")).unwrap();
    let mut command = Command::new("prlimit");
    command.args([format!("--pid={pid}"), format!("--{limit}")]);
    if about.uid() != nix::unistd::getuid().as_raw() {
        command.uid(about.uid()).gid(about.gid());
    }
    assert!(command.status().unwrap().success(), "{limit} of {pid}");
}

/// Allows a process no more descriptors than it has: the limit is the first free number.
#[track_caller]
pub fn limit_descriptors(pid: i32) {
    let free =
        (0..).find(|number| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_err());
    limit(pid, &format!("nofile={}:", free.unwrap()));
}

/// Kills a process, its descendants, and every process with this mark in the environment.
pub(super) fn kill_all(root: i32, mark: &str) {
    let marked = |pid: i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark.as_bytes())
    };
    let mut pids = family(root);
    pids.extend(
        all_processes()
            .into_iter()
            .map(|entry| entry.0)
            .filter(|pid| marked(*pid)),
    );
    for pid in pids {
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Waits until a process sleeps without a time limit, in poll(2), or in sigtimedwait(2) where it
/// waits for signals only. Returns where its code continues (/proc/PID/syscall: the call's number,
/// six arguments, stack and code pointer).
#[track_caller]
pub fn wait_for_sleep(pid: i32) -> u64 {
    let mut resumes_at = 0;
    wait_until("it sleeps without a time limit", || {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        let mut words = call.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
            return false;
        };
        let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let rest: Vec<u64> = words.filter_map(hex).collect();
        let Some([_, _, limit, .., counter]) = rest.get(..8) else {
            return false;
        };
        resumes_at = *counter;
        if [libc::SYS_ppoll, libc::SYS_rt_sigtimedwait].contains(&number) {
            return *limit == 0;
        }
        #[cfg(target_arch = "x86_64")]
        let poll = number == libc::SYS_poll && *limit & 0xffff_ffff == 0xffff_ffff;
        #[cfg(not(target_arch = "x86_64"))]
        let poll = false;
        poll
    });
    resumes_at
}
