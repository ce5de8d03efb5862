//! Ports without a holder: they are closed when no starting worker may want them, or when they
//! conflict with a requested port.

use alloc::vec::Vec;

use super::{PortId, Registry};
use crate::address::ListenAddress;
use crate::supervisor::WorkerId;

/// A port that was closed, as no worker held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedPort {
    /// Its former id.
    pub id: PortId,
    /// Its address.
    pub address: ListenAddress,
    /// The last worker that listened there exited without closing it.
    pub was_abandoned: bool,
}

impl Registry {
    /// Closes the ports that apps opened and no worker holds; waiting clients are refused.
    pub fn close_unheld(&mut self) -> Vec<ClosedPort> {
        let unheld: Vec<_> = self.unheld().collect();
        let closed = unheld.into_iter().filter_map(|id| {
            let port = self.ports.remove(id)?;
            Some(ClosedPort {
                id,
                address: port.address,
                was_abandoned: port.was_abandoned,
            })
        });
        closed.collect()
    }

    /// A worker has become another program (execve(2)) that does not use its ports, and may bind
    /// them itself. Returns the ports that are closed for it.
    pub fn release(&mut self, worker: WorkerId) -> Vec<PortId> {
        let held =
            |(_, port): &(PortId, &mut super::Port)| port.is_asked_for() && port.is_held_by(worker);
        let mut closed = Vec::new();
        for (id, port) in self.ports.iter_mut().filter(held) {
            port.forget(worker);
            if port.is_unheld() {
                closed.push(id);
            }
        }
        for id in &closed {
            self.ports.remove(*id);
        }
        closed
    }

    pub(super) fn unheld(&self) -> impl Iterator<Item = PortId> {
        let ports = self.ports.iter();
        ports.filter_map(|(id, port)| (port.is_asked_for() && port.is_unheld()).then_some(id))
    }
}
