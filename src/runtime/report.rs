//! Log lines about the workers.

#![forbid(unsafe_code)]

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Readiness};
use crate::ended::Ended;
use crate::signal::Signal;
use crate::supervisor::{Next, Report, Verdict};
use crate::sys::cgroup::OomCounter;
use crate::sys::leftovers;
use crate::text::{HumanBytes, HumanDuration};

/// Writes the log lines. Remembers how many processes the kernel's OOM killer has killed so far.
#[derive(Debug)]
pub(super) struct Reporter {
    program: String,
    /// Single mode: a normal exit of the only child is logged at debug level.
    single: bool,
    /// `--ready` is not `none`.
    has_readiness: bool,
    /// How the last worker ended whose restart was delayed, to log it once.
    last_delayed: Option<Ended>,
    warn_on_reap: bool,
    /// The cgroup's count of OOM kills, and its value when it was last read.
    oom: Option<(OomCounter, u64)>,
}

/// How log lines name a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    /// Its instance number; `None`: single mode.
    pub(super) instance: Option<usize>,
    pub(super) pid: Option<i32>,
}

impl Reporter {
    pub(super) fn new(config: &Config) -> Self {
        let program = Path::new(&config.command.program);
        let name = program.file_name().unwrap_or(program.as_os_str());
        Self {
            program: name.to_string_lossy().into_owned(),
            single: config.workers.is_none(),
            has_readiness: config
                .workers
                .as_ref()
                .is_some_and(|workers| workers.ready != Readiness::None),
            last_delayed: None,
            warn_on_reap: config.warn_on_reap,
            oom: None,
        }
    }

    pub(super) fn started(&self, name: Name) {
        log::debug!("{} started", self.describe(name));
    }

    /// Reads the number of OOM kills so far, to recognize later ones.
    pub(super) fn look_at_oom_kills(&mut self) {
        if self.oom.is_none() {
            self.oom =
                OomCounter::find().and_then(|counter| counter.read().map(|kills| (counter, kills)));
        }
    }

    /// How many processes the OOM killer has killed in this cgroup, if the kernel counts them.
    pub(super) fn oom_kills(&self) -> Option<u64> {
        let (counter, _) = self.oom.as_ref()?;
        counter.read()
    }

    /// Logs a report. `name`: the worker that it is about, if any. Returns what it says about the worker
    /// if that is an unplanned end, or a reason for one.
    pub(super) fn report(&mut self, report: Report, name: Name) -> Option<String> {
        let who = self.describe(name);
        let (level, what) = match report {
            Report::Ended {
                ended,
                uptime,
                sent_by_us,
                is_planned,
                next,
                ..
            } => {
                let (level, what) = self.ended(ended, uptime, sent_by_us, next);
                log::log!(level, "{who} {what}");
                let is_foreign = matches!(ended, Ended::Killed(_)) && !sent_by_us;
                return (is_foreign || !is_planned).then_some(what);
            }
            Report::Overdue { grace, .. } => (
                log::Level::Warn,
                format!(
                    "did not exit within the grace period ({}); sending SIGKILL",
                    HumanDuration(grace)
                ),
            ),
            Report::NeverReady { timeout, .. } => (
                log::Level::Error,
                format!(
                    "was not ready within {} (--ready-timeout); stopping it. Check --ready, and that the command \
                     is Node.js itself and calls listen()",
                    HumanDuration(timeout)
                ),
            ),
            Report::Recycled { reason, .. } => {
                (log::Level::Info, format!("{reason}; replacing it"))
            }
            Report::Hung { after, .. } => (
                log::Level::Error,
                format!(
                    "hangs: its event loop has not responded for {} (--hang-timeout); sending SIGABRT",
                    HumanDuration(after)
                ),
            ),
            Report::CrashLoop {
                verdict,
                own,
                status,
                ..
            } => {
                let (reason, status) = (
                    CrashReason(verdict, self.has_readiness),
                    FinalStatus { own, status },
                );
                log::error!("crash loop: {who} {reason}; shutting down with {status}");
                return Some(format!("crash loop: {reason}; shutting down with {status}"));
            }
            other => {
                log_other(other, &who);
                return None;
            }
        };
        log::log!(level, "{who} {what}");
        Some(what)
    }

