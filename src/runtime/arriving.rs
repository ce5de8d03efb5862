//! Connections that came before newcomers were kept away from a worker, and whose clients nobody
//! has heard yet.

#![forbid(unsafe_code)]

use std::net::SocketAddr;

use crate::supervisor::WorkerId;
use crate::sys::diag::{self, Cookie};
use crate::table::Table;

/// By the worker that leaves, or `None` where all do: those that were there at the first look, as
/// far as they still are. Others have come to those who stay.
#[derive(Debug, Default)]
pub(super) struct Arriving(Table<Option<WorkerId>, Vec<Cookie>>);

impl Arriving {
    /// Whether some are left, of those to these ports. `None`, and a kernel that does not tell: it
    /// cannot be known.
    pub(super) fn look(
        &mut self,
        worker: Option<WorkerId>,
        mut ports: impl Iterator<Item = Option<SocketAddr>>,
    ) -> bool {
        let now = ports.try_fold(Vec::new(), |mut all, port| {
            let unheard = diag::unheard(port?);
            let unheard = unheard.inspect_err(|error| log::debug!("sock_diag: {error}"));
            all.extend(unheard.ok()?);
            Some(all)
        });
        let Some(mut now) = now else {
            return true;
        };
        if let Some(before) = self.0.get(worker) {
            now.retain(|one| before.contains(one));
        }
        let any = !now.is_empty();
        self.0.insert(worker, now);
        any
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.0.remove(Some(worker));
    }
}
