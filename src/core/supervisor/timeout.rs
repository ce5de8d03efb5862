//! A timeout that a pause of the container does not use up.

use core::time::Duration;

use super::event::Moment;

/// A timeout in equal steps, each of which begins when pidone has seen the previous one end.
/// While a container is paused (cgroup freezer, SIGSTOP to all processes), pidone does not run, but
/// the clock does: a pause of any length uses up one step at most, not the whole limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeout {
    step_at: Moment,
    step: Duration,
    left: u32,
}

impl Timeout {
    /// Starts the limit, in this many steps.
    pub(super) fn begin(limit: Duration, steps: u32, now: Moment) -> Self {
        let step = limit / steps.max(1);
        Self {
            step_at: now + step,
            step,
            // A limit of zero is one step.
            left: if step.is_zero() { 1 } else { steps.max(1) },
        }
    }

    /// When [`has_ended`](Self::has_ended) is to be called.
    pub(super) fn deadline(&self) -> Moment {
        self.step_at
    }

    /// Whether the limit is reached; begins the next step if it is due.
    pub(super) fn has_ended(&mut self, now: Moment) -> bool {
        if self.left > 0 && self.step_at <= now {
            self.left -= 1;
            self.step_at = now + self.step;
        }
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_costs_one_step_at_most() {
        let limit = Duration::from_secs(8);
        let mut timeout = Timeout::begin(limit, 4, Moment::ZERO);
        let mut now = Moment::ZERO + Duration::from_secs(3600);
        assert!(!timeout.has_ended(now));
        let after = now;
        for _ in 0..2 {
            now = timeout.deadline();
            assert!(!timeout.has_ended(now));
            assert!(!timeout.has_ended(now), "a step counts once");
        }
        assert!(timeout.has_ended(timeout.deadline()));
        assert_eq!(timeout.deadline() - after, limit);
        let none = Timeout::begin(Duration::ZERO, 4, now);
        assert!(none.clone().has_ended(now));
    }
}
