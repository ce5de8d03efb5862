//! The options, as the supervisor's decisions need them.

use alloc::vec::Vec;
use core::time::Duration;

use super::drain::DrainRules;
use super::leftovers::LEFTOVER_GRACE;
use super::request;
use super::worker::WatchRules;
use crate::rules::{
    Boot, Instances, Readiness, RestartRules, RunRules, SignalRules, StopMode, Surge,
};
use crate::signal::Signal;

/// The options.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) signals: SignalRules,
    /// Single mode: every signal is passed on to the child.
    pub(super) transparent: bool,
    pub(super) expected: Vec<u8>,
    pub(super) restart: RestartRules,
    pub(super) ready: Readiness,
    pub(super) ready_timeout: Duration,
    pub(super) boot: Boot,
    /// The number of workers is that of the CPUs.
    pub(super) is_auto: bool,
    /// How many workers are replaced at a time.
    pub(super) surge: Surge,
    /// A successor needs the resources of the old worker, its port for example, and cannot boot
    /// beside it.
    pub(super) in_place: bool,
    /// The highest number of workers.
    pub(super) most: usize,
    pub(super) drain: DrainRules,
    pub(super) watch: WatchRules,
}

impl Rules {
    /// `max_memory`: the value of `--max-memory` in bytes.
    pub(super) fn new(config: &RunRules, max_memory: Option<u64>) -> Self {
        let workers = config.workers.as_ref();
        let port_env = workers.and_then(|workers| workers.port_env.as_ref());
        let channel = workers.is_some_and(|workers| workers.channel);
        let in_place = !channel && port_env.is_some();
        Self {
            signals: config.signals.clone(),
            transparent: workers.is_none(),
            expected: config.expected.clone(),
            restart: config.restart.clone(),
            ready: workers.map_or(Readiness::None, |workers| workers.ready),
            ready_timeout: workers.map_or(Duration::ZERO, |workers| workers.ready_timeout),
            boot: workers.map_or(Boot::Together, |workers| workers.boot),
            is_auto: workers.is_some_and(|workers| workers.instances == Instances::Auto),
            surge: match workers {
                Some(workers) if !in_place => workers.surge,
                _ => Surge::default(),
            },
            in_place,
            most: request::most(port_env),
            drain: DrainRules {
                channel,
                can_steer: channel || (workers.is_some() && config.listens),
                stop: workers.map_or(StopMode::Signal, |workers| workers.stop),
                stop_signal: config.signals.stop.unwrap_or(Signal::TERM),
                drain_delay: workers.map_or(Duration::ZERO, |workers| workers.drain_delay),
                http_drain: workers.and_then(|workers| workers.http_drain),
                grace: config.grace.unwrap_or(LEFTOVER_GRACE),
                kills: workers.is_some() || config.grace.is_some(),
            },
            watch: WatchRules {
                max_memory,
                max_age: workers.and_then(|workers| workers.max_age),
                hang_timeout: workers
                    .and_then(|workers| workers.hang_timeout)
                    .filter(|_| channel),
                unresponsive_after: workers
                    .map_or(Duration::ZERO, |workers| workers.unresponsive_after),
            },
        }
    }
}
