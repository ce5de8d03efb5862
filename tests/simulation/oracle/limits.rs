//! Rules for the container's limits: what lasts for 2 s is followed, and nothing else.

use std::ops::RangeInclusive;

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
    /// The numbers of CPUs that may hold now.
    pub cpus: RangeInclusive<usize>,
    /// `-i auto`.
    is_auto: bool,
    /// A user may have set the number of workers, and has set another one.
    may_be_set: bool,
    is_set: bool,
    /// A user has requested that many workers with the last event.
    wants_auto: bool,
    /// The first worker has been started.
    runs: bool,
}

impl Limits {
    pub fn new(config: &RunRules, limits: ContainerLimits) -> Self {
        let instances = config.workers.as_ref().map(|workers| workers.instances);
        Self {
            read: limits,
            cpus: limits.cpus..=limits.cpus,
            is_auto: instances == Some(Instances::Auto),
            since: Moment::ZERO,
            max_memory: limits.max_memory,
            may_be_set: false,
            is_set: false,
            wants_auto: false,
            runs: false,
        }
    }

    /// The CPUs as read last.
    pub fn newest_cpus(&self) -> usize {
        self.read.cpus
    }

    fn has_settled(&self, now: Moment) -> bool {
        now >= self.since + SETTLE
    }
}

impl Oracle {
    pub(super) fn limits_before(&mut self, event: &Event, now: Moment) {
        self.limits.wants_auto = false;
        match event {
            Event::Started(_) => self.limits.runs = true,
            Event::Signal(signal) => {
                let signal = self.rewritten(*signal);
                self.limits.may_be_set |= matches!(signal, Some(Signal::TTIN | Signal::TTOU));
            }
            Event::Request {
                request: Request::Scale { to },
                ..
            } => {
                self.limits.wants_auto = *to == ScaleTo::Auto;
                let follows = self.limits.is_auto && self.limits.wants_auto;
                self.limits.may_be_set |= !follows;
                if follows && self.limits.runs {
                    self.limits.may_be_set = false;
                    self.limits.is_set = false;
                }
            }
            Event::Limits(read) if *read != self.limits.read => {
                self.limits.read = *read;
                self.limits.since = now;
                let cpus = self.limits.cpus.clone();
                self.limits.cpus = read.cpus.min(*cpus.start())..=read.cpus.max(*cpus.end());
            }
            _ => {}
        }
    }

    /// A user has set another number of workers.
    pub(super) fn set_by_user(&mut self, to: usize) -> Result<(), Broken> {
        let limits = &mut self.limits;
        must!(
            !limits.wants_auto || to == limits.newest_cpus(),
            "not the number of CPUs"
        );
        limits.is_set = !(limits.wants_auto && limits.is_auto);
        Ok(())
    }

    pub(super) fn cpus_changed(&mut self, to: usize, now: Moment) -> Result<(), Broken> {
        must!(!self.is_ending(), "pidone is stopping");
        must!(self.limits.is_auto, "an explicit number");
        must!(!self.limits.is_set, "a user has set the number");
        must!(self.limits.has_settled(now), "it has not settled");
        must!(
            to == self.limits.newest_cpus(),
            "the limits say something else"
        );
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
    pub(super) fn check_limits(&mut self, now: Moment) -> Result<(), Broken> {
        let limits = &mut self.limits;
        let is_due = now >= limits.since + SETTLE + self.slack && limits.runs;
        if is_due {
            limits.cpus = limits.read.cpus..=limits.read.cpus;
        }
        let limits = &self.limits;
        if !is_due || self.is_ending() || self.exited || self.single() {
            return Ok(());
        }
        must!(
            limits.may_be_set || !limits.is_auto || self.target == limits.newest_cpus(),
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
