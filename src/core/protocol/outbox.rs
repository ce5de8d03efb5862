//! What may be in flight to one worker.
//!
//! Node's worker trusts its primary: a line it does not expect ends it with an assertion. The rules
//! that follow from that are kept here, and nowhere else:
//! - One descriptor is under way at a time, and never together with a ping: read in one piece, the
//!   ping would get the descriptor (`channel.onread`, `lib/internal/child_process.js`).
//! - A descriptor that was not taken is sent again, three times (`MAX_HANDLE_RETRANSMISSIONS`).
//! - A descriptor from the app is acknowledged once, whatever else is going on.
//! - No two listeners of a worker have the same name.
//! - The disconnect is sent once. What is in flight is settled first, then the worker's event loop
//!   must have turned twice: once to take the last connection, once to read from it. Afterwards
//!   nothing is said that needs an answer.
//! - When the app itself asks for leave to disconnect, it gets it, unless it has been told to
//!   disconnect: then it would disconnect twice, which is an error.
//!
//! A descriptor is whatever the caller calls one (`H`).

mod answers;
mod flight;
mod writing;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::cluster::{FromWorker, HandleKind, Key, ToWorker};
use super::query::Data;
use flight::{Awaited, Message, Parcel, Purpose, Then, Writing};

/// The most messages that wait for one worker, and the most listeners it may have open.
pub const CAPACITY: usize = 64;

/// The most messages that wait before even an error is not sent any more.
const FAILURES: usize = 16 * CAPACITY;

/// How often a descriptor is sent again that did not arrive, as Node does it.
const RETRANSMISSIONS: u8 = 3;

/// Turns of the event loop between the last connection and the disconnect.
const SIGNS_OF_LIFE: u8 = 2;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much waits already ([`CAPACITY`]): the worker does not read.
    Full,
    /// The worker has as many listeners as it may have ([`CAPACITY`]).
    TooManyListeners,
    /// The worker is about to disconnect, or has.
    Leaving,
    /// The worker has no such listener, or has closed it.
    NoSuchListener,
}

/// What has become of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The worker has it; the caller's may be closed.
    Delivered,
    /// The worker has not taken it.
    Refused,
}

/// What a message from the worker means for what was sent to it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<H> {
    /// Nothing: the message is about something else, or settles something in here.
    Nothing,
    /// The event loop has answered.
    PingAnswered,
    /// A descriptor, a listener's or a connection's, is the caller's again.
    HandleReleased {
        /// The listener it is, or belongs to.
        key: Key,
        /// The descriptor.
        handle: H,
        /// Whether the worker has it.
        fate: Fate,
    },
    /// The worker has closed this listener.
    ListenerClosed(Key),
    /// The app has asked for leave to disconnect, and gets it.
    Leaves,
}

/// Bytes to be written now, in one `sendmsg`.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit<'a, H> {
    /// What is left of one line.
    pub bytes: &'a [u8],
    /// What goes with the first of them.
    pub handle: Option<&'a H>,
}

/// See the [module](self).
pub struct Outbox<H> {
    phase: Phase,
    seq: i64,
    keys: u64,
    open: Vec<Key>,
    has_listened: bool,
    end_means_drained: bool,
    /// Descriptors from the app that have not been acknowledged.
    handles_taken: u32,
    drain: bool,
    finish: bool,
    ping: bool,
    queue: VecDeque<Message<H>>,
    writing: Option<Writing<H>>,
    /// What is on the wire and will be answered with `Ack` or `Nack`.
    awaited: Option<Awaited<H>>,
    /// Connections that have arrived, until the worker says whether it takes them.
    undecided: VecDeque<Parcel<H>>,
}

enum Phase {
    Serving,
    /// To be disconnected after so many more signs of life.
    Leaving(u8),
    /// The app asks for leave.
    Granting(i64),
    /// Told to disconnect, or has leave to.
    Gone,
}

