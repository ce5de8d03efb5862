//! Messages to one worker: queued, in flight, and acknowledged.
//!
//! Node's worker trusts its primary: an unexpected line makes it fail an assertion and exit. This module
//! alone keeps the rules that follow from that:
//! - At most one descriptor is in flight, and never together with a ping: if the worker read both at once, the
//!   ping would get the descriptor (`channel.onread`, `lib/internal/child_process.js`).
//! - A descriptor that the worker did not take is sent again, up to three times (`MAX_HANDLE_RETRANSMISSIONS`).
//! - A descriptor from the app is always acknowledged, exactly once.
//! - No two listeners of a worker have the same key.
//! - The disconnect is sent once. Messages in flight are settled first. Then the worker's event loop
//!   must turn twice: once to accept the last connection, once to read from it. After the disconnect,
//!   no message is sent that needs an answer.
//! - Messages of other workers ([`relay`](super::relay)) are sent when there is nothing else to send, as long as there is a
//!   channel: a worker that has been told to disconnect still has its clients. One that does not read delays no other worker.
//! - When the app itself requests to disconnect, the request is acknowledged, unless a disconnect was
//!   already sent: the worker would disconnect twice, which is an error.
//!
//! The caller chooses the type of a descriptor (`H`).

mod answers;
mod flight;
mod writing;

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::cluster::{FromWorker, HandleKind, Key, ToWorker};
use super::query::Data;
use flight::{Awaited, Message, Parcel, Purpose, Then, Writing};

/// The maximum number of messages queued for one worker, and of listeners it may have open.
pub const CAPACITY: usize = 64;

/// The maximum number of queued messages above which even an error is not queued.
const FAILURES: usize = 16 * CAPACITY;

/// How many bytes of messages from other workers may wait for one worker.
pub const RELAYED_MAX: usize = 4 * 1024 * 1024;

/// How often a descriptor is sent again after a nack, as in Node.
const RETRANSMISSIONS: u8 = 3;

/// Pings that the event loop must answer between the last connection and the disconnect.
const FINAL_PINGS: u8 = 2;

/// Why a message is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotQueued {
    /// [`CAPACITY`] messages are queued: the worker does not read.
    Full,
    /// The worker has [`CAPACITY`] listeners open.
    TooManyListeners,
    /// The worker is about to disconnect, or has disconnected.
    Disconnecting,
    /// The worker has no such listener, or has closed it.
    NoSuchListener,
}

/// The outcome for a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The worker has it; the caller may close its own copy.
    Delivered,
    /// The worker has not taken it.
    Refused,
}

/// The effect of a message from the worker on messages sent to it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<H> {
    /// None for the caller.
    Nothing,
    /// The event loop has answered.
    PingAnswered,
    /// The outbox has released a descriptor of a listener or a connection to the caller.
    HandleReleased {
        /// Its listener.
        key: Key,
        /// The descriptor.
        handle: H,
        /// Whether the worker has it.
        fate: Fate,
    },
    /// The worker has closed this listener.
    ListenerClosed(Key),
    /// The app has requested to disconnect, which will be acknowledged.
    Disconnects,
}

/// Bytes to write now, in one `sendmsg`.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit<'a, H> {
    /// The unwritten rest of one line.
    pub bytes: &'a [u8],
    /// The descriptor to send with the first byte.
    pub handle: Option<&'a H>,
}

/// The messages to one worker; see the [module](self).
pub struct Outbox<H> {
    link: LinkState,
    seq: i64,
    keys: u64,
    open: Vec<Key>,
    /// Descriptors from the app that have not been acknowledged.
    handles_taken: u32,
    announce: bool,
    finish: bool,
    /// `--app-metrics`: a question that was not sent yet.
    app_metrics: Option<u64>,
    ping: bool,
    queue: VecDeque<Message<H>>,
    /// Messages of other workers, as whole lines.
    relayed: VecDeque<Rc<Vec<u8>>>,
    /// The memory that they use, and what is being written of them.
    relayed_bytes: usize,
    writing: Option<Writing<H>>,
    /// The message in flight that the worker will answer with `Ack` or `Nack`.
    awaited: Option<Awaited<H>>,
    /// Acknowledged connections, until the worker reports whether it accepts them.
    undecided: VecDeque<Parcel<H>>,
}

