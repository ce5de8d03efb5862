//! What the service manager above pidone is told: how the service does, and that pidone is alive
//! (sd_notify(3)). It is told what has changed, whenever pidone goes to sleep.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::Runtime;
use crate::cause::Cause;
use crate::supervisor::Moment;
use crate::sys::manager::{self, Manager};

/// How the service does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) is_ready: bool,
    pub(super) is_reloading: bool,
    pub(super) is_stopping: bool,
    /// One line for people.
    pub(super) text: String,
}

/// What the manager knows.
#[derive(Debug)]
pub(super) struct Notifier {
    manager: Manager,
    known: Service,
    /// Half of what the manager allows between two signs of life.
    period: Option<Duration>,
    /// When the next one is due.
    due: Moment,
    has_complained: bool,
}

impl Notifier {
    /// `None`: there is no manager.
    pub(super) fn find() -> Option<Self> {
        let manager = match Manager::find() {
            Ok(manager) => manager?,
            Err(error) => {
                log::warn!(
                    "NOTIFY_SOCKET is no socket that can be written to: {}",
                    Cause(&error)
                );
                return None;
            }
        };
        Some(Self {
            manager,
            known: Service::default(),
            period: manager::watchdog().map(|period| period / 2),
            due: Moment::ZERO,
            has_complained: false,
        })
    }

    /// When there must be a sign of life; `None`: never.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.period.map(|_| self.due)
    }

    /// Tells what has changed, and gives a sign of life if it is time.
    pub(super) fn tell(&mut self, service: Service, now: Moment) {
        let mut message = changes(&self.known, &service, manager::monotonic);
        if let Some(period) = self.period
            && self.due <= now
        {
            self.due = now + period;
            message.push_str("WATCHDOG=1\n");
        }
        if message.is_empty() {
            return;
        }
        match self.manager.tell(&message) {
            // It is ready for good, whatever becomes of its workers.
            Ok(()) => {
                let is_ready = self.known.is_ready || service.is_ready;
                self.known = Service {
                    is_ready,
                    ..service
                };
            }
            Err(error) if !self.has_complained => {
                self.has_complained = true;
                log::warn!(
                    "cannot tell the service manager (NOTIFY_SOCKET): {}",
                    Cause(&error)
                );
            }
            Err(_) => {}
        }
    }
}

impl Runtime<'_> {
    /// Before pidone sleeps, for as long as `due` at most: returns for how long then.
    pub(super) fn notify_manager(
        &mut self,
        now: Moment,
        due: Option<Duration>,
    ) -> Option<Duration> {
        if self.notifier.is_none() {
            return due;
        }
        let service = self.service();
        let notifier = self.notifier.as_mut()?;
        notifier.tell(service, now);
        let next = notifier.deadline().map(|at| at.saturating_sub(now));
        due.into_iter().chain(next).min()
    }
}

/// One assignment a line.
fn changes(before: &Service, now: &Service, clock: impl FnOnce() -> Duration) -> String {
    let mut lines = String::new();
    if now.is_stopping && !before.is_stopping {
        lines.push_str("STOPPING=1\n");
    } else if now.is_reloading && !before.is_reloading {
        let micros = clock().as_micros();
        lines.push_str(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    } else if !now.is_stopping
        && (now.is_ready && !before.is_ready || before.is_reloading && !now.is_reloading)
    {
        lines.push_str("READY=1\n");
    }
    if now.text != before.text {
        lines.push_str(&format!("STATUS={}\n", now.text));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let mut known = Service::default();
        let mut tell = |is_ready, is_reloading, is_stopping, text: &str| {
            let service = Service {
                is_ready,
                is_reloading,
                is_stopping,
                text: text.into(),
            };
            let message = changes(&known, &service, || Duration::from_millis(7));
            known = service;
            message
        };
        assert_eq!(tell(false, false, false, "0 of 1"), "STATUS=0 of 1\n");
        assert_eq!(
            tell(true, false, false, "1 of 1"),
            "READY=1\nSTATUS=1 of 1\n"
        );
        assert_eq!(tell(true, false, false, "1 of 1"), "");
        let reloading = "RELOADING=1\nMONOTONIC_USEC=7000\nSTATUS=reloading\n";
        assert_eq!(tell(true, true, false, "reloading"), reloading);
        assert_eq!(
            tell(true, false, false, "1 of 1"),
            "READY=1\nSTATUS=1 of 1\n"
        );
        assert_eq!(tell(true, false, true, "1 of 1"), "STOPPING=1\n");
        assert_eq!(tell(false, false, true, "0 of 1"), "STATUS=0 of 1\n");
    }
}
