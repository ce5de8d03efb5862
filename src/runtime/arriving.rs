//! Connections that came before newcomers were kept away from a worker, and whose clients nobody
//! has heard yet.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;

use crate::supervisor::WorkerId;
use crate::sys::diag::{self, Cookie};
use crate::table::Table;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Arriving {
    /// By the worker that leaves, or `None` where all do: those that were there at the first look, as
    /// far as they still are. Others have come to those who stay.
    left: Table<Option<WorkerId>, Vec<Cookie>>,
    /// The kernel has no such service. It looks for a module each time that it is asked for it.
    is_mute: bool,
}

impl Arriving {
    /// Whether some are left, of those to these ports. `None`, and a kernel that does not tell: it
    /// cannot be known.
    pub(super) fn look(
        &mut self,
        worker: Option<WorkerId>,
        mut ports: impl Iterator<Item = Option<SocketAddr>>,
    ) -> bool {
        let now = ports.try_fold(Vec::new(), |mut all, port| {
            all.extend(self.unheard(port?)?);
            Some(all)
        });
        let Some(mut now) = now else {
            return true;
        };
        if let Some(before) = self.left.get(worker) {
            now.retain(|one| before.contains(one));
        }
        let any = !now.is_empty();
        self.left.insert(worker, now);
        any
    }

    fn unheard(&mut self, port: SocketAddr) -> Option<Vec<Cookie>> {
        if self.is_mute {
            return None;
        }
        let unheard = diag::unheard(port);
        if let Err(error) = &unheard {
            log::debug!("cannot ask for the connections to {port}: {error}");
            self.is_mute = error.kind() == io::ErrorKind::Unsupported;
        }
        unheard.ok()
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.left.remove(Some(worker));
    }
}
