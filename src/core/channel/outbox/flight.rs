//! Messages to a worker: lines, and the descriptors sent with them.

use crate::channel::cluster::{Key, ToWorker};
use crate::channel::outbox::{Fate, Outcome};
use crate::channel::query::Data;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// A line, or several of other workers, with the listener it opens and the descriptor sent with it.
pub(super) struct Message<H> {
    pub(super) line: Rc<Vec<u8>>,
    /// The listener that the worker opens when it reads the line.
    pub(super) opens: Option<Key>,
    pub(super) parcel: Option<Parcel<H>>,
}

/// A descriptor to be sent.
pub(super) struct Parcel<H> {
    pub(super) key: Key,
    pub(super) handle: H,
    pub(super) nacks: u8,
    pub(super) purpose: Purpose,
}

pub(super) enum Purpose {
    /// The answer to a query.
    Listener {
        seq: i64,
        data: Data,
    },
    Connection {
        seq: i64,
    },
}

pub(super) struct Writing<H> {
    pub(super) message: Message<H>,
    pub(super) written: usize,
    pub(super) then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    AwaitAnswer,
    AwaitFinalPing,
    Relayed,
    Disconnected,
}

pub(super) enum Awaited<H> {
    Ping,
    FinalPing,
    Parcel(Message<H>),
}

impl<H> Message<H> {
    pub(super) fn plain(message: &ToWorker<'_>) -> Self {
        Self::relayed(Rc::new(message.line()))
    }

    pub(super) fn relayed(line: Rc<Vec<u8>>) -> Self {
        Self {
            line,
            opens: None,
            parcel: None,
        }
    }

    pub(super) fn release(self) -> Option<(Key, H)> {
        self.parcel.map(Parcel::release)
    }
}

impl<H> Parcel<H> {
    pub(super) fn new(key: Key, handle: H, purpose: Purpose) -> Self {
        Self {
            key,
            handle,
            nacks: 0,
            purpose,
        }
    }

    pub(super) fn release(self) -> (Key, H) {
        (self.key, self.handle)
    }

    pub(super) fn released(self, fate: Fate) -> Outcome<H> {
        let (key, handle) = self.release();
        Outcome::HandleReleased { key, handle, fate }
    }
}