/// What may still be sent.
enum LinkState {
    /// Every message.
    Open,
    /// What is in flight, then this number of pings, then the disconnect.
    Disconnecting(u8),
    /// Acknowledgements: the app has requested to disconnect, and that one is due.
    Granting(i64),
    /// Acknowledgements of descriptors: the disconnect, or the app's own, is settled.
    Disconnected,
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
            link: LinkState::Open,
            seq: 0,
            keys: 0,
            open: Vec::new(),
            handles_taken: 0,
            announce: false,
            finish: false,
            app_metrics: None,
            ping: false,
            queue: VecDeque::new(),
            relayed: VecDeque::new(),
            relayed_bytes: 0,
            writing: None,
            awaited: None,
            undecided: VecDeque::new(),
        }
    }

    /// Answers a query with a listening socket, which must not block.
    ///
    /// # Errors
    /// The socket, and why it is not queued.
    pub fn queue_listener(
        &mut self,
        seq: i64,
        data: &Data,
        handle: H,
        kind: HandleKind,
    ) -> Result<Key, (NotQueued, H)> {
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
            line: Rc::new(line),
            opens: Some(key),
            parcel: Some(Parcel::new(key, handle, purpose)),
        });
        Ok(key)
    }

    /// Answers a query with an error from errno(3).
    ///
    /// # Errors
    /// Why it is not queued.
    pub fn queue_failure(&mut self, seq: i64, errno: i32, data: &Data) -> Result<(), NotQueued> {
        // An app with too many listeners must get the error each time; the line is short.
        self.room_for(FAILURES)?;
        let answer = ToWorker::Failure { seq, errno, data };
        self.queue.push_back(Message::plain(&answer));
        Ok(())
    }

    /// Answers a query: connections will follow one by one. `address` is the result of
    /// `server.address()`; UNIX sockets have none.
    ///
    /// # Errors
    /// Why it is not queued.
    pub fn queue_round_robin(
        &mut self,
        seq: i64,
        data: &Data,
        address: Option<SocketAddr>,
    ) -> Result<Key, NotQueued> {
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
    /// The connection, and why it is not queued.
    pub fn queue_connection(&mut self, key: Key, handle: H) -> Result<(), (NotQueued, H)> {
        if let Err(refusal) = self.room() {
            return Err((refusal, handle));
        }
        if !self.open.contains(&key) {
            return Err((NotQueued::NoSuchListener, handle));
        }
        let seq = self.next_seq();
        let purpose = Purpose::Connection { seq };
        self.queue.push_back(Message {
            parcel: Some(Parcel::new(key, handle, purpose)),
            ..Message::plain(&ToWorker::Connection { seq, key })
        });
        Ok(())
    }

    /// Queues messages of other workers, as whole lines; `false`: too many wait already, and these are dropped.
    pub fn relay(&mut self, lines: Rc<Vec<u8>>) -> bool {
        let bytes = self.relayed_bytes + relayed_cost(&lines);
        // A long one is not dropped just because it is long.
        let fits = bytes <= RELAYED_MAX || self.relayed_bytes == 0;
        if fits {
            self.relayed_bytes = bytes;
            self.relayed.push_back(lines);
        }
        fits
    }

    /// Queues a ping to the event loop; `false` if one is pending already, or the worker is about to
    /// disconnect. It is sent before all queued messages, but after a descriptor in flight is answered.
    pub fn ping(&mut self) -> bool {
        let is_being_written = self.writing.as_ref().is_some_and(|writing| {
            writing.then == Then::AwaitAnswer && writing.message.parcel.is_none()
        });
        let is_new = matches!(self.link, LinkState::Open)
            && !(self.ping || is_being_written || self.ping_in_flight());
        self.ping |= is_new;
        is_new
    }

    /// Whether a ping has been written and not answered.
    #[must_use]
    pub fn ping_in_flight(&self) -> bool {
        matches!(self.awaited, Some(Awaited::Ping | Awaited::FinalPing))
    }

    /// Announces to the worker that a disconnect will follow: for `--http-drain`.
    pub fn announce(&mut self) {
        self.announce = matches!(self.link, LinkState::Open);
    }

    /// Requests a message once all requests are answered: for `--http-drain`, after [`Self::announce`].
    pub fn finish(&mut self) {
        self.finish = matches!(self.link, LinkState::Open);
    }

    /// Requests the app's own metrics.
    pub fn ask_app_metrics(&mut self, request: u64) {
        self.app_metrics = Some(request);
    }

    /// Tells the worker to close its listeners, to finish what is in progress, and to disconnect.
    /// Further calls have no effect.
    ///
    /// Before, new connections must be steered away and the accept queues must be empty: the worker
    /// resets connections it has not read from. Returns the descriptors that were not sent, with their listeners.
    /// Unanswered queries will not be answered.
    pub fn disconnect(&mut self) -> Vec<(Key, H)> {
        if !matches!(self.link, LinkState::Open) {
            return Vec::new();
        }
        self.link = LinkState::Disconnecting(FINAL_PINGS);
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

    /// Whether a connection is queued or in flight, or the worker has not yet reported that it accepts it.
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
        let mut pending = self.queue.iter().chain(written).chain(awaited);
        !self.undecided.is_empty() || pending.any(is_connection)
    }

    /// Processes a message from the worker.
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
            FromWorker::ExitedAfterDisconnect { seq } => self.on_disconnect_request(seq),
            _ => Outcome::Nothing,
        }
    }

    /// After the worker has exited and all its messages were read: the descriptors it has not confirmed, with
    /// their listeners. A connection among them has not reached the app: the worker confirms it first.
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

    fn room(&self) -> Result<(), NotQueued> {
        self.room_for(CAPACITY)
    }

    fn room_for(&self, capacity: usize) -> Result<(), NotQueued> {
        if !matches!(self.link, LinkState::Open) {
            Err(NotQueued::Disconnecting)
        } else if self.queue.len() + self.undecided.len() >= capacity {
            Err(NotQueued::Full)
        } else {
            Ok(())
        }
    }

    fn open_listener(&mut self) -> Result<Key, NotQueued> {
        self.room()?;
        if self.open.len() >= CAPACITY {
            return Err(NotQueued::TooManyListeners);
        }
        self.keys += 1;
        let key = Key(self.keys);
        self.open.push(key);
        Ok(key)
    }

    /// Removes a listener; returns whether it was open.
    fn forget(&mut self, key: Key) -> bool {
        let before = self.open.len();
        self.open.retain(|&open| open != key);
        self.open.len() < before
    }
}

/// The memory of queued lines.
fn relayed_cost(lines: &Rc<Vec<u8>>) -> usize {
    size_of::<[usize; 8]>() + lines.capacity()
}

#[cfg(test)]
mod tests;