    /// The log line about a worker's end, without its name.
    fn ended(
        &mut self,
        ended: Ended,
        uptime: Duration,
        sent_by_us: bool,
        next: Next,
    ) -> (log::Level, String) {
        let uptime = HumanDuration(uptime);
        let then = NextStep(next);
        // Several workers that fail in the same way at the same time are logged once.
        if next == Next::Wait && self.last_delayed.replace(ended) == Some(ended) {
            let what = format!("ended like the worker before: {ended} after {uptime}{then}");
            return (log::Level::Debug, what);
        }
        match ended {
            Ended::Killed(Signal::KILL) if !sent_by_us && self.was_oom_kill() => (
                log::Level::Error,
                format!(
                    "was killed by the kernel's OOM killer after {uptime}: the container ran out of memory; \
                     raise its limit, or make the app use less (node --max-old-space-size=MiB){then}"
                ),
            ),
            Ended::Killed(signal) if sent_by_us => (
                log::Level::Info,
                format!("was killed by {signal} (sent by pidone) after {uptime}{then}"),
            ),
            Ended::Killed(Signal::ABRT) => (
                log::Level::Warn,
                format!(
                    "aborted after {uptime} (SIGABRT, not sent by pidone); if Node.js wrote \"heap out of memory\", raise \
                     its heap limit: node --max-old-space-size=MiB{then}"
                ),
            ),
            Ended::Killed(signal) => (
                log::Level::Warn,
                format!("was killed by {signal} (not sent by pidone) after {uptime}{then}"),
            ),
            Ended::Code(code) => {
                let level = match next {
                    Next::Nothing if self.single => log::Level::Debug,
                    Next::Nothing => log::Level::Info,
                    _ => log::Level::Warn,
                };
                (
                    level,
                    format!("exited with status {code} after {uptime}{then}"),
                )
            }
        }
    }

    /// Whether the count of OOM kills has grown since it was last read.
    fn was_oom_kill(&mut self) -> bool {
        let Some((counter, before)) = &mut self.oom else {
            return false;
        };
        let now = counter.read().unwrap_or(*before);
        now > std::mem::replace(before, now)
    }

    pub(super) fn orphan(&self, pid: i32, ended: Ended) {
        let level = if self.warn_on_reap {
            log::Level::Warn
        } else {
            log::Level::Trace
        };
        log::log!(level, "reaped the orphan with pid {pid}, {ended}");
    }

    /// `node (pid 7)`, `worker 2 (pid 15)`.
    pub(super) fn describe(&self, name: Name) -> String {
        let mut who = match name.instance {
            Some(instance) => format!("worker {instance}"),
            None => self.program.clone(),
        };
        if let Some(pid) = name.pid {
            who.push_str(&format!(" (pid {pid})"));
        }
        who
    }
}

/// Logs what no list of ends contains.
fn log_other(report: Report, who: &str) {
    match report {
        Report::AllReady { workers: 1 } => log::info!("the worker is ready"),
        Report::AllReady { workers } => log::info!("all {workers} workers are ready"),
        Report::Command { others, .. } => log::warn!(
            "{who} exited with status 0 before any worker called listen(): it is a one-shot command, or moves to the \
             background, and -i is for servers; pidone exits with 0{} (to run it once without workers, leave out -i or \
             set PIDONE_INSTANCES to an empty string)",
            if others == 0 {
                ""
            } else {
                " when the other workers have exited"
            }
        ),
        Report::ReloadBegun => log::info!("reload started"),
        Report::RestartBegun { slot } => {
            log::info!("restart of slot {slot} started");
        }
        Report::SlotReplaced { slot, .. } => log::info!("slot {slot}: {who} serves"),
        Report::ReloadDone { took } => log::info!("reload done in {}", HumanDuration(took)),
        Report::ReloadFailed { progress, .. } => log::error!(
            "reload failed: {progress} workers replaced; the successor {who} did not become ready; the others stay"
        ),
        Report::Scaled { from, to } => log::info!("scaling from {from} to {to} workers"),
        Report::CpusChanged { from, to } => log::info!(
            "scaling from {from} to {to} workers: the container's CPU limit has changed (-i auto)"
        ),
        Report::MemoryChanged { from, to } => log::info!(
            "--max-memory changes from {} to {}: the container's memory limit has changed",
            HumanBytes(from),
            HumanBytes(to)
        ),
        Report::ScaleDone { workers: 1 } => log::info!("scaling done: one worker serves"),
        Report::ScaleDone { workers } => log::info!("scaling done: {workers} workers serve"),
        Report::Unresponsive { after, .. } => log::warn!(
            "{who} is unresponsive: its event loop has not answered for {} \
             (--unresponsive-after)",
            HumanDuration(after)
        ),
        Report::Responsive { .. } => log::info!("{who} is responsive again"),
        Report::Stopped { signal, .. } => log::warn!(
            "{who} was stopped by {signal}{}; it gets no connections until SIGCONT continues it",
            terminal_use(signal)
        ),
        Report::Continued { .. } => log::info!("{who} was continued"),
        Report::RequestRefused { why } => log::warn!("request refused: {why}"),
        Report::LastWorker => {
            log::warn!("SIGTTOU ignored: one worker is left; SIGTERM stops it");
        }
        Report::Stopping { signal } => log::info!("{signal}: stopping"),
        Report::TerminalClosed => log::info!("the terminal is closed (SIGHUP from the kernel)"),
        Report::Aborting => {
            log::error!("SIGABRT: killing all workers and exiting at once");
        }
        Report::StoppingAtOnce => {
            log::warn!("second request to stop: sending SIGKILL to all workers");
        }
        Report::WaitingForLeftovers => {
            report_leftovers(
                log::Level::Info,
                "waiting for the remaining processes to exit",
            );
        }
        Report::KillingLeftovers => {
            report_leftovers(
                log::Level::Warn,
                "remaining processes did not exit; sending SIGKILL",
            );
        }
        Report::Ended { .. }
        | Report::Overdue { .. }
        | Report::NeverReady { .. }
        | Report::Recycled { .. }
        | Report::Hung { .. }
        | Report::CrashLoop { .. } => {}
    }
}

