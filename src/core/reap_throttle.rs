//! Limits how often pidone reaps when many processes exit.
//!
//! Reaping after every single exit costs one wake-up each. With a pause between two rounds, one wake-up
//! reaps several zombies, and none waits long. A single exit is always reaped at once.

use core::time::Duration;

use crate::supervisor::Moment;

/// Two rounds closer together than twice this are a burst, and rounds in a burst are this far apart.
/// For 20,000 orphans in a burst, pidone took 67 ms with 50 µs, 61 ms with 500 µs, and 57 ms with this
/// value.
const INTERVAL: Duration = Duration::from_millis(1);

/// The longest round before signals are read. waitpid(2) for any child walks the list of children until
/// it meets a zombie (`do_wait_thread`, kernel/exit.c), and there may be thousands.
const LIMIT: Duration = Duration::from_millis(5);

/// The number of zombies for each look at the clock.
const BATCH: u32 = 32;

/// One round of reaping.
#[derive(Debug)]
pub struct Round {
    begun: Moment,
    collected: u32,
    ended_early: bool,
}

impl Round {
    /// Begins a round.
    #[must_use]
    pub fn begin(now: Moment) -> Self {
        Self {
            begun: now,
            collected: 0,
            ended_early: false,
        }
    }

    /// Counts one zombie. Returns whether the round must end now.
    pub fn is_too_long(&mut self, clock: impl FnOnce() -> Moment) -> bool {
        self.collected += 1;
        if self.collected.is_multiple_of(BATCH) {
            self.ended_early = self.begun + LIMIT <= clock();
        }
        self.ended_early
    }
}

/// Decides when the next round may begin.
#[derive(Debug, Default)]
pub struct ReapThrottle {
    last_round: Option<Moment>,
    paused_until: Option<Moment>,
    is_behind: bool,
}

impl ReapThrottle {
    /// A round has ended.
    pub fn end(&mut self, round: &Round, now: Moment) {
        let is_burst = self
            .last_round
            .is_some_and(|last| round.begun.saturating_sub(last) <= 2 * INTERVAL);
        self.is_behind = round.ended_early;
        self.paused_until = (is_burst && !round.ended_early).then_some(now + INTERVAL);
        self.last_round = Some(now);
    }

    /// When the pause ends, if there is one: SIGCHLD, and with it all signals, wait until then.
    #[must_use]
    pub fn paused_until(&self, now: Moment) -> Option<Moment> {
        self.paused_until.filter(|until| *until > now)
    }

    /// The last round ended early: another one is due, even without SIGCHLD.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A round that reaps `dead` zombies in the time `each`.
    fn round(throttle: &mut ReapThrottle, begun: Moment, dead: u32, each: Duration) -> Moment {
        let mut round = Round::begin(begun);
        let mut now = begun;
        for _ in 0..dead {
            now += each;
            if round.is_too_long(|| now) {
                break;
            }
        }
        throttle.end(&round, now);
        now
    }

    #[test]
    fn a_single_exit_is_reaped_at_once() {
        let mut throttle = ReapThrottle::default();
        for second in 1..10 {
            let now = round(&mut throttle, second * 1000 * MS, 1, MS);
            assert_eq!(throttle.paused_until(now), None);
            assert!(!throttle.is_behind());
        }
    }

    #[test]
    fn a_burst_is_reaped_once_per_interval() {
        let mut throttle = ReapThrottle::default();
        let begin = 10 * MS;
        round(&mut throttle, begin, 1, Duration::ZERO);
        assert_eq!(throttle.paused_until(begin), None);
        for pauses in 1..3 {
            let now = begin + pauses * INTERVAL;
            round(&mut throttle, now, 1, Duration::ZERO);
            assert_eq!(throttle.paused_until(now), Some(now + INTERVAL));
            assert_eq!(throttle.paused_until(now + INTERVAL), None);
        }
        round(&mut throttle, 2 * begin, 1, Duration::ZERO);
        assert_eq!(throttle.paused_until(2 * begin), None);
    }

    #[test]
    fn a_long_round_ends_early_for_signals() {
        let mut throttle = ReapThrottle::default();
        let now = round(&mut throttle, 10 * MS, 20_000, MS / 10);
        assert!(now < 18 * MS, "{now:?}");
        assert!(throttle.is_behind());
        assert_eq!(throttle.paused_until(now), None);
        let now = round(&mut throttle, now, 20, MS / 10);
        assert!(!throttle.is_behind());
        assert_eq!(throttle.paused_until(now), Some(now + INTERVAL));
    }
}
