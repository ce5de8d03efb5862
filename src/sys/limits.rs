//! How many files may be open (getrlimit(2)).

use nix::errno::Errno;

type Limit = libc::rlimit;

/// Raises pidone's own soft limit to the hard one, and returns the one before: workers and listening
/// sockets take many descriptors, and the soft limit is low only for the sake of programs that use
/// select(2). `None`: it is as high as it may be.
#[must_use]
pub fn raise_open_files() -> Option<libc::rlim_t> {
    let before = get().ok()?;
    let raised = Limit {
        rlim_cur: before.rlim_max,
        ..before
    };
    (before.rlim_cur < raised.rlim_cur && set(&raised).is_ok()).then_some(before.rlim_cur)
}

/// Gives the calling process its soft limit back. Async-signal-safe, for a child between clone and
/// exec.
pub(super) fn restore_open_files(soft: libc::rlim_t) {
    // The hard one may have been lowered since. Nothing else can fail.
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
