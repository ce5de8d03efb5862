//! Messages from workers to workers: carries what [`Relay`](crate::channel::relay::Relay) has decided.

#![forbid(unsafe_code)]

use super::Workers;
use crate::channel::relay::{Batch, NotRelayed};
use crate::runtime::notices;
use crate::supervisor::{Moment, WorkerId};

/// Counters of all workers with one `NODE_APP_INSTANCE`.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::runtime) struct Relayed {
    /// Messages of them that other workers got.
    pub(in crate::runtime) passed_on: u64,
    /// Messages of them that are not passed on, and messages to them that they do not read.
    pub(in crate::runtime) dropped: u64,
}

/// What was logged about a worker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dropped {
    from_it: bool,
    to_it: bool,
}

impl Workers {
    /// The counters of an instance; `None`: no worker has sent another one a message.
    pub(in crate::runtime) fn relayed(&self, instance: usize) -> Option<Relayed> {
        let counted = self.relayed.get(instance).copied();
        (!self.relayed.is_empty()).then_some(counted.unwrap_or_default())
    }

    /// Queues messages of this worker for others. They are written before pidone sleeps.
    pub(super) fn pass_on(&mut self, from: WorkerId, batch: &Batch, now: Moment) {
        if let Some((why, count)) = batch.not_relayed {
            self.count(from, 0, count);
            self.report_not_relayed(from, why);
        }
        if batch.is_empty() {
            return;
        }
        self.count(from, batch.messages(), 0);
        let others: Vec<_> = self.relay.others(from).collect();
        if let Some(link) = self.link(from) {
            link.pause_for(others.len(), now);
        }
        for id in others {
            let Some((lines, messages)) = batch.of(id) else {
                continue;
            };
            let Some(worker) = self.all.get_mut(id) else {
                continue;
            };
            if worker
                .link
                .as_mut()
                .is_some_and(|link| link.outbox.relay(lines))
            {
                continue;
            }
            if !std::mem::replace(&mut worker.drops_logged.to_it, true) {
                notices::relay_unread(worker.instance);
            }
            self.count(id, 0, messages);
        }
    }

    /// Tells the others, as far as they need to know.
    pub(super) fn channel_ended(&mut self, id: WorkerId) {
        let batch = self.relay.remove(id);
        self.pass_on(id, &batch, Moment::ZERO);
    }

    fn count(&mut self, id: WorkerId, passed_on: u64, dropped: u64) {
        if let Some(instance) = self.instance(id) {
            let counted = self.relayed.get(instance).copied().unwrap_or_default();
            let sum = Relayed {
                passed_on: counted.passed_on + passed_on,
                dropped: counted.dropped + dropped,
            };
            self.relayed.insert(instance, sum);
        }
    }

    fn report_not_relayed(&mut self, from: WorkerId, why: NotRelayed) {
        let Some(worker) = self.all.get_mut(from) else {
            return;
        };
        // How log4js is configured is the same in all workers.
        let is_logged = match why {
            NotRelayed::Unfit => &mut worker.drops_logged.from_it,
            _ => &mut self.log4js_logged,
        };
        if std::mem::replace(is_logged, true) {
            return;
        }
        match why {
            NotRelayed::Unfit => notices::relay_unfit(worker.instance),
            NotRelayed::NoPrimaryLogs => notices::log4js_without_primary(worker.instance),
            NotRelayed::NoWorkerLogs => notices::log4js_without_worker(worker.instance),
        }
    }
}
