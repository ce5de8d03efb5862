//! Rules for the container's limits: what lasts for 2 s is followed, and nothing else.

use pidone::rules::Instances;
use pidone::supervisor::ContainerLimits;

use super::*;

const SETTLE: Duration = Duration::from_secs(2);

/// What was read, and what holds.
pub struct Limits {
    /// What was read last, and when it was first read since it was something else.
    read: ContainerLimits,
    since: Moment,
    /// `--max-memory`.
    pub max_memory: Option<u64>,
    /// A user may have set the number of workers, and has set another one.
    may_be_set: bool,
    is_set: bool,
    /// The first worker has been started.
    runs: bool,
}

impl Limits {
    pub fn new(limits: ContainerLimits) -> Self {
        Self {
            read: limits,
            since: Moment::ZERO,
            max_memory: limits.max_memory,
            may_be_set: false,
            is_set: false,
            runs: false,
        }
    }

    fn workers(&self) -> usize {
        self.read.workers.clamp(1, usize::from(Instances::MAX))
    }

    fn has_settled(&self, now: Moment) -> bool {
        now >= self.since + SETTLE
    }
}

impl Oracle {
    pub(super) fn limits_before(&mut self, event: &Event, now: Moment) {
        match event {
            Event::Started(_) => self.limits.runs = true,
            Event::Signal(signal) => {
                let signal = self.rewritten(*signal);
                self.limits.may_be_set |= matches!(signal, Some(Signal::TTIN | Signal::TTOU));
            }
            Event::Request {
                request: Request::Scale { .. },
                ..
            } => self.limits.may_be_set = true,
            Event::Limits(read) if *read != self.limits.read => {
                self.limits.read = *read;
                self.limits.since = now;
            }
            _ => {}
        }
    }

    /// A user has set another number of workers.
    pub(super) fn set_by_user(&mut self) {
        self.limits.is_set = true;
    }

    pub(super) fn cpus_changed(&mut self, to: usize, now: Moment) -> Result<(), Broken> {
        must!(!self.is_ending(), "pidone is stopping");
        must!(!self.limits.is_set, "a user has set the number");
        must!(self.limits.has_settled(now), "it has not settled");
        must!(to == self.limits.workers(), "the limits say something else");
        Ok(())
    }

    pub(super) fn memory_changed(&mut self, from: u64, to: u64, now: Moment) -> Result<(), Broken> {
        must!(!self.is_ending(), "pidone is stopping");
        must!(self.limits.has_settled(now), "it has not settled");
        must!(
            self.limits.read.max_memory == Some(to) && from != to,
            "the limits say something else"
        );
        must!(self.limits.max_memory == Some(from), "it was another one");
        self.limits.max_memory = Some(to);
        Ok(())
    }

    /// What has been so for long enough is followed.
    pub(super) fn check_limits(&self, now: Moment) -> Result<(), Broken> {
        let limits = &self.limits;
        let is_due = now >= limits.since + SETTLE + self.slack && limits.runs;
        if !is_due || self.is_ending() || self.exited || self.single() {
            return Ok(());
        }
        must!(
            limits.may_be_set || self.target == limits.workers(),
            "the CPU limit is not followed"
        );
        must!(
            limits.read.max_memory.is_none() || limits.max_memory == limits.read.max_memory,
            "the memory limit is not followed"
        );
        Ok(())
    }

    /// pidone may have to wake up for a change.
    pub(super) fn limits_may_wake(&self, now: Moment) -> bool {
        now < self.limits.since + SETTLE + self.slack
    }
}
