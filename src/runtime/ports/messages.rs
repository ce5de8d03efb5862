//! Closed ports, and workers that listen on different ports, for the administrator.

use std::fmt::{Display, Write};

use super::{PortId, Ports};
use crate::ports::Difference;
use crate::supervisor::WorkerId;

/// Static file servers and free-port finders do this: pidone itself, or another worker, uses the port.
const HINT: &str =
    "; if the app takes another port when its own is in use, turn that off, or run it without -i";

/// A warning names at most so many ports.
const NAMED: usize = 8;

impl Ports {
    /// The port's address.
    #[must_use]
    pub fn name(&self, port: PortId) -> String {
        let address = self.registry.address(port);
        address.map_or_else(String::new, ToString::to_string)
    }

    /// The addresses of the service, when no worker listens there any longer.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.registry.lost().map(listed)
    }

    /// Closes the ports that apps opened and no worker holds; waiting clients are refused.
    pub fn close_unheld(&mut self) {
        let mut abandoned = Vec::new();
        for port in self.registry.close_unheld() {
            self.sockets.remove(port.id);
            log::debug!("{}: closed", port.address);
            if port.was_abandoned {
                abandoned.push(port.address);
            }
        }
        if !abandoned.is_empty() {
            log::warn!(
                "closed {}: the workers that listened there have exited, and no other worker does{HINT}",
                listed(&abandoned)
            );
        }
        self.has_hit_limit = false;
    }

    /// Warns once if these workers, each with its instance number, listen on different ports. Returns
    /// whether the service's port is lost, if that has changed.
    pub fn compare(&mut self, workers: &[(WorkerId, usize)]) -> Option<bool> {
        let news = self.registry.compare(workers);
        if !news.differences.is_empty() {
            let apart: Vec<_> = news.differences.iter().map(worded).collect();
            log::warn!(
                "workers listen on different ports: {}; connections to a port reach only the workers that listen on it{HINT}",
                listed(&apart)
            );
        }
        news.is_lost
    }
}

fn worded(difference: &Difference) -> String {
    let instances = &difference.instances;
    let s = if instances.len() > 1 { "s" } else { "" };
    let instances: Vec<_> = instances.iter().map(ToString::to_string).collect();
    let instances = instances.join(", ");
    format!("{} only in worker{s} {instances}", difference.address)
}

/// At most `NAMED` items.
fn listed(things: &[impl Display]) -> String {
    let named: Vec<_> = things.iter().take(NAMED).map(ToString::to_string).collect();
    let mut text = named.join("; ");
    if things.len() > NAMED {
        let _ = write!(text, " and {} more", things.len() - NAMED);
    }
    text
}
