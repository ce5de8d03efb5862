//! The resource use and state of a process, from /proc (proc_pid_stat(5), proc_pid_statm(5)).

use std::fs;
use std::io::Read;

/// The resident memory of a process, in bytes; `None`: there is no such process.
#[must_use]
pub fn resident(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    resident_pages(&text)?.checked_mul(setting(libc::_SC_PAGESIZE)?)
}

/// The CPU time that a process has used, in milliseconds; `None`: there is no such process.
#[must_use]
pub fn cpu_ms(pid: i32) -> Option<u64> {
    // The name in it may contain any bytes.
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&String::from_utf8_lossy(&text))?;
    ticks
        .checked_mul(1000)?
        .checked_div(setting(libc::_SC_CLK_TCK)?)
}

/// Whether a process has begun to exit, or does not exist. Its descriptors are closed before its
/// parent is notified (`do_exit`, kernel/exit.c).
#[must_use]
pub fn is_exiting(pid: i32) -> bool {
    let Ok(text) = fs::read(format!("/proc/{pid}/stat")) else {
        return true;
    };
    has_exit_flag(&String::from_utf8_lossy(&text))
}

/// Whether a process sleeps, and so waits for events: its first thread, in which Node.js runs its event
/// loop.
#[must_use]
pub fn sleeps(pid: i32) -> bool {
    // The file of the thread: that of the process adds up all threads' times.
    let file = fs::File::open(format!("/proc/{pid}/task/{pid}/stat"));
    // A name has at most 15 bytes (`TASK_COMM_LEN`).
    let mut begin = [0; 64];
    let read = file.and_then(|mut file| file.read(&mut begin));
    read.is_ok() && state(&String::from_utf8_lossy(&begin)) == Some('S')
}

/// The third field of /proc/PID/stat.
fn state(stat: &str) -> Option<char> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.trim_start().chars().next()
}

/// Whether a program was started with a variable, even if it has changed it since; `None`: unknown,
/// for lack of rights (proc_pid_environ(5)).
#[must_use]
pub fn began_with(pid: i32, variable: &str) -> Option<bool> {
    let text = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = text.split(|byte| *byte == 0);
    Some(entries.any(|entry| {
        let value = entry.strip_prefix(variable.as_bytes());
        value.is_some_and(|value| value.first() == Some(&b'='))
    }))
}

/// `flags` of /proc/PID/stat, field 9: `PF_EXITING` (include/linux/sched.h).
fn has_exit_flag(stat: &str) -> bool {
    const PF_EXITING: u64 = 4;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest);
    let flags = after_name.and_then(|rest| rest.split_ascii_whitespace().nth(6));
    let flags = flags.and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// The second field of /proc/PID/statm.
#[must_use]
pub fn resident_pages(statm: &str) -> Option<u64> {
    statm.split(' ').nth(1)?.parse().ok()
}

/// `utime` and `stime` of /proc/PID/stat, fields 14 and 15. The second field is the name, in
/// parentheses, which may contain spaces and parentheses.
#[must_use]
pub fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn setting(name: i32) -> Option<u64> {
    // SAFETY: takes a number, and touches no memory of ours (sysconf(3)).
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value).ok().filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_end_of_the_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 12 0 0 0 230 41 0 0 20 0 11 0 5 6 7 8";
        assert_eq!(ticks(stat), Some(271));
        assert_eq!(state(stat), Some('S'));
        assert!(!has_exit_flag(stat));
        assert!(has_exit_flag(&stat.replace("4194560", "4194564")));
        assert_eq!(ticks("7 (node) S 1 7"), None);
        let most = "7 (x) S 1 1 1 1 1 1 1 1 1 1 18446744073709551615 1";
        assert_eq!(ticks(most), None);
        assert_eq!(resident_pages("1532 407 210 5 0 90 0\n"), Some(407));
        assert_eq!(resident_pages(""), None);
    }

    #[test]
    fn a_process_uses_memory_and_time_until_it_exits() {
        let me = i32::try_from(std::process::id()).unwrap();
        let before = resident(me).unwrap();
        let ballast = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = resident(me).unwrap();
        assert!(after >= before + (24 << 20), "{before}, then {after}");
        drop(ballast);

        let used = cpu_ms(me).unwrap();
        let mut number = 0_u64;
        while cpu_ms(me).unwrap() < used + 50 {
            number = std::hint::black_box(number + 1);
        }
        assert_eq!(resident(i32::MAX), None);
        assert_eq!(cpu_ms(i32::MAX), None);
        assert_eq!(began_with(me, "PATH"), Some(true));
        assert_eq!(began_with(me, "PAT"), Some(false));
        assert_eq!(began_with(i32::MAX, "PATH"), None);
        assert!(is_exiting(i32::MAX) && !is_exiting(me));
        assert!(!sleeps(i32::MAX));
    }
}
