//! How often the dead are collected when they come in storms.
//!
//! waitpid(2) for any child walks the list of the living until it meets a dead one
//! (`do_wait_thread`, kernel/exit.c). With thousands of orphans, looking at every death costs more
//! than all the rest, so in a storm pidone takes a breath between two rounds, and a round that
//! meets few dead among many living is broken off. A lone death is always collected at once.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::supervisor::Moment;

/// Two rounds closer together than twice this are a storm, and this far apart they are then kept.
const BREATH: Duration = Duration::from_millis(1);

/// The breath after a round that was broken off. pidone reads no signals meanwhile.
const LONG_BREATH: Duration = Duration::from_millis(8);

/// What collecting a dead child may cost on average. The kernel's own work is a third of it; the
/// rest is walking past the living.
const FAIR_COST: Duration = Duration::from_micros(15);

/// A round is judged each time it has collected this many: a single slow look may be somebody
/// else's turn on the processor.
const BATCH: u32 = 32;

/// One round of collecting.
#[derive(Debug)]
pub(super) struct Round {
    begun: Moment,
    collected: u32,
    broken_off: bool,
}

impl Round {
    pub(super) fn begin(now: Moment) -> Self {
        Self {
            begun: now,
            collected: 0,
            broken_off: false,
        }
    }

    /// One more was collected. Whether the round should be broken off, because those that are
    /// still dying will be cheaper to find once they are dead. Looks at the clock now and then.
    pub(super) fn is_too_costly(&mut self, clock: impl FnOnce() -> Moment) -> bool {
        self.collected += 1;
        if self.collected.is_multiple_of(BATCH) {
            let cost = clock().saturating_sub(self.begun);
            self.broken_off = cost > FAIR_COST * self.collected;
        }
        self.broken_off
    }
}

/// When the next round may begin.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last_round: Option<Moment>,
    resting_until: Option<Moment>,
    behind: bool,
}

impl Pace {
    /// A round has come to its end.
    pub(super) fn end(&mut self, round: &Round, now: Moment) {
        let storm = self
            .last_round
            .is_some_and(|last| round.begun.saturating_sub(last) <= 2 * BREATH);
        self.behind = round.broken_off;
        self.resting_until = match (round.broken_off, storm) {
            (true, _) => Some(now + LONG_BREATH),
            (false, true) => Some(now + BREATH),
            (false, false) => None,
        };
        self.last_round = Some(now);
    }

    /// How long to rest from now on; `None`: not at all.
    pub(super) fn rest(&mut self, now: Moment) -> Option<Duration> {
        let rest = self.resting_until?.saturating_sub(now);
        if rest.is_zero() {
            self.resting_until = None;
            return None;
        }
        Some(rest)
    }

    /// The last round was broken off: another one is due after the rest, SIGCHLD or not.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A round that collects `dead`, each at the same cost.
    fn round(pace: &mut Pace, begun: Moment, dead: u32, each: Duration) -> Moment {
        let mut round = Round::begin(begun);
        let mut now = begun;
        for _ in 0..dead {
            now += each;
            if round.is_too_costly(|| now) {
                break;
            }
        }
        pace.end(&round, now);
        now
    }

    #[test]
    fn a_lone_death_is_never_waited_for() {
        let mut pace = Pace::default();
        for second in 1..10 {
            let now = round(&mut pace, second * 1000 * MS, 1, MS);
            assert_eq!(
                pace.rest(now),
                if second < 10 && pace.is_behind() {
                    pace.rest(now)
                } else {
                    None
                }
            );
        }
    }

    #[test]
    fn a_storm_is_met_at_most_once_a_breath() {
        let mut pace = Pace::default();
        round(&mut pace, 10 * MS, 1, Duration::ZERO);
        assert_eq!(pace.rest(10 * MS), None);
        round(&mut pace, 11 * MS, 1, Duration::ZERO);
        assert_eq!(pace.rest(11 * MS), Some(BREATH));
        assert_eq!(pace.rest(12 * MS), None);
        round(&mut pace, 12 * MS, 1, Duration::ZERO);
        assert_eq!(pace.rest(12 * MS), Some(BREATH));
        round(&mut pace, 20 * MS, 1, Duration::ZERO);
        assert_eq!(pace.rest(20 * MS), None);
    }

    #[test]
    fn a_round_among_many_living_is_broken_off_and_taken_up_again() {
        let mut pace = Pace::default();
        let now = round(&mut pace, 10 * MS, 20_000, 10 * FAIR_COST);
        assert!(now < 16 * MS, "{now:?}");
        assert!(pace.is_behind());
        assert_eq!(pace.rest(now), Some(LONG_BREATH));
        let now = now + LONG_BREATH;
        assert_eq!(pace.rest(now), None);
        assert!(pace.is_behind());
        let now = round(&mut pace, now, 20_000, FAIR_COST / 3);
        assert!(!pace.is_behind());
        assert_eq!(pace.rest(now + BREATH), None);
    }
}
