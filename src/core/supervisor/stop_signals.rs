//! Signals that request a stop, and which of them mean to kill everything at once.

use core::time::Duration;

use super::event::Moment;

/// A second stop signal within this time repeats the first: timeout(1) signals its child and then
/// its whole group, npm and Compose pass on what the terminal has sent to all, and the kubelet
/// sends SIGTERM when a `preStop` hook has done so already.
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// With this many signals, the user means it even within that time.
const MANY: u32 = 3;

/// The stop signals received so far. `pidone ctl stop` does not count.
#[derive(Debug, Default)]
pub(super) struct StopSignals {
    /// The times of the first and the last signal.
    times: Option<(Moment, Moment)>,
    count: u32,
}

impl StopSignals {
    /// Counts a signal; whether it means to kill everything at once. Signals that were read from
    /// the kernel together have the same time and count as one.
    pub(super) fn add(&mut self, now: Moment) -> bool {
        let (first, last) = *self.times.get_or_insert((now, now));
        if self.count > 0 && last == now {
            return false;
        }
        self.times = Some((first, now));
        self.count = self.count.saturating_add(1);
        self.count > 1 && (self.count >= MANY || first + REPEAT_WITHIN <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn repeated_stop_signals_within_a_second_do_not_kill() {
        for (times, kills) in [
            (&[0][..], false),
            (&[0, 0, 0, 0], false),
            (&[0, 1], false),
            (&[0, 999], false),
            (&[5, 5, 5, 900], false),
            (&[0, 1000], true),
            (&[0, 1, 2], true),
            (&[0, 0, 1, 1, 2], true),
        ] {
            let mut signals = StopSignals::default();
            let add = |ms: &u64| signals.add(Duration::from_millis(*ms));
            let verdicts: Vec<_> = times.iter().map(add).collect();
            let mut expected = vec![false; times.len()];
            expected[times.len() - 1] = kills;
            assert_eq!(verdicts, expected, "{times:?}");
        }
    }
}
