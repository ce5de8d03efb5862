//! The listeners of one worker, by its keys and by pidone's ports.

use std::collections::VecDeque;

use super::Worker;
use crate::channel::cluster::Key;
use crate::channel::outbox::CAPACITY;
use crate::channel::query::Query;
use crate::errno::EMFILE;
use crate::runtime::link::Parcel;
use crate::runtime::notices;
use crate::runtime::ports::{Answer, PortId, Ports};
use crate::supervisor::{Event, WorkerId};

impl Worker {
    pub(super) fn port(&self, key: Key) -> Option<PortId> {
        let mut open = self.open.iter();
        open.find_map(|(its_key, port)| (*its_key == key).then_some(*port))
    }

    pub(super) fn key(&self, port: PortId) -> Option<Key> {
        let mut open = self.open.iter();
        open.find_map(|(key, its_port)| (*its_port == port).then_some(*key))
    }

    pub(super) fn forget_ports(&mut self) {
        self.has_changed |= !self.open.is_empty();
        self.open.clear();
    }

    /// Reports a change of its listeners.
    pub(super) fn report_listening(&mut self, id: WorkerId, events: &mut VecDeque<Event>) {
        if std::mem::take(&mut self.has_changed) {
            let any = !self.open.is_empty();
            events.push_back(Event::Listens { worker: id, any });
        }
    }

    /// More queries than any app sends are ignored.
    pub(super) fn hold(&mut self, query: Query) {
        if self.held.len() < CAPACITY {
            self.held.push(query);
        }
    }

    pub(super) fn answer(&mut self, id: WorkerId, query: &Query, ports: &mut Ports) {
        let (Some(member), Some(link)) = (self.member, &mut self.link) else {
            return;
        };
        let seq = query.seq;
        let outbox = &mut link.outbox;
        let (port, opened) = match ports.query(id, member, query) {
            Answer::Listener {
                port,
                handle,
                kind,
                data,
            } => {
                let parcel = Parcel::Listener(handle);
                let opened = outbox.queue_listener(seq, &data, parcel, kind);
                (port, opened.ok())
            }
            Answer::RoundRobin {
                port,
                address,
                data,
            } => (port, outbox.queue_round_robin(seq, &data, address).ok()),
            Answer::Failure(errno) => {
                // A full outbox means that the worker does not read, or has exited.
                let _ = outbox.queue_failure(seq, errno, &query.data);
                return;
            }
        };
        match opened {
            Some(key) => {
                self.open.push((key, port));
                self.has_changed = true;
            }
            None => {
                ports.closed(port, id);
                if !std::mem::replace(&mut self.has_hit_limit, true) {
                    notices::too_many_listeners(self.instance, &ports.name(port));
                }
                let _ = outbox.queue_failure(seq, EMFILE, &query.data);
            }
        }
    }

    pub(super) fn closed(&mut self, id: WorkerId, key: Key, ports: &mut Ports) {
        let Some(port) = self.port(key) else {
            return;
        };
        self.open.retain(|(its_key, _)| *its_key != key);
        self.has_changed = true;
        if !self.told_to_disconnect {
            ports.closed(port, id);
        }
    }
}
