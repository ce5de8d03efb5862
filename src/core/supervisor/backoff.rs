//! When a slot's worker is restarted, and when restarts are given up.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::event::Moment;
use super::report::Verdict;
use crate::rules::RestartRules;

/// pidone gives up after this many failed starts in a row of one slot while no worker has ever been
/// ready: then the image is broken, and the orchestrator must see that within seconds.
const FIRST_BOOTS: u32 = 5;

/// The restarts of one slot or spare.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    recent: VecDeque<Moment>,
    /// Restarts since the last run of at least `min_uptime`.
    in_a_row: u32,
    /// Workers in a row that never got ready. Delays and boots can take so long that the window
    /// never contains enough of them, so they are counted without regard to time.
    unready: u32,
}

impl Backoff {
    /// A worker has exited after this `run`, or without ever being ready (`None`): how long to wait
    /// before the next start. `ever`: some worker has been ready since pidone started.
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
        // Keep no more entries than the comparison needs.
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

    /// A worker got ready.
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
    fn first_restart_is_immediate_then_the_delay_doubles_up_to_its_limit() {
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
        // The delay never exceeds the limit.
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
        assert!(
            now < rules.window,
            "the defaults detect a crash loop: {now:?}"
        );
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
    fn without_allowed_restarts_the_first_crash_is_a_crash_loop() {
        let rules = RestartRules {
            max_restarts: 0,
            ..RestartRules::default()
        };
        for run in [None, Some(MS)] {
            assert!(Backoff::default().after(run, true, MS, &rules).is_err());
        }
    }

    /// For all options and boot times: the count decides, not the clock.
    #[test]
    fn pidone_gives_up_after_a_bounded_number_of_failed_boots() {
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
    fn five_failed_first_boots_take_less_than_a_second() {
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
    fn a_ready_worker_resets_the_count_of_failed_boots() {
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
