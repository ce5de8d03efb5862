//! What pidone says about its workers: one line for each thing worth knowing.

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
use crate::text::Spoken;

/// Says things, and knows what the kernel's OOM killer has done so far.
#[derive(Debug)]
pub(super) struct Reporter {
    program: String,
    /// Single mode: there is one child, and nothing to say about it as long as all is well.
    single: bool,
    /// Something shows when a worker is ready.
    tells: bool,
    /// How workers ended whose restart is put off, as it was said last.
    last_put_off: Option<Ended>,
    warn_on_reap: bool,
    /// The cgroup's count of OOM kills, and where it stood when it was last looked at.
    oom: Option<(OomCounter, u64)>,
}

/// A worker, as people call it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    /// Its number among the workers; `None`: it is the only one.
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
            tells: config
                .workers
                .as_ref()
                .is_some_and(|workers| workers.ready != Readiness::None),
            last_put_off: None,
            warn_on_reap: config.warn_on_reap,
            oom: None,
        }
    }

    pub(super) fn started(&self, name: Name) {
        log::debug!("{} started", self.called(name));
    }

    /// Takes note of the OOM kills so far, to tell later ones.
    pub(super) fn look_at_oom_kills(&mut self) {
        if self.oom.is_none() {
            self.oom =
                OomCounter::find().and_then(|counter| counter.read().map(|kills| (counter, kills)));
        }
    }

    /// How many processes the OOM killer has killed here, if the kernel says so.
    pub(super) fn oom_kills(&self) -> Option<u64> {
        let (counter, _) = self.oom.as_ref()?;
        counter.read()
    }

    /// `name` is the worker's that the report is about, if it is about one.
    pub(super) fn report(&mut self, report: Report, name: Name) {
        let who = self.called(name);
        match report {
            Report::Ended {
                ended,
                uptime,
                sent_by_us,
                next,
                ..
            } => self.ended(&who, ended, uptime, sent_by_us, next),
            Report::Overdue { grace, .. } => {
                log::warn!(
                    "{who} did not exit within the grace period ({}); sending SIGKILL",
                    Spoken(grace)
                );
            }
            Report::NeverReady { timeout, .. } => log::error!(
                "{who} was not ready within {} (--ready-timeout); stopping it. Check --ready, and that the command \
                 is Node.js itself and calls listen()",
                Spoken(timeout)
            ),
            Report::AllReady { workers: 1 } => log::info!("the worker is ready"),
            Report::AllReady { workers } => log::info!("all {workers} workers are ready"),
            Report::CrashLoop {
                verdict,
                own,
                status,
                ..
            } => log::error!(
                "crash loop: {who} {}; shutting down with {}",
                Why(verdict, self.tells),
                With { own, status }
            ),
            Report::Command { others, .. } => log::warn!(
                "{who} exited with status 0 before any worker called listen(): it is a one-shot command, or moves to the \
                 background, and -i is for servers; pidone exits with 0{} (for one run without workers, leave out -i or \
                 set PIDONE_INSTANCES to nothing)",
                if others == 0 {
                    ""
                } else {
                    " when the other workers have ended"
                }
            ),
            Report::ReloadBegun => log::info!("reload started"),
            Report::RestartBegun { slot } => {
                log::info!("restart of slot {slot} started");
            }
            Report::SlotReplaced { slot, .. } => log::info!("slot {slot}: {who} serves"),
            Report::ReloadDone { took } => log::info!("reload done in {}", Spoken(took)),
            Report::ReloadFailed { .. } => log::error!(
                "reload failed: the successor {who} was not ready in time; the old workers stay"
            ),
            Report::Scaled { from, to } => log::info!("scaling from {from} to {to} workers"),
            Report::ScaleDone { workers: 1 } => log::info!("scaling done: one worker serves"),
            Report::ScaleDone { workers } => log::info!("scaling done: {workers} workers serve"),
            Report::Recycled { reason, .. } => log::info!("{who} {reason}; replacing it"),
            Report::Hung { after, .. } => log::error!(
                "{who} hangs: its event loop has not responded for {} (--hang-timeout); sending SIGABRT",
                Spoken(after)
            ),
            Report::Unresponsive { after, .. } => log::warn!(
                "{who} is unresponsive: its event loop has not answered for {} \
                 (--unresponsive-after)",
                Spoken(after)
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
                say_left(
                    log::Level::Info,
                    "waiting for the remaining processes to exit",
                );
            }
            Report::KillingLeftovers => {
                say_left(
                    log::Level::Warn,
                    "remaining processes did not exit; sending SIGKILL",
                );
            }
        }
    }

    fn ended(&mut self, who: &str, ended: Ended, uptime: Duration, sent_by_us: bool, next: Next) {
        let uptime = Spoken(uptime);
        let then = Then(next);
        // What several workers fail by at the same time is worth saying once.
        if next == Next::Wait && self.last_put_off.replace(ended) == Some(ended) {
            log::debug!("{who} has {ended} after {uptime} too{then}");
            return;
        }
        match ended {
            Ended::Killed(Signal::KILL) if !sent_by_us && self.was_oom_kill() => log::error!(
                "{who} was killed by the kernel's OOM killer after {uptime}: the container ran out of memory; \
                 raise its limit, or make the app use less (node --max-old-space-size=MiB){then}"
            ),
            Ended::Killed(signal) if sent_by_us => {
                log::info!("{who} was killed by {signal} (sent by pidone) after {uptime}{then}");
            }
            Ended::Killed(Signal::ABRT) => log::warn!(
                "{who} aborted after {uptime} (SIGABRT, not sent by pidone); if Node.js wrote \"heap out of memory\", raise \
                 its heap limit: node --max-old-space-size=MiB{then}"
            ),
            Ended::Killed(signal) => {
                log::warn!(
                    "{who} was killed by {signal} (not sent by pidone) after {uptime}{then}"
                );
            }
            Ended::Code(code) if next == Next::Nothing && self.single => {
                log::debug!("{who} exited with status {code} after {uptime}");
            }
            Ended::Code(code) => {
                let level = match next {
                    Next::Nothing => log::Level::Info,
                    _ => log::Level::Warn,
                };
                log::log!(
                    level,
                    "{who} exited with status {code} after {uptime}{then}"
                );
            }
        }
    }

    /// Whether there was one since the last look.
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
    pub(super) fn called(&self, name: Name) -> String {
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

/// Says who is still there, if anybody is.
fn say_left(level: log::Level, what: &str) {
    let names = leftovers::names();
    if !names.is_empty() {
        log::log!(level, "{what}: {names}");
    }
}

/// Why the kernel stops a process in the background (termios(3), "TOSTOP"; setpgid(2)).
fn terminal_use(signal: Signal) -> &'static str {
    match signal {
        Signal::TTIN => " (it read from the terminal in the background)",
        Signal::TTOU => " (it wrote to the terminal in the background)",
        _ => "",
    }
}

/// What comes next, as the end of a sentence.
struct Then(Next);

impl fmt::Display for Then {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Next::Nothing => Ok(()),
            Next::Successor => out.write_str("; its successor takes over"),
            Next::Spare => out.write_str("; a spare takes over"),
            Next::Wait => out.write_str("; restarting when another worker serves"),
            Next::Restart(Duration::ZERO) => out.write_str("; restarting"),
            Next::Restart(delay) => write!(out, "; restarting in {}", Spoken(delay)),
        }
    }
}

/// What makes a crash loop, behind the name of its last worker. `.1`: workers say when they are ready.
struct Why(Verdict, bool);

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Verdict::Restarts { restarts, window }, _) => write!(
                out,
                "exited; restart limit reached ({restarts} in {}, --max-restarts)",
                Spoken(window)
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

/// The status that a crash loop ends with, as the end of a sentence.
struct With {
    own: Option<u8>,
    status: u8,
}

impl fmt::Display for With {
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
