//! The limit of open files (getrlimit(2)).

use nix::errno::Errno;

type Limit = libc::rlimit;

/// Raises pidone's own soft limit to the hard limit, and returns the previous one: workers and
/// listening sockets take many descriptors, and the soft limit is low only for programs that use
/// select(2). `None`: the soft limit is at its maximum.
#[must_use]
pub fn raise_open_files() -> Option<libc::rlim_t> {
    let before = get().ok()?;
    let raised = Limit {
        rlim_cur: before.rlim_max,
        ..before
    };
    (before.rlim_cur < raised.rlim_cur && set(&raised).is_ok()).then_some(before.rlim_cur)
}

/// Restores the soft limit of the calling process. Async-signal-safe, for a child between clone and
/// exec.
pub(super) fn restore_open_files(soft: libc::rlim_t) {
    // The hard limit may have been lowered since. Nothing else can fail.
    if let Ok(now) = get() {
        let rlim_cur = soft.min(now.rlim_max);
        let _ = set(&Limit { rlim_cur, ..now });
    }
}

fn get() -> Result<Limit, Errno> {
    let mut limit = Limit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one record, which outlives the call.
    Errno::result(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok(limit)
}

fn set(limit: &Limit) -> Result<(), Errno> {
    // SAFETY: the kernel reads one record, which outlives the call.
    Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) }).map(drop)
}
