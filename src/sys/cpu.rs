//! How many CPUs pidone's workers can use.

use std::io;
use std::mem::size_of_val;

use nix::errno::Errno;

/// Room for 8192 CPUs, the maximum of any architecture's kernel (`CONFIG_NR_CPUS`).
const MASK_WORDS: usize = 128;

/// The CPUs that affinity and the cgroup's quota allow, rounded up; at least 1.
#[must_use]
pub fn available() -> usize {
    let allowed = affinity().unwrap_or(1);
    let quota = super::cgroup::cpu_limit()
        .and_then(|limit| usize::try_from(limit.div_ceil(1000)).ok())
        .unwrap_or(usize::MAX);
    allowed.min(quota).max(1)
}

/// The CPUs that affinity and this quota allow, in thousandths of a CPU.
#[must_use]
pub fn limit(quota: Option<u64>) -> Option<u64> {
    let allowed = affinity().ok().and_then(|cpus| u64::try_from(cpus).ok());
    let allowed = allowed.and_then(|cpus| cpus.checked_mul(1000));
    quota.into_iter().chain(allowed).min()
}

/// The CPUs that pidone may run on (`docker run --cpuset-cpus`, taskset(1)).
///
/// # Errors
/// Those of sched_getaffinity(2).
fn affinity() -> io::Result<usize> {
    let mut mask = [0_u64; MASK_WORDS];
    // SAFETY: the kernel writes at most the size it is given, and any bits are a valid mask.
    let result = unsafe {
        libc::sched_getaffinity(
            0,
            size_of_val(&mask),
            mask.as_mut_ptr().cast::<libc::cpu_set_t>(),
        )
    };
    Errno::result(result)?;
    Ok(mask.iter().map(|word| word.count_ones() as usize).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn affinity_is_what_nproc_says() {
        let nproc = Command::new("nproc")
            .env_remove("OMP_NUM_THREADS")
            .output()
            .unwrap();
        let nproc: usize = String::from_utf8(nproc.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert_eq!(affinity().unwrap(), nproc);
        assert!((1..=nproc).contains(&available()));
    }
}
