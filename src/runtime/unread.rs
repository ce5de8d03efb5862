//! Asks the kernel for the connections to the ports of a draining worker.

#![forbid(unsafe_code)]

use std::io;

use super::ports::Ports;
use crate::cause::Cause;
use crate::ports::Unread;
use crate::supervisor::WorkerId;
use crate::sys::diag;

#[derive(Debug, Default)]
pub(super) struct UnreadCheck {
    unread: Unread,
    /// The kernel has no such service. It would try to load a module at every request.
    is_unsupported: bool,
}

impl UnreadCheck {
    /// Whether there are unread connections to a worker, or to any: see [`Unread::any`].
    pub(super) fn any(&mut self, worker: Option<WorkerId>, ports: &Ports) -> bool {
        let is_unsupported = &mut self.is_unsupported;
        let ports = ports.reached_by(worker, |port| {
            if *is_unsupported {
                return None;
            }
            let connections = diag::connections(port);
            if let Err(error) = &connections {
                log::debug!("cannot ask for the connections to {port}: {}", Cause(error));
                *is_unsupported = error.kind() == io::ErrorKind::Unsupported;
            }
            connections.ok()
        });
        self.unread.any(worker, ports)
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.unread.forget(worker);
    }
}
