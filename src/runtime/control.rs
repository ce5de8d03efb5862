//! Requests from `pidone ctl`, and their replies.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::Runtime;
use super::clients::ClientId;
use crate::admin::control::{self, ControlRequest, InvalidRequest};
use crate::supervisor::{self, Event, Reply, RequestId};

/// The oldest event loop delay that `pidone ctl` and the page show.
pub(super) const FRESH: Duration = Duration::from_secs(2);

impl Runtime<'_> {
    /// A request from `pidone ctl`.
    pub(super) fn on_control(
        &mut self,
        id: ClientId,
        request: Result<ControlRequest, InvalidRequest>,
        may_act: bool,
    ) {
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.finish(id, &control::failure(&error.to_string())),
        };
        let request = match request {
            ControlRequest::Status { json: true } | ControlRequest::Top => {
                let text = self.snapshot(FRESH).json();
                return self.finish(id, &control::success(&text));
            }
            ControlRequest::Status { json: false } => {
                let text = self.snapshot(FRESH).table();
                return self.finish(id, &control::success(&text));
            }
            ControlRequest::Live => return self.finish(id, &control::success("alive")),
            ControlRequest::Ready => {
                let answer = match self.unreadiness() {
                    None => control::success("ready"),
                    Some(why) => control::failure(&format!("not ready: {why}")),
                };
                return self.finish(id, &answer);
            }
            ControlRequest::Reload { waits: true } => supervisor::Request::Reload,
            ControlRequest::Reload { waits: false } => supervisor::Request::BeginReload,
            ControlRequest::Restart(slot) => supervisor::Request::Restart { slot },
            ControlRequest::Scale(to) => {
                // With an explicit -i N, nothing else has read the CPUs since the start.
                self.read_limits();
                supervisor::Request::Scale { to }
            }
            ControlRequest::Stop => supervisor::Request::Stop,
        };
        if !may_act {
            let why = "the workers' user may only read (status, top, ready, live); \
                       run this as root, or as the user that pidone runs as";
            return self.finish(id, &control::failure(why));
        }
        self.admin.clients.wait(id);
        let id = RequestId(id.0);
        self.events.push_back(Event::Request { id, request });
    }

    /// Sends the supervisor's reply to the client.
    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) {
        let id = ClientId(id.0);
        let describe = |worker| {
            let single = self.config.workers.is_none();
            self.reporter.describe(self.workers.name(worker, single))
        };
        let answer = match reply {
            Reply::Progress {
                slot,
                worker,
                progress,
            } => {
                let text = format!("{progress}: slot {slot}: {} serves now", describe(worker));
                let progress = control::progress(&text);
                return self.admin.clients.tell(id, progress.as_bytes());
            }
            Reply::Done(done) => control::success(&done.to_string()),
            Reply::Refused(why) => control::failure(&why.to_string()),
            Reply::Failed { worker, progress } => control::failure(&format!(
                "{progress} workers replaced; the successor {} did not become ready; the others stay; see pidone's log",
                describe(worker)
            )),
            Reply::Superseded { by } => control::failure(&format!(
                "superseded: another request has set the number of workers to {by}"
            )),
        };
        self.finish(id, &answer);
    }

    fn finish(&mut self, id: ClientId, answer: &str) {
        self.admin.clients.answer(id, answer.as_bytes(), true);
    }
}
