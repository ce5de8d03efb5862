//! What `pidone ctl` asks for, and what it is told.

#![forbid(unsafe_code)]

use super::Runtime;
use super::clients::ClientId;
use super::report::{Name, Spoken};
use crate::protocol::control::{self, NoRequest, Request};
use crate::supervisor::{self, Event, Report};

/// What takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// That every worker is replaced, or that of one slot.
    Replace(Option<usize>),
    /// That there are more of them, or fewer.
    Scale,
}

impl Runtime<'_> {
    /// `pidone ctl` has asked for something.
    pub(super) fn on_control(
        &mut self,
        id: ClientId,
        request: Result<Request, NoRequest>,
        may_act: bool,
    ) {
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.finish(id, &control::failure(&error.to_string())),
        };
        let (ask, request) = match request {
            Request::Status { json: true } | Request::Top => {
                let text = self.look().json();
                return self.finish(id, &control::success(&text));
            }
            Request::Status { json: false } => {
                let text = self.look().table();
                return self.finish(id, &control::success(&text));
            }
            Request::Live => return self.finish(id, &control::success("alive")),
            Request::Ready => {
                let answer = match self.unreadiness() {
                    None => control::success("ready"),
                    Some(why) => control::failure(&format!("not ready: {why}")),
                };
                return self.finish(id, &answer);
            }
            Request::Reload => (Some(Ask::Replace(None)), supervisor::Request::Reload),
            Request::Restart(slot) => (
                Some(Ask::Replace(Some(slot))),
                supervisor::Request::Restart { slot },
            ),
            Request::Scale(to) => (Some(Ask::Scale), supervisor::Request::Scale { to }),
            Request::Stop => (None, supervisor::Request::Stop),
        };
        if !may_act {
            let why = "the workers' user may look (status, top, ready, live); \
                       ask as root, or as the user that pidone runs as";
            return self.finish(id, &control::failure(why));
        }
        match ask {
            Some(ask) => {
                self.doors.clients.wait(id);
                self.doors.asked.push_back((id, ask));
            }
            // Its end could not be told: pidone ends with everybody in the container.
            None => self.finish(id, &control::success("stopping")),
        }
        self.news.push_back(Event::Request(request));
    }

    /// The supervisor is about to be told what was asked for first.
    pub(super) fn begin_request(&mut self, request: supervisor::Request) {
        if request != supervisor::Request::Stop {
            let begun = self.doors.asked.pop_front();
            self.doors.waiting.extend(begun);
        }
    }

    /// Tells those who wait what has become of it.
    pub(super) fn follow(&mut self, report: Report, name: Name) {
        if self.doors.waiting.is_empty() {
            return;
        }
        let is_replaced = |ask: Ask| matches!(ask, Ask::Replace(_));
        match report {
            Report::SlotReplaced { slot, .. } => {
                let text = format!("slot {slot}: {} serves now", self.reporter.called(name));
                let progress = control::progress(&text);
                for (id, ask) in &self.doors.waiting {
                    if *ask == Ask::Replace(None) || *ask == Ask::Replace(Some(slot)) {
                        self.doors.clients.tell(*id, progress.as_bytes());
                    }
                }
            }
            Report::ReloadDone { took } => {
                let text = format!("done in {}", Spoken(took));
                self.finish_all(is_replaced, &control::success(&text));
            }
            Report::ReloadFailed { .. } => {
                let who = self.reporter.called(name);
                let text = format!(
                    "the successor {who} did not get ready; the old workers stay; pidone's log says more"
                );
                self.finish_all(is_replaced, &control::failure(&text));
            }
            Report::ScaleDone { workers } => {
                let text = match workers {
                    1 => "one worker serves".into(),
                    _ => format!("{workers} workers serve"),
                };
                self.finish_all(|ask| ask == Ask::Scale, &control::success(&text));
            }
            // What is refused is so at once, and the latest is last.
            Report::RequestRefused { why } => {
                if let Some((id, _)) = self.doors.waiting.pop() {
                    self.finish(id, &control::failure(&why.to_string()));
                }
            }
            Report::Stopping { .. } | Report::StoppingAtOnce | Report::CrashLoop { .. } => {
                self.finish_all(|_| true, &control::failure("pidone is stopping"));
            }
            _ => {}
        }
    }

    fn finish(&mut self, id: ClientId, answer: &str) {
        self.doors.clients.answer(id, answer.as_bytes(), true);
    }

    fn finish_all(&mut self, is_meant: impl Fn(Ask) -> bool, answer: &str) {
        let clients = &mut self.doors.clients;
        self.doors.waiting.retain(|(id, ask)| {
            let is_over = is_meant(*ask);
            if is_over {
                clients.answer(*id, answer.as_bytes(), true);
            }
            !is_over && clients.has(*id)
        });
    }
}
