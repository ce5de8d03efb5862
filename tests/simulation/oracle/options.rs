//! The options of the run, as the rules need them.

use super::*;

impl Oracle {
    pub(super) fn channel(&self) -> bool {
        let workers = self.config.workers.as_ref();
        workers.is_some_and(|workers| workers.channel)
    }

    pub(super) fn single(&self) -> bool {
        self.config.workers.is_none()
    }

    pub(super) fn in_place(&self) -> bool {
        let workers = self.config.workers.as_ref();
        workers.is_some_and(|workers| workers.port_env.is_some()) && !self.channel()
    }

    pub(super) fn can_steer(&self) -> bool {
        self.channel() || (!self.single() && self.config.listens)
    }

    /// How many may be replaced at a time.
    pub(super) fn surge(&self, workers: usize) -> usize {
        let rule = self.rule(|rules| Some(rules.surge));
        rule.filter(|_| !self.in_place())
            .unwrap_or_default()
            .of(workers)
    }

    pub(super) fn ready_timeout(&self) -> Duration {
        let workers = self.config.workers.as_ref();
        workers.map_or(Duration::ZERO, |workers| workers.ready_timeout)
    }

    pub(super) fn grace(&self) -> Duration {
        self.config.grace.unwrap_or_default()
    }

    pub(super) fn stop_signal(&self) -> Signal {
        let own = self.config.signals.stop;
        own.or(self.end.signal).unwrap_or(Signal::TERM)
    }

    pub(super) fn drains(&self) -> bool {
        let workers = self.config.workers.as_ref();
        self.channel() && workers.is_some_and(|workers| workers.stop == StopMode::Drain)
    }

    pub(super) fn spares(&self) -> usize {
        let workers = self.config.workers.as_ref();
        workers.map_or(0, |workers| usize::from(workers.spares))
    }

    pub(super) fn rule<T>(&self, of: impl Fn(&WorkerRules) -> Option<T>) -> Option<T> {
        self.config.workers.as_ref().and_then(of)
    }

    /// The signal after `--rewrite`.
    pub(super) fn rewritten(&self, signal: Signal) -> Option<Signal> {
        let rewrites = &self.config.signals.rewrites;
        let rewrite = rewrites.iter().find(|(from, _)| *from == signal);
        rewrite.map_or(Some(signal), |(_, to)| *to)
    }
}
