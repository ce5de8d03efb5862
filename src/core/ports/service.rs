//! Whether workers listen on different ports, and whether a worker listens on the service's.

use alloc::vec::Vec;

use super::Registry;
use crate::address::ListenAddress;
use crate::supervisor::WorkerId;

/// The addresses that make up the service, as far as can be known.
#[derive(Debug, Default)]
pub(super) struct Service {
    addresses: Vec<ListenAddress>,
    /// There were several workers, and each listened at all of them.
    is_shared: bool,
    /// No worker listens on any of them, and the workers share no other.
    is_lost: bool,
    /// The last differences between workers.
    differences: Vec<Difference>,
}

/// A port on which only some of the workers listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its address.
    pub address: ListenAddress,
    /// The instance numbers of these workers, ascending.
    pub instances: Vec<usize>,
}

/// The news about the ports of workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The differences between the workers, if they have changed since the last comparison.
    pub differences: Vec<Difference>,
    /// Whether the service's addresses are lost, if that has changed.
    pub is_lost: Option<bool>,
}

impl Registry {
    /// The addresses of the service, when no worker listens there any longer: clients are refused,
    /// however many workers run. [`Self::compare`] finds out.
    #[must_use]
    pub fn lost(&self) -> Option<&[ListenAddress]> {
        let service = &self.service;
        service.is_lost.then_some(&service.addresses)
    }

    /// Compares the ports of these workers, each with its instance number.
    pub fn compare(&mut self, workers: &[(WorkerId, usize)]) -> Comparison {
        let mut differences = Vec::new();
        let mut shared = Vec::new();
        for port in self.ports.values() {
            let listen = workers
                .iter()
                .filter(|(worker, _)| port.is_held_by(*worker));
            let mut instances: Vec<_> = listen.map(|(_, instance)| *instance).collect();
            instances.sort_unstable();
            let address = port.address.clone();
            if !instances.is_empty() && instances.len() < workers.len() {
                differences.push(Difference { address, instances });
            } else if !instances.is_empty() && !port.is_chosen_by_kernel() {
                shared.push(address);
            }
        }
        let was_lost = self.service.is_lost;
        self.remember(shared, workers.len() > 1);
        let is_lost = self.service.is_lost;
        let is_new = differences != self.service.differences;
        self.service.differences.clone_from(&differences);
        Comparison {
            differences: if is_new { differences } else { Vec::new() },
            is_lost: (is_lost != was_lost).then_some(is_lost),
        }
    }

    /// Takes the addresses at which all workers listen. If there are none, the last ones are
    /// compared with what is open now. A new version of the app may listen elsewhere, but then its
    /// workers share that; and ports of one worker each may change every time, as long as the app
    /// itself names them.
    fn remember(&mut self, shared: Vec<ListenAddress>, by_several: bool) {
        let held = self.ports.values().filter(|port| !port.is_unheld());
        let named = held.filter(|port| !port.is_chosen_by_kernel());
        let named: Vec<_> = named.map(|port| port.address.clone()).collect();
        let service = &mut self.service;
        service.is_lost = false;
        if !shared.is_empty() {
            service.addresses = shared;
            service.is_shared = by_several;
        } else if service.addresses.is_empty() || !service.is_shared && !named.is_empty() {
            service.addresses = named;
        } else {
            service.is_lost = !service.addresses.iter().any(|last| named.contains(last));
        }
    }
}