impl<H> Default for Outbox<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H> Outbox<H> {
    /// For a worker that has just been started.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Serving,
            seq: 0,
            keys: 0,
            open: Vec::new(),
            has_listened: false,
            end_means_drained: false,
            handles_taken: 0,
            drain: false,
            finish: false,
            ping: false,
            queue: VecDeque::new(),
            writing: None,
            awaited: None,
            undecided: VecDeque::new(),
        }
    }

    /// Answers a query with a listening socket, which must not block.
    ///
    /// # Errors
    /// The socket, and why it is not taken.
    pub fn queue_listener(
        &mut self,
        seq: i64,
        data: &Data,
        handle: H,
        kind: HandleKind,
    ) -> Result<Key, (Refusal, H)> {
        let key = match self.open_listener() {
            Ok(key) => key,
            Err(refusal) => return Err((refusal, handle)),
        };
        let answer = ToWorker::Listener {
            seq,
            key,
            data,
            kind,
        };
        let line = answer.line();
        let data = data.clone();
        let purpose = Purpose::Listener { seq, data };
        self.queue.push_back(Message {
            line,
            opens: Some(key),
            parcel: Some(Parcel::new(key, handle, purpose)),
        });
        Ok(key)
    }

    /// Answers a query with an error from errno(3).
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn queue_failure(&mut self, seq: i64, errno: i32, data: &Data) -> Result<(), Refusal> {
        // An app that listens too often shall hear so each time; the line is short.
        self.room_for(FAILURES)?;
        let answer = ToWorker::Failure { seq, errno, data };
        self.queue.push_back(Message::plain(&answer));
        Ok(())
    }

    /// Answers a query with the promise of connections. `address` is what `server.address()`
    /// shall say; UNIX sockets have none.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn queue_round_robin(
        &mut self,
        seq: i64,
        data: &Data,
        address: Option<SocketAddr>,
    ) -> Result<Key, Refusal> {
        let key = self.open_listener()?;
        let answer = ToWorker::RoundRobin {
            seq,
            key,
            data,
            address,
        };
        self.queue.push_back(Message {
            opens: Some(key),
            ..Message::plain(&answer)
        });
        Ok(key)
    }

    /// Hands over a connection that was accepted for the listener `key`.
    ///
    /// # Errors
    /// The connection, and why it is not taken.
    pub fn queue_connection(&mut self, key: Key, handle: H) -> Result<(), (Refusal, H)> {
        if let Err(refusal) = self.room() {
            return Err((refusal, handle));
        }
        if !self.open.contains(&key) {
            return Err((Refusal::NoSuchListener, handle));
        }
        let seq = self.next_seq();
        let purpose = Purpose::Connection { seq };
        self.queue.push_back(Message {
            parcel: Some(Parcel::new(key, handle, purpose)),
            ..Message::plain(&ToWorker::Connection { seq, key })
        });
        Ok(())
    }

    /// Asks the event loop for a sign of life; `false` if that is being done or makes no sense any
    /// more. It goes before everything that waits, but after a descriptor that is under way.
    pub fn ping(&mut self) -> bool {
        let is_being_written = self.writing.as_ref().is_some_and(|writing| {
            writing.then == Then::AwaitAnswer && writing.message.parcel.is_none()
        });
        let is_new = matches!(self.phase, Phase::Serving)
            && !(self.ping || is_being_written || self.ping_in_flight());
        self.ping |= is_new;
        is_new
    }

    /// Whether a ping has been written and not answered.
    #[must_use]
    pub fn ping_in_flight(&self) -> bool {
        matches!(self.awaited, Some(Awaited::Ping | Awaited::SignOfLife))
    }

    /// Tells the worker that it will be told to disconnect: for `--http-drain`.
    pub fn announce(&mut self) {
        self.drain = matches!(self.phase, Phase::Serving);
    }

    /// Asks for a word when all requests are answered: for `--http-drain`, after [`Self::announce`].
    pub fn finish(&mut self) {
        self.finish = matches!(self.phase, Phase::Serving);
    }

    /// Tells the worker to close its listeners, to finish what is in progress, and to disconnect.
    /// Once is enough.
    ///
    /// New connections must have been steered away, and the accept queues be empty: the worker
    /// resets what it has not read from. What had not been sent is the caller's again, by listener;
    /// queries that have not been answered never will be.
    pub fn disconnect(&mut self) -> Vec<(Key, H)> {
        if !matches!(self.phase, Phase::Serving) {
            return Vec::new();
        }
        self.phase = Phase::Leaving(SIGNS_OF_LIFE);
        self.ping = false;
        let begun = self
            .writing
            .take_if(|writing| writing.written == 0 && writing.then == Then::AwaitAnswer)
            .map(|writing| writing.message);
        let unsent: Vec<_> = begun.into_iter().chain(self.queue.drain(..)).collect();
        for key in unsent.iter().filter_map(|message| message.opens) {
            self.forget(key);
        }
        unsent.into_iter().filter_map(Message::release).collect()
    }

    /// Whether the end of the channel will mean that all connections have ended.
    ///
    /// It does not if the app had closed all its listeners before it was told to disconnect, as
    /// `cluster.worker.disconnect()` does: then it closes the channel at once.
    #[must_use]
    pub fn end_means_drained(&self) -> bool {
        self.end_means_drained
    }

    /// Whether a connection is on its way, and the worker has not said yet that it takes it.
    #[must_use]
    pub fn has_connections(&self) -> bool {
        let is_connection = |message: &Message<H>| {
            let parcel = message.parcel.as_ref();
            parcel.is_some_and(|parcel| matches!(parcel.purpose, Purpose::Connection { .. }))
        };
        let awaited = match &self.awaited {
            Some(Awaited::Parcel(message)) => Some(message),
            _ => None,
        };
        let written = self.writing.iter().map(|writing| &writing.message);
        let mut under_way = self.queue.iter().chain(written).chain(awaited);
        !self.undecided.is_empty() || under_way.any(is_connection)
    }

    /// Takes note of what the worker says.
    pub fn on_message(&mut self, message: &FromWorker) -> Outcome<H> {
        match *message {
            FromWorker::Ack => self.on_ack(),
            FromWorker::Nack => self.on_nack(),
            FromWorker::Accepted { ack, accepted } => self.on_accepted(ack, accepted),
            FromWorker::HandleOffered => {
                self.handles_taken = self.handles_taken.saturating_add(1);
                Outcome::Nothing
            }
            FromWorker::Close { key } if self.forget(key) => Outcome::ListenerClosed(key),
            FromWorker::ExitedAfterDisconnect { seq } => self.on_leave(seq),
            _ => Outcome::Nothing,
        }
    }

    /// The worker is gone, and all it said has been read: the descriptors it has not confirmed, by
    /// listener. A connection among them has not reached the app: the worker confirms it first.
    #[must_use]
    pub fn into_unfinished(self) -> Vec<(Key, H)> {
        let undecided = self.undecided.into_iter().map(Parcel::release);
        let awaited = match self.awaited {
            Some(Awaited::Parcel(message)) => Some(message),
            _ => None,
        };
        let unsent = awaited
            .into_iter()
            .chain(self.writing.map(|writing| writing.message))
            .chain(self.queue)
            .filter_map(Message::release);
        undecided.chain(unsent).collect()
    }

    fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    fn room(&self) -> Result<(), Refusal> {
        self.room_for(CAPACITY)
    }

    fn room_for(&self, capacity: usize) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Serving) {
            Err(Refusal::Leaving)
        } else if self.queue.len() + self.undecided.len() >= capacity {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    fn open_listener(&mut self) -> Result<Key, Refusal> {
        self.room()?;
        if self.open.len() >= CAPACITY {
            return Err(Refusal::TooManyListeners);
        }
        self.keys += 1;
        let key = Key(self.keys);
        self.open.push(key);
        self.has_listened = true;
        Ok(key)
    }

    /// Whether there was such a listener.
    fn forget(&mut self, key: Key) -> bool {
        let before = self.open.len();
        self.open.retain(|&open| open != key);
        self.open.len() < before
    }
}

#[cfg(test)]
mod tests;
