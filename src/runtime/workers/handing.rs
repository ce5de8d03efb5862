//! Connections that pidone hands to workers over their channels.

#![forbid(unsafe_code)]

use super::{AcceptedConnection, Worker, Workers};
use crate::runtime::link::Parcel;
use crate::runtime::ports::PortId;
use crate::supervisor::WorkerId;

impl Workers {
    /// Drops connections to closed ports.
    pub(in crate::runtime) fn drop_connections_to_closed(
        &mut self,
        is_open: impl Fn(PortId) -> bool,
    ) {
        self.accepted_connections.retain(|(port, _)| is_open(*port));
    }

    /// Whether connections are in flight to this worker, or to any.
    pub(in crate::runtime) fn expects(&self, id: Option<WorkerId>) -> bool {
        let on_its_way = |worker: &Worker| {
            let link = worker.link.as_ref();
            link.is_some_and(|link| link.outbox.has_connections())
        };
        match id {
            Some(id) => self.all.get(id).is_some_and(on_its_way),
            None => !self.accepted_connections.is_empty() || self.all.values().any(on_its_way),
        }
    }

    /// Whether it can be handed a connection now: nothing that it must answer is on its way.
    pub(in crate::runtime) fn is_free(&self, id: WorkerId) -> bool {
        let link = self.all.get(id).and_then(|worker| worker.link.as_ref());
        link.is_some_and(|link| {
            let outbox = &link.outbox;
            !link.is_closed() && !outbox.has_connections() && !outbox.ping_in_flight()
        })
    }

    /// Hands a connection to the first of these workers that takes it; returns it if none does.
    pub(in crate::runtime) fn hand_over(
        &mut self,
        (port, mut fd): AcceptedConnection,
        to: impl Iterator<Item = WorkerId>,
    ) -> Result<WorkerId, AcceptedConnection> {
        for id in to {
            let Some(worker) = self.all.get_mut(id) else {
                continue;
            };
            let key = worker.key(port);
            if let (Some(link), Some(key)) = (&mut worker.link, key) {
                match link.outbox.queue_connection(key, Parcel::Connection(fd)) {
                    Ok(()) => {
                        link.flush();
                        return Ok(id);
                    }
                    Err((_, Parcel::Connection(back) | Parcel::Listener(back))) => fd = back,
                }
            }
        }
        Err((port, fd))
    }
}
