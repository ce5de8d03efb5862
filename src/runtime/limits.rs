//! Notices that the container's limits change (`docker update`, Kubernetes' in-place resize).

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::error::RunError;
use super::sources::{Registered, Source, Sources};
use super::{Runtime, notices, start};
use crate::config::{Config, Instances, MemoryLimit};
use crate::supervisor::{ContainerLimits, Event, Moment};
use crate::sys::cgroup;
use crate::sys::inotify::WriteWatch;
use crate::sys::poll::Interest;

/// How often limits that cannot be watched are read at most.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The limits that options depend on, and the watch for their changes.
#[derive(Debug)]
pub(super) struct LimitsWatch {
    /// What was read last.
    last: ContainerLimits,
    noticed: Noticed,
}

/// How a change is noticed.
#[derive(Debug)]
enum Noticed {
    /// Not at all: no option depends on limits, or there are none.
    Never,
    /// The kernel reports it.
    AtOnce(Registered<WriteWatch>),
    /// The kernel does not: the limits are read when pidone wakes up anyway.
    Late { read_at: Moment },
}

impl LimitsWatch {
    /// Reads the limits, and begins to watch them.
    pub(super) fn begin(config: &Config, sources: &Sources) -> Result<Self, RunError> {
        let files = files(config);
        // Before they are read, so that no change is missed.
        let noticed = if files.is_empty() {
            Noticed::Never
        } else {
            match WriteWatch::of(&files) {
                Ok(watch) => {
                    let source = Source::Limits;
                    Noticed::AtOnce(Registered::new(sources, source, watch, Interest::Read))
                }
                Err(error) => {
                    notices::limits_not_watched(&error);
                    let read_at = Moment::ZERO;
                    Noticed::Late { read_at }
                }
            }
        };
        let last = ContainerLimits {
            workers: start::instances(config),
            max_memory: start::max_memory(config)?,
        };
        Ok(Self { last, noticed })
    }

    /// What was read last.
    pub(super) fn last(&self) -> ContainerLimits {
        self.last
    }
}

/// The files with the limits that the options depend on.
fn files(config: &Config) -> Vec<PathBuf> {
    let Some(workers) = config.workers.as_ref().filter(|_| config.follow_limits) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    if workers.instances == Instances::Auto {
        files.extend(cgroup::limit_files("cpu"));
        files.extend(cgroup::limit_files("cpuset"));
    }
    if let Some(MemoryLimit::Percent(_)) = workers.max_memory {
        files.extend(cgroup::limit_files("memory"));
    }
    files
}

impl Runtime<'_> {
    /// A file with limits was written to.
    pub(super) fn on_limits_written(&mut self) {
        if let Noticed::AtOnce(watch) = &self.limits.noticed {
            watch.drain();
        }
        self.read_limits();
    }

    /// Reads limits that cannot be watched. Called at each wake-up.
    pub(super) fn check_limits(&mut self, now: Moment) {
        if let Noticed::Late { read_at } = &mut self.limits.noticed
            && now >= *read_at + READ_EVERY
        {
            *read_at = now;
            self.read_limits();
        }
    }

    fn read_limits(&mut self) {
        let read = ContainerLimits {
            workers: start::instances(self.config),
            // An error at the start only: the limit may be lifted later.
            max_memory: start::max_memory(self.config).unwrap_or_default(),
        };
        if std::mem::replace(&mut self.limits.last, read) != read {
            self.events.push_back(Event::Limits(read));
        }
    }
}
