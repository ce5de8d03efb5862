//! How soon a place's worker is started again, and when that makes no sense any more.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use super::event::Moment;
use crate::config::RestartRules;

/// The restarts of one place.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    recent: VecDeque<Moment>,
    /// Restarts since the last good run.
    in_a_row: u32,
    /// Those in a row that never got ready. They take so long that the window may never see enough
    /// of them.
    unready: u32,
}

impl Backoff {
    /// A worker has ended after such a `run`, or without ever being ready: how long to wait before the
    /// next start. `None`: it is a crash loop.
    pub(super) fn after(
        &mut self,
        run: Option<Duration>,
        now: Moment,
        rules: &RestartRules,
    ) -> Option<Duration> {
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
        if self.recent.len() > rules.max_restarts as usize {
            self.recent.pop_front();
            return None;
        }
        if self.unready > rules.max_restarts {
            return None;
        }
        if run.is_some_and(|run| run >= rules.min_uptime) {
            self.in_a_row = 0;
        }
        let doublings = self.in_a_row.checked_sub(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Some(doublings.map_or(Duration::ZERO, |doublings| {
            let factor = 2_u32.saturating_pow(doublings);
            rules.min_delay.saturating_mul(factor).min(rules.max_delay)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            .map(|second| backoff.after(Some(MS), second * 1000 * MS, &rules).unwrap())
            .collect();
        assert_eq!(
            delays,
            [0, 100, 200, 400, 800, 1000, 1000].map(|ms| ms * MS)
        );
        let good = backoff.after(Some(rules.min_uptime), 8000 * MS, &rules);
        assert_eq!(good, Some(Duration::ZERO));
        assert_eq!(backoff.after(Some(MS), 8000 * MS, &rules), Some(100 * MS));
        // However long it goes on.
        for _ in 0..80 {
            assert!(backoff.after(Some(MS), 8000 * MS, &rules).unwrap() <= rules.max_delay);
        }
    }

    #[test]
    fn more_restarts_in_the_window_than_allowed_are_a_crash_loop() {
        let rules = RestartRules::default();
        let mut backoff = Backoff::default();
        let mut now = Moment::ZERO;
        for _ in 0..rules.max_restarts {
            now += backoff.after(Some(MS), now, &rules).unwrap();
        }
        assert!(now < rules.window, "the defaults find one: {now:?}");
        assert_eq!(backoff.after(Some(MS), now, &rules), None);

        let mut backoff = Backoff::default();
        for minute in 0..100 {
            let now = minute * rules.window / rules.max_restarts;
            assert!(backoff.after(Some(MS), now, &rules).is_some());
        }
    }

    #[test]
    fn with_no_restart_allowed_the_first_crash_is_a_loop() {
        let rules = RestartRules {
            max_restarts: 0,
            ..RestartRules::default()
        };
        assert_eq!(Backoff::default().after(Some(MS), MS, &rules), None);
    }

    #[test]
    fn starts_that_take_too_long_are_a_crash_loop_however_rare_they_are() {
        let rules = RestartRules::default();
        let mut backoff = Backoff::default();
        for half_minute in 0..rules.max_restarts {
            let now = half_minute * rules.window / 2;
            assert!(backoff.after(None, now, &rules).is_some());
        }
        assert_eq!(backoff.after(None, 100 * rules.window, &rules), None);
        assert!(
            backoff
                .after(Some(MS), 200 * rules.window, &rules)
                .is_some()
        );
        assert!(backoff.after(None, 300 * rules.window, &rules).is_some());
    }
}
