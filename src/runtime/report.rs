//! What pidone says about its child: one line for each thing worth knowing.

#![forbid(unsafe_code)]

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::ended::Ended;
use crate::signal::Signal;
use crate::sys::cgroup::OomCounter;

/// Says things about one child, by its name and process id.
#[derive(Debug)]
pub(super) struct Reporter {
    name: String,
    pid: i32,
    warn_on_reap: bool,
    /// The cgroup's count of OOM kills, and where it stood when the child started.
    oom: Option<(OomCounter, u64)>,
}

impl Reporter {
    pub(super) fn new(config: &Config) -> Self {
        let program = Path::new(&config.command.program);
        let name = program.file_name().unwrap_or(program.as_os_str());
        Self {
            name: name.to_string_lossy().into_owned(),
            pid: 0,
            warn_on_reap: config.warn_on_reap,
            oom: None,
        }
    }

    pub(super) fn started(&mut self, pid: i32) {
        self.pid = pid;
        self.oom =
            OomCounter::find().and_then(|counter| counter.read().map(|kills| (counter, kills)));
        log::debug!("{self} started");
    }

    pub(super) fn death(&self, signal: Signal, uptime: Duration, sent_by_us: bool) {
        let uptime = Uptime(uptime);
        if signal == Signal::KILL && !sent_by_us && self.was_oom_killed() {
            log::error!(
                "{self} was killed by the kernel after {uptime}: the container ran out of memory (OOM killer); \
                 give it more, or make the app use less (node --max-old-space-size=MiB)"
            );
        } else if sent_by_us {
            log::info!("{self} was ended by {signal}, which pidone had sent it, after {uptime}");
        } else {
            log::warn!("{self} was killed by {signal} after {uptime}; it did not come from pidone");
        }
    }

    fn was_oom_killed(&self) -> bool {
        let now = self.oom.as_ref().and_then(|(counter, _)| counter.read());
        self.oom
            .as_ref()
            .zip(now)
            .is_some_and(|((_, before), now)| now > *before)
    }

    pub(super) fn overdue(&self, grace: Duration) {
        log::warn!("{self} has not ended within its grace of {grace:?}: SIGKILL");
    }

    pub(super) fn orphan(&self, pid: i32, ended: Ended) {
        let level = if self.warn_on_reap {
            log::Level::Warn
        } else {
            log::Level::Trace
        };
        log::log!(level, "reaped the orphan with pid {pid}, {ended}");
    }
}

impl fmt::Display for Reporter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (pid {})", self.name, self.pid)
    }
}

/// A time as people say it: `0.4 s`, `3 min 5 s`, `2 h 14 min`, `9 d 3 h`.
struct Uptime(Duration);

impl fmt::Display for Uptime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(out, "{seconds}.{} s", self.0.subsec_millis() / 100),
            60..3_600 => write!(out, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(out, "{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ => write!(out, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_read_as_people_say_them() {
        for (seconds, text) in [
            (0.449, "0.4 s"),
            (59.99, "59.9 s"),
            (185.0, "3 min 5 s"),
            (8_070.0, "2 h 14 min"),
            (788_400.0, "9 d 3 h"),
        ] {
            assert_eq!(Uptime(Duration::from_secs_f64(seconds)).to_string(), text);
        }
    }
}
