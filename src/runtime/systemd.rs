//! What pidone tells its service manager (sd_notify(3)): the state of the service, and the watchdog's
//! keep-alive. It sends changes before each sleep.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::Runtime;
use super::notices;
use crate::supervisor::Moment;
use crate::sys::manager::{self, Manager};

/// The state of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServiceState {
    pub(super) is_ready: bool,
    pub(super) is_reloading: bool,
    pub(super) is_stopping: bool,
    /// The status text.
    pub(super) text: String,
}

/// The manager, and the last state that it got.
#[derive(Debug)]
pub(super) struct Notifier {
    manager: Manager,
    known: ServiceState,
    /// Half of the watchdog's timeout.
    period: Option<Duration>,
    /// When the next keep-alive is due.
    due: Moment,
    has_warned: bool,
}

impl Notifier {
    /// `None`: there is no service manager.
    pub(super) fn find() -> Option<Self> {
        let manager = match Manager::find() {
            Ok(manager) => manager?,
            Err(error) => {
                notices::bad_notify_socket(&error);
                return None;
            }
        };
        Some(Self {
            manager,
            known: ServiceState::default(),
            period: manager::watchdog().map(|period| period / 2),
            due: Moment::ZERO,
            has_warned: false,
        })
    }

    /// When the next keep-alive is due; `None`: never.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.period.map(|_| self.due)
    }

    /// Sends what has changed, and a keep-alive if it is due.
    pub(super) fn notify(&mut self, service: ServiceState, now: Moment) {
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
        match self.manager.notify(&message) {
            // Once ready, the service stays ready for the manager.
            Ok(()) => {
                let is_ready = self.known.is_ready || service.is_ready;
                self.known = ServiceState {
                    is_ready,
                    ..service
                };
            }
            Err(error) if !self.has_warned => {
                self.has_warned = true;
                notices::manager_not_notified(&error);
            }
            Err(_) => {}
        }
    }
}

impl Runtime<'_> {
    /// Called before pidone sleeps for `due` at most. Returns the time until the next deadline.
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
        notifier.notify(service, now);
        let next = notifier.deadline().map(|at| at.saturating_sub(now));
        due.into_iter().chain(next).min()
    }
}

/// The changes, one assignment a line.
fn changes(before: &ServiceState, now: &ServiceState, clock: impl FnOnce() -> Duration) -> String {
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
        let mut known = ServiceState::default();
        let mut tell = |is_ready, is_reloading, is_stopping, text: &str| {
            let service = ServiceState {
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
