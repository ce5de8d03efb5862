//! How soon a place's worker is started again, and when that makes no sense any more.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::event::Moment;
use super::report::Verdict;
use crate::rules::RestartRules;

/// So many starts that fail one after the other in one slot are a verdict while no worker has ever
/// been ready: it is the image that is broken, and the orchestrator is to know within seconds.
const FIRST_BOOTS: u32 = 5;

/// The restarts of one place.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    recent: VecDeque<Moment>,
    /// Restarts since the last good run.
    in_a_row: u32,
    /// Those in a row that never got ready. Delays and boots take so long that the window may never
    /// see enough of them: they are counted, whatever the time.
    unready: u32,
}

impl Backoff {
    /// A worker has ended after such a `run`, or without ever being ready: how long to wait before the
    /// next start. `ever`: some worker has been ready since pidone has started.
    pub(super) fn after(
        &mut self,
        run: Option<Duration>,
        ever: bool,
        now: Moment,
        rules: &RestartRules,
    ) -> Result<Duration, Verdict> {
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|at| *at + rules.window <= now)
        {
            self.recent.pop_front();
        }
        self.unready = match run {
            None => self.unready.saturating_add(1),
            Some(_) => 0,
        };
        // Not one more than is needed to tell.
        let is_full = self.recent.len() > rules.max_restarts as usize;
        if is_full {
            self.recent.pop_front();
        }
        let allowed = rules.max_restarts.saturating_add(1);
        let boots = if ever {
            allowed
        } else {
            allowed.min(FIRST_BOOTS)
        };
        if self.unready >= boots {
            return Err(Verdict::NeverReady { boots, ever });
        }
        if is_full {
            return Err(Verdict::Restarts {
                restarts: rules.max_restarts,
                window: rules.window,
            });
        }
        if run.is_some_and(|run| run >= rules.min_uptime) {
            self.in_a_row = 0;
        }
        let delay = rules.delay(self.in_a_row);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Ok(delay)
    }

    /// A worker got ready here.
    pub(super) fn on_ready(&mut self) {
        self.unready = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_restart_is_immediate_and_then_the_delay_doubles_to_its_bound() {
        let rules = RestartRules {
            max_delay: 1000 * MS,
            max_restarts: 100,
            ..RestartRules::default()
        };
        let mut backoff = Backoff::default();
        let delays: Vec<_> = (0..7)
            .map(|second| {
                backoff
                    .after(Some(MS), true, second * 1000 * MS, &rules)
                    .unwrap()
            })
            .collect();
        assert_eq!(
            delays,
            [0, 100, 200, 400, 800, 1000, 1000].map(|ms| ms * MS)
        );
        let good = backoff.after(Some(rules.min_uptime), true, 8000 * MS, &rules);
        assert_eq!(good, Ok(Duration::ZERO));
        let next = backoff.after(Some(MS), true, 8000 * MS, &rules);
        assert_eq!(next, Ok(100 * MS));
        // However long it goes on.
        for _ in 0..80 {
            assert!(backoff.after(Some(MS), true, 8000 * MS, &rules).unwrap() <= rules.max_delay);
        }
    }

    #[test]
    fn more_restarts_in_the_window_than_allowed_are_a_crash_loop() {
        let rules = RestartRules::default();
        let mut backoff = Backoff::default();
        let mut now = Moment::ZERO;
        for _ in 0..rules.max_restarts {
            now += backoff.after(Some(MS), true, now, &rules).unwrap();
        }
        assert!(now < rules.window, "the defaults find one: {now:?}");
        let verdict = Verdict::Restarts {
            restarts: 10,
            window: rules.window,
        };
        assert_eq!(backoff.after(Some(MS), true, now, &rules), Err(verdict));

        let mut backoff = Backoff::default();
        for minute in 0..100 {
            let now = minute * rules.window / rules.max_restarts;
            assert!(backoff.after(Some(MS), true, now, &rules).is_ok());
        }
    }

    #[test]
    fn with_no_restart_allowed_the_first_crash_is_a_loop() {
        let rules = RestartRules {
            max_restarts: 0,
            ..RestartRules::default()
        };
        for run in [None, Some(MS)] {
            assert!(Backoff::default().after(run, true, MS, &rules).is_err());
        }
    }

    /// Whatever the options are, and however long a boot takes: the count decides, not the clock.
    #[test]
    fn workers_that_never_get_ready_are_a_verdict_after_a_bounded_number() {
        let times = [0, 1, 100, 30_000, 3_600_000].map(|ms| ms * MS);
        for ever in [false, true] {
            for max_restarts in [0, 1, 3, 4, 5, 10, 1000] {
                for (min_delay, max_delay, boot) in times
                    .iter()
                    .flat_map(|min| times.iter().map(move |max| (*min, *max)))
                    .flat_map(|(min, max)| times.iter().map(move |boot| (min, max, *boot)))
                    .filter(|(min, max, _)| min <= max)
                {
                    let rules = RestartRules {
                        min_delay,
                        max_delay,
                        max_restarts,
                        min_uptime: Duration::ZERO,
                        window: 100 * MS,
                        ..RestartRules::default()
                    };
                    let mut backoff = Backoff::default();
                    let (mut now, mut ends) = (Moment::ZERO, 0);
                    loop {
                        now += boot;
                        ends += 1;
                        match backoff.after(None, ever, now, &rules) {
                            Ok(delay) => now += delay,
                            Err(_) => break,
                        }
                    }
                    let most = if ever { max_restarts + 1 } else { 5 };
                    assert!(ends <= most, "{ends} starts: {rules:?}");
                }
            }
        }
    }

    #[test]
    fn five_first_boots_that_fail_at_once_take_a_second_in_all() {
        let rules = RestartRules::default();
        let mut backoff = Backoff::default();
        let mut now = Moment::ZERO;
        let verdict = loop {
            match backoff.after(None, false, now, &rules) {
                Ok(delay) => now += delay,
                Err(verdict) => break verdict,
            }
        };
        let (boots, ever) = (5, false);
        assert_eq!(verdict, Verdict::NeverReady { boots, ever });
        assert_eq!(now, 700 * MS);
    }

    #[test]
    fn a_worker_that_gets_ready_ends_the_row_of_those_that_did_not() {
        let rules = RestartRules {
            window: MS,
            ..RestartRules::default()
        };
        let mut backoff = Backoff::default();
        for day in 0..100 {
            for start in 0..rules.max_restarts {
                let now = (day * 100 + start) * 1000 * MS;
                assert!(backoff.after(None, true, now, &rules).is_ok());
            }
            backoff.on_ready();
        }
    }
}
