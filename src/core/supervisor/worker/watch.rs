//! How well a worker does that serves: its age, its memory, and whether its event loop turns.

use core::time::Duration;

use super::{WorkerId, earliest};
use crate::supervisor::event::Moment;
use crate::supervisor::patience::Patience;
use crate::supervisor::report::Reason;

/// A sign of life is waited for in so many steps ([`Patience`]).
const STEPS: u32 = 4;

/// How often an event loop is asked for a sign of life, at most and at least.
const PING_EVERY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// What a worker may be like.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct WatchRules {
    /// In bytes.
    pub(in crate::supervisor) max_memory: Option<u64>,
    pub(in crate::supervisor) max_age: Option<Duration>,
    /// There is a channel to ask over.
    pub(in crate::supervisor) hang_timeout: Option<Duration>,
    /// A question that somebody's look has caused may be open for so long.
    pub(in crate::supervisor) unresponsive_after: Duration,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Watch {
    began: Moment,
    old_at: Option<Moment>,
    pulse: Option<Pulse>,
    question: Question,
    /// Why it is to be replaced, and since when.
    worn: Option<(Reason, Moment)>,
}

/// What is known of its event loop.
#[derive(Debug, Clone, Copy)]
enum Pulse {
    /// It turns, and is asked again then.
    Felt { ask_at: Moment },
    /// It was asked, and has not answered.
    Awaited(Patience),
}

/// The last question to its event loop, for those who look from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Question {
    /// It is answered, or none was ever asked: nothing is known against it.
    #[default]
    Answered,
    Open(Patience),
    /// Open for longer than `--unresponsive-after`.
    Overdue,
}

/// What a worker's watch wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervisor) enum Due {
    Ping,
    /// It has not answered in time.
    Hung,
}

impl Watch {
    /// For a worker that serves from now on.
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
            pulse: rules
                .hang_timeout
                .filter(|_| has_channel)
                .map(|timeout| Pulse::Felt {
                    ask_at: ask_at(timeout),
                }),
            question: Question::Answered,
            worn: None,
        }
    }

    /// When the worker became ready.
    pub(in crate::supervisor) fn began(&self) -> Moment {
        self.began
    }

    pub(in crate::supervisor) fn deadline(&self) -> Option<Moment> {
        let pulse = self.pulse.map(|pulse| match pulse {
            Pulse::Felt { ask_at } => ask_at,
            Pulse::Awaited(patience) => patience.deadline(),
        });
        let question = match self.question {
            Question::Open(patience) => Some(patience.deadline()),
            Question::Answered | Question::Overdue => None,
        };
        earliest(earliest(pulse, question), self.old_at)
    }

    /// Its event loop is asked for a sign of life. Whether that is a new question.
    pub(in crate::supervisor) fn ask(&mut self, now: Moment, rules: &WatchRules) -> bool {
        let is_new = self.question == Question::Answered;
        if is_new {
            let patience = Patience::begin(rules.unresponsive_after, STEPS, now);
            self.question = Question::Open(patience);
        }
        is_new
    }

    /// It has been asked, and has not answered for too long.
    pub(in crate::supervisor) fn is_unresponsive(&self) -> bool {
        self.question == Question::Overdue
    }

    /// Whether the question has just become overdue.
    pub(in crate::supervisor) fn has_missed_question(&mut self, now: Moment) -> bool {
        if let Question::Open(patience) = &mut self.question
            && patience.has_ended(now)
        {
            self.question = Question::Overdue;
            return true;
        }
        false
    }

    pub(in crate::supervisor) fn worn(&self) -> Option<Reason> {
        self.worn.map(|(reason, _)| reason)
    }

    /// How long it served before it was worn out.
    pub(in crate::supervisor) fn lasted(&self) -> Duration {
        let end = self.worn.map_or(self.began, |(_, since)| since);
        end.saturating_sub(self.began)
    }

    pub(in crate::supervisor) fn on_tick(
        &mut self,
        now: Moment,
        rules: &WatchRules,
    ) -> Option<Due> {
        if self.old_at.is_some_and(|at| at <= now) {
            self.old_at = None;
            self.worn = Some((Reason::Age, now));
        }
        match self.pulse.as_mut()? {
            Pulse::Felt { ask_at } if *ask_at <= now => {
                let patience = Patience::begin(rules.hang_timeout?, STEPS, now);
                self.pulse = Some(Pulse::Awaited(patience));
                self.ask(now, rules);
                Some(Due::Ping)
            }
            Pulse::Awaited(patience) => patience.has_ended(now).then_some(Due::Hung),
            Pulse::Felt { .. } => None,
        }
    }

    /// Its event loop turns. Whether that was doubtful.
    pub(in crate::supervisor) fn on_pong(&mut self, now: Moment, rules: &WatchRules) -> bool {
        let was_overdue = core::mem::take(&mut self.question) == Question::Overdue;
        if let (Some(Pulse::Awaited(_)), Some(timeout)) = (self.pulse, rules.hang_timeout) {
            let ask_at = now + ping_every(timeout);
            self.pulse = Some(Pulse::Felt { ask_at });
        }
        was_overdue
    }

    /// Nothing can be asked any more.
    pub(super) fn on_channel_closed(&mut self) {
        self.pulse = None;
        self.question = Question::Answered;
    }

    /// It has so much in memory; one that has shrunk since may stay.
    pub(in crate::supervisor) fn on_memory(&mut self, bytes: u64, now: Moment, rules: &WatchRules) {
        if let Some(limit) = rules.max_memory
            && self.worn() != Some(Reason::Age)
        {
            let since = self.worn.map_or(now, |(_, since)| since);
            let reason = Reason::Memory { bytes, limit };
            self.worn = (bytes > limit).then_some((reason, since));
        }
    }
}

fn ping_every(timeout: Duration) -> Duration {
    let [least, most] = PING_EVERY;
    (timeout / 4).clamp(least, most)
}

/// A tenth more or less at most. Workers with numbers next to each other, which are those that
/// start together, are far apart (multiples of the golden ratio, as in Knuth's hash).
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
    fn ages_differ_by_a_tenth_at_most_and_never_by_nothing() {
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
    fn pings_are_neither_frequent_nor_rare() {
        let ms = Duration::from_millis;
        for (timeout, every) in [(100, 250), (2000, 500), (60_000, 5000)] {
            assert_eq!(ping_every(ms(timeout)), ms(every));
        }
    }
}
