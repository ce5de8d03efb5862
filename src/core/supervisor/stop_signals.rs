//! The signals that ask to stop, and which of them means that all is to be killed at once.

use core::time::Duration;

use super::event::Moment;

/// A second one within this time is the first one once more: timeout(1) signals its child and then
/// its whole group, npm and Compose pass on what the terminal has sent to all, and the kubelet sends
/// SIGTERM when a `preStop` hook has done so already.
const ECHO: Duration = Duration::from_secs(1);

/// So many are no echo.
const MANY: u32 = 3;

/// See the [module](self). What `pidone ctl stop` asks for is no part of it.
#[derive(Debug, Default)]
pub(super) struct StopSignals {
    /// When the first and the last one came.
    times: Option<(Moment, Moment)>,
    count: u32,
}

impl StopSignals {
    /// One more has come. Whether it is one of impatience. Those that were taken from the kernel at
    /// once come at the same moment, and are one.
    pub(super) fn add(&mut self, now: Moment) -> bool {
        let (first, last) = *self.times.get_or_insert((now, now));
        if self.count > 0 && last == now {
            return false;
        }
        self.times = Some((first, now));
        self.count = self.count.saturating_add(1);
        self.count > 1 && (self.count >= MANY || first + ECHO <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn echoes_are_not_impatience() {
        for (times, impatient) in [
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
            expected[times.len() - 1] = impatient;
            assert_eq!(verdicts, expected, "{times:?}");
        }
    }
}
