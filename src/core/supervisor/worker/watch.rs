//! Watches a worker's age, its memory, and whether its event loop is blocked.

use core::time::Duration;

use super::{WorkerId, earliest};
use crate::supervisor::event::Moment;
use crate::supervisor::report::Reason;
use crate::supervisor::timeout::Timeout;

/// The steps of a ping's time limit ([`Timeout`]).
const STEPS: u32 = 4;

/// The shortest and the longest interval between pings of an event loop.
const PING_EVERY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// The limits of a worker.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct WatchRules {
    /// In bytes.
    pub(in crate::supervisor) max_memory: Option<u64>,
    pub(in crate::supervisor) max_age: Option<Duration>,
    /// Only with a channel, as pings need one.
    pub(in crate::supervisor) hang_timeout: Option<Duration>,
    /// How long a ping may be unanswered before the worker is unresponsive.
    pub(in crate::supervisor) unresponsive_after: Duration,
}

/// What is known of one worker.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Watch {
    began: Moment,
    old_at: Option<Moment>,
    loop_ping: Option<LoopPing>,
    status_ping: StatusPing,
    /// Why it is to be replaced, and since when it has exceeded the limit.
    over_limit: Option<(Reason, Moment)>,
}

/// Pings for `--hang-timeout`.
#[derive(Debug, Clone, Copy)]
enum LoopPing {
    /// The last ping was answered; the next one is due at this time.
    Answered { ask_at: Moment },
    /// A ping is unanswered.
    Open(Timeout),
}

/// The last ping for readiness probes and status queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum StatusPing {
    /// It was answered, or none was ever sent.
    #[default]
    Answered,
    Open(Timeout),
    /// Unanswered for longer than `--unresponsive-after`.
    Overdue,
}

/// What is due for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervisor) enum Due {
    Ping,
    /// It has not answered in time.
    Hung,
}

impl Watch {
    /// Begins to watch a worker that has become ready.
    pub(in crate::supervisor) fn begin(
        worker: WorkerId,
        has_channel: bool,
        now: Moment,
        rules: &WatchRules,
    ) -> Self {
        let ask_at = |timeout| now + ping_every(timeout);
        Self {
            began: now,
            old_at: rules
                .max_age
                .map(|age| now.saturating_add(spread(age, worker))),
            loop_ping: rules.hang_timeout.filter(|_| has_channel).map(|timeout| {
                LoopPing::Answered {
                    ask_at: ask_at(timeout),
                }
            }),
            status_ping: StatusPing::Answered,
            over_limit: None,
        }
    }

    /// When the worker became ready.
    pub(in crate::supervisor) fn began(&self) -> Moment {
        self.began
    }

    pub(in crate::supervisor) fn deadline(&self) -> Option<Moment> {
        let loop_ping = self.loop_ping.map(|loop_ping| match loop_ping {
            LoopPing::Answered { ask_at } => ask_at,
            LoopPing::Open(timeout) => timeout.deadline(),
        });
        let status_ping = match self.status_ping {
            StatusPing::Open(timeout) => Some(timeout.deadline()),
            StatusPing::Answered | StatusPing::Overdue => None,
        };
        earliest(earliest(loop_ping, status_ping), self.old_at)
    }

    /// Records a ping. Returns whether none was open.
    pub(in crate::supervisor) fn ask(&mut self, now: Moment, rules: &WatchRules) -> bool {
        let is_new = self.status_ping == StatusPing::Answered;
        if is_new {
            let timeout = Timeout::begin(rules.unresponsive_after, STEPS, now);
            self.status_ping = StatusPing::Open(timeout);
        }
        is_new
    }

    /// Whether a ping has been unanswered for too long.
    pub(in crate::supervisor) fn is_unresponsive(&self) -> bool {
        self.status_ping == StatusPing::Overdue
    }

    /// Whether the ping has just become overdue.
    pub(in crate::supervisor) fn has_missed_ping(&mut self, now: Moment) -> bool {
        if let StatusPing::Open(timeout) = &mut self.status_ping
            && timeout.has_ended(now)
        {
            self.status_ping = StatusPing::Overdue;
            return true;
        }
        false
    }