/// Logs the names of the remaining processes, if there are any.
fn report_leftovers(level: log::Level, what: &str) {
    let names = leftovers::names();
    if !names.is_empty() {
        log::log!(level, "{what}: {names}");
    }
}

/// Why the kernel stopped a process in the background (termios(3), "TOSTOP"; setpgid(2)).
fn terminal_use(signal: Signal) -> &'static str {
    match signal {
        Signal::TTIN => " (it read from the terminal in the background)",
        Signal::TTOU => " (it wrote to the terminal in the background)",
        _ => "",
    }
}

/// What pidone does next, as the end of a sentence.
struct NextStep(Next);

impl fmt::Display for NextStep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Next::Nothing => Ok(()),
            Next::Successor => out.write_str("; its successor takes over"),
            Next::Spare => out.write_str("; a spare takes over"),
            Next::Wait => out.write_str("; restarting when another worker serves"),
            Next::Restart(Duration::ZERO) => out.write_str("; restarting"),
            Next::Restart(delay) => write!(out, "; restarting in {}", HumanDuration(delay)),
        }
    }
}

/// Why pidone gives up, after the name of the last worker. `.1`: `--ready` is not `none`.
struct CrashReason(Verdict, bool);

impl fmt::Display for CrashReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Verdict::Restarts { restarts, window }, _) => write!(
                out,
                "exited; restart limit reached ({restarts} in {}, --max-restarts)",
                HumanDuration(window)
            ),
            (Verdict::NeverReady { boots: 1, .. }, _) => {
                out.write_str("failed to start; no restart is allowed (--max-restarts)")
            }
            (Verdict::NeverReady { boots, ever: false }, true) => write!(
                out,
                "failed to start; {boots} starts in a row have failed, and no worker has ever been ready"
            ),
            (Verdict::NeverReady { boots, ever: false }, false) => write!(
                out,
                "failed; {boots} runs in a row have failed within --min-uptime, and none has lasted longer"
            ),
            (Verdict::NeverReady { boots, ever: true }, true) => write!(
                out,
                "failed to start; {boots} starts in a row have failed in its slot (--max-restarts)"
            ),
            (Verdict::NeverReady { boots, ever: true }, false) => write!(
                out,
                "failed; {boots} runs in a row have failed within --min-uptime (--max-restarts)"
            ),
        }
    }
}

/// The exit status after a crash loop, as the end of a sentence.
struct FinalStatus {
    own: Option<u8>,
    status: u8,
}

impl fmt::Display for FinalStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.own, self.status) {
            (Some(own), status) if own == status => write!(out, "its status, {status}"),
            (Some(own), status) => {
                write!(
                    out,
                    "status {status}, because its own, {own}, would count as success"
                )
            }
            (None, _) => out.write_str("its status, or 1 if that counts as success"),
        }
    }
}
