//! Notices that the container's limits change (`docker update`, Kubernetes' in-place resize).

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::error::RunError;
use super::sources::{Registered, Source, Sources};
use super::{Runtime, notices, start};
use crate::config::{Config, Instances, MemoryLimit};
use crate::supervisor::{ContainerLimits, Event, Moment};
use crate::sys::inotify::WriteWatch;
use crate::sys::poll::Interest;
use crate::sys::{cgroup, cpu};

/// How often limits that may have changed unnoticed are read at most.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The limits that options depend on, and the watch for their changes.
#[derive(Debug)]
pub(super) struct LimitsWatch {
    /// The files with these limits.
    files: Vec<PathBuf>,
    /// `None`: no option depends on limits, or their files cannot be watched.
    watch: Option<Registered<WriteWatch>>,
    /// They may have changed unnoticed, so they are read when pidone wakes up anyway.
    is_behind: bool,
    read_at: Moment,
    /// What was read last.
    last: ContainerLimits,
}

impl LimitsWatch {
    /// Reads the limits, and begins to watch them.
    pub(super) fn begin(config: &Config, sources: &Sources) -> Result<Self, RunError> {
        let files = files(config);
        // Before they are read, so that no change is missed.
        let watch = (!files.is_empty()).then(|| WriteWatch::of(&files));
        let watch = watch.transpose();
        let is_behind = watch.is_err();
        let watch = watch.inspect_err(notices::limits_not_watched);
        let watch = watch.unwrap_or_default();
        Ok(Self {
            files,
            watch: watch.map(|it| Registered::new(sources, Source::Limits, it, Interest::Read)),
            is_behind,
            read_at: Moment::ZERO,
            last: ContainerLimits {
                cpus: cpu::available(),
                max_memory: start::max_memory(config)?,
            },
        })
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
        if let Some(watch) = &self.limits.watch {
            watch.drain();
        }
        self.read_limits();
    }

    /// Reads limits that may have changed unnoticed. Called at each wake-up.
    pub(super) fn check_limits(&mut self, now: Moment) {
        if self.limits.is_behind && now >= self.limits.read_at + READ_EVERY {
            self.limits.read_at = now;
            self.read_limits();
        }
    }

    /// Reads the limits, unless their values at the start stay.
    pub(super) fn read_limits(&mut self) {
        if !self.config.follow_limits {
            return;
        }
        let limits = &mut self.limits;
        // Without a free descriptor, for one: that must not pass for "no limit".
        let is_readable = cgroup::can_read(&limits.files);
        let is_watched = limits.watch.is_some() || limits.files.is_empty();
        limits.is_behind = !is_watched || !is_readable;
        if !is_readable {
            return;
        }
        let read = ContainerLimits {
            cpus: cpu::available(),
            // An error at the start only: the limit may be lifted later.
            max_memory: start::max_memory(self.config).unwrap_or_default(),
        };
        if std::mem::replace(&mut limits.last, read) != read {
            self.events.push_back(Event::Limits(read));
        }
    }
}