    pub(in crate::supervisor) fn over_limit(&self) -> Option<Reason> {
        self.over_limit.map(|(reason, _)| reason)
    }

    /// How long it was ready before it exceeded a limit.
    pub(in crate::supervisor) fn lasted(&self) -> Duration {
        let end = self.over_limit.map_or(self.began, |(_, since)| since);
        end.saturating_sub(self.began)
    }

    pub(in crate::supervisor) fn on_tick(
        &mut self,
        now: Moment,
        rules: &WatchRules,
    ) -> Option<Due> {
        if self.old_at.is_some_and(|at| at <= now) {
            self.old_at = None;
            self.over_limit = Some((Reason::Age, now));
        }
        match self.loop_ping.as_mut()? {
            LoopPing::Answered { ask_at } if *ask_at <= now => {
                let timeout = Timeout::begin(rules.hang_timeout?, STEPS, now);
                self.loop_ping = Some(LoopPing::Open(timeout));
                self.ask(now, rules);
                Some(Due::Ping)
            }
            LoopPing::Open(timeout) => timeout.has_ended(now).then_some(Due::Hung),
            LoopPing::Answered { .. } => None,
        }
    }

    /// Its event loop has answered. Returns whether the ping was overdue.
    pub(in crate::supervisor) fn on_pong(&mut self, now: Moment, rules: &WatchRules) -> bool {
        let was_overdue = core::mem::take(&mut self.status_ping) == StatusPing::Overdue;
        if let (Some(LoopPing::Open(_)), Some(timeout)) = (self.loop_ping, rules.hang_timeout) {
            let ask_at = now + ping_every(timeout);
            self.loop_ping = Some(LoopPing::Answered { ask_at });
        }
        was_overdue
    }

    /// No more pings: they need the channel.
    pub(super) fn on_channel_closed(&mut self) {
        self.loop_ping = None;
        self.status_ping = StatusPing::Answered;
    }

    /// Compares its memory with the limit; a worker below the limit again is not replaced.
    pub(in crate::supervisor) fn on_memory(&mut self, bytes: u64, now: Moment, rules: &WatchRules) {
        if let Some(limit) = rules.max_memory
            && self.over_limit() != Some(Reason::Age)
        {
            let since = self.over_limit.map_or(now, |(_, since)| since);
            let reason = Reason::Memory { bytes, limit };
            self.over_limit = (bytes > limit).then_some((reason, since));
        }
    }
}

fn ping_every(timeout: Duration) -> Duration {
    let [least, most] = PING_EVERY;
    (timeout / 4).clamp(least, most)
}

/// Varies the age by a tenth at most. Workers with consecutive ids, which start together, get ages
/// far apart (multiples of the golden ratio, as in Knuth's hash).
fn spread(age: Duration, worker: WorkerId) -> Duration {
    let part = worker.0.wrapping_mul(0x9e37_79b9) >> 16;
    let extra = (age / 5).saturating_mul(part) / (1 << 16);
    (age - age / 10).saturating_add(extra)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn age_limits_differ_by_a_tenth_at_most_and_never_coincide() {
        let age = Duration::from_secs(3600);
        let ages: Vec<_> = (1..=16).map(|id| spread(age, WorkerId(id))).collect();
        for (index, one) in ages.iter().enumerate() {
            assert!(*one >= age * 9 / 10 && *one <= age * 11 / 10);
            for other in ages.iter().skip(index + 1) {
                let apart = one.abs_diff(*other);
                assert!(apart > age / 200, "{one:?} and {other:?}");
            }
        }
        assert!(spread(Duration::MAX, WorkerId(7)) > Duration::from_secs(3600));
    }

    #[test]
    fn ping_interval_is_a_quarter_of_the_timeout_within_limits() {
        let ms = Duration::from_millis;
        for (timeout, every) in [(100, 250), (2000, 500), (60_000, 5000)] {
            assert_eq!(ping_every(ms(timeout)), ms(every));
        }
    }
}
