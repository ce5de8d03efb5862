//! An outbox between a worker that sends arbitrary messages and a runtime that does anything it may do: checks what is in
//! flight (the rules are in `src/core/channel/outbox.rs`), and who owns each descriptor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use pidone::channel::cluster::{FromWorker, HandleKind, Key};
use pidone::channel::outbox::{CAPACITY, Outbox, Outcome};
use pidone::channel::query::Query;
use pidone::json::Object;

/// An action of the runtime.
#[derive(Clone, Copy)]
pub enum ChannelAction {
    Ping,
    /// Write up to this many bytes.
    Write(usize),
    /// Pass on a connection for the first listener that is not closed.
    Connect,
    /// Answer the next queries in this way.
    Answer(Answer),
    Announce,
    Disconnect,
}

#[derive(Clone, Copy)]
pub enum Answer {
    Listener,
    RoundRobin,
    Failure,
}

impl ChannelAction {
    /// Parses the form used in the corpus; any other text writes as many bytes as it has.
    pub fn parse(text: &[u8]) -> Self {
        match text {
            b"ping" => Self::Ping,
            b"connect" => Self::Connect,
            b"listener" => Self::Answer(Answer::Listener),
            b"round-robin" => Self::Answer(Answer::RoundRobin),
            b"failure" => Self::Answer(Answer::Failure),
            b"announce" => Self::Announce,
            b"disconnect" => Self::Disconnect,
            b"write" => Self::Write(usize::MAX),
            other => Self::Write(other.len()),
        }
    }
}

/// A message that must be answered before another one of its kind is sent.
#[derive(PartialEq, Eq)]
enum InFlight {
    Nothing,
    Ping,
    Descriptor,
}

pub struct World {
    outbox: Outbox<u64>,
    answer: Answer,
    /// The descriptors that the outbox owns, and how often each was sent.
    held: BTreeMap<u64, u32>,
    next: u64,
    /// The listeners that it has named, and those that it has reported as closed.
    opened: BTreeSet<Key>,
    closed: BTreeSet<Key>,
    in_flight: InFlight,
    /// The part of a line that is written so far.
    line: Vec<u8>,
    with_descriptor: bool,
    is_gone: bool,
    /// Lines of other workers that it must get.
    relayed: VecDeque<Vec<u8>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            outbox: Outbox::new(),
            answer: Answer::Listener,
            held: BTreeMap::new(),
            next: 0,
            opened: BTreeSet::new(),
            closed: BTreeSet::new(),
            in_flight: InFlight::Nothing,
            line: Vec::new(),
            with_descriptor: false,
            is_gone: false,
            relayed: VecDeque::new(),
        }
    }

    /// A line of another worker, or nothing.
    pub fn pass_on(&mut self, line: Vec<u8>) {
        if let Some(text) = line.strip_suffix(b"\n") {
            self.relayed.push_back(text.to_vec());
            assert!(self.outbox.relay(Rc::new(line)));
        }
    }

    pub fn act(&mut self, action: ChannelAction) {
        match action {
            ChannelAction::Ping => {
                self.outbox.ping();
            }
            ChannelAction::Write(bytes) => self.write(bytes),
            ChannelAction::Connect => {
                if let Some(key) = self.opened.difference(&self.closed).next().copied() {
                    let handle = self.take();
                    if let Err((_, handle)) = self.outbox.queue_connection(key, handle) {
                        self.release(handle);
                    }
                }
            }
            ChannelAction::Answer(answer) => self.answer = answer,
            ChannelAction::Announce => self.outbox.announce(),
            ChannelAction::Disconnect => {
                for (_, handle) in self.outbox.disconnect() {
                    self.release(handle);
                }
            }
        }
        // Those in the queue, one that is being written, and one that is not answered.
        assert!(self.held.len() <= CAPACITY + 2);
    }

    pub fn hear(&mut self, message: &FromWorker) {
        match (message, &self.in_flight) {
            (FromWorker::Ack, InFlight::Descriptor) | (FromWorker::Nack, _) => {
                self.in_flight = InFlight::Nothing;
            }
            _ => {}
        }
        match self.outbox.on_message(message) {
            Outcome::HandleReleased { handle, .. } => self.release(handle),
            Outcome::ListenerClosed(key) => {
                assert!(self.closed.insert(key), "closed twice");
                assert!(self.opened.contains(&key));
            }
            Outcome::Nothing | Outcome::PingAnswered | Outcome::Disconnects => {}
        }
        if let FromWorker::Query(query) = message {
            self.reply(query);
        }
    }

    fn reply(&mut self, query: &Query) {
        let (seq, data) = (query.seq, &query.data);
        let key = match (self.answer, &query.listener) {
            (Answer::Failure, _) | (_, Err(_)) => {
                let errno = query.listener.as_ref().err().copied();
                let _ = self.outbox.queue_failure(seq, errno.unwrap_or(98), data);
                return;
            }
            (Answer::RoundRobin, _) => {
                let address = ([127, 0, 0, 1], 80).into();
                self.outbox.queue_round_robin(seq, data, Some(address)).ok()
            }
            (Answer::Listener, _) => {
                let handle = self.take();
                let kind = HandleKind::Stream;
                match self.outbox.queue_listener(seq, data, handle, kind) {
                    Ok(key) => Some(key),
                    Err((_, handle)) => {
                        self.release(handle);
                        None
                    }
                }
            }
        };
        if let Some(key) = key {
            assert!(self.opened.insert(key), "a name twice");
        }
    }

    fn write(&mut self, mut room: usize) {
        while room > 0
            && let Some(transmit) = self.outbox.poll_transmit()
        {
            assert!(!transmit.bytes.is_empty());
            if let Some(handle) = transmit.handle {
                assert!(self.line.is_empty(), "a descriptor in the middle of a line");
                let sent = self.held.get_mut(handle).expect("it was not released");
                *sent += 1;
                // Once, and three retransmissions.
                assert!(*sent <= 4);
                self.with_descriptor = true;
            }
            let written = transmit.bytes.len().min(room);
            self.line.extend_from_slice(&transmit.bytes[..written]);
            self.outbox.wrote(written);
            room -= written;
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let with_descriptor = std::mem::take(&mut self.with_descriptor);
                self.check_line(&line[..line.len() - 1], with_descriptor);
            }
        }
    }

    /// A worker reads one line of JSON that it expects.
    fn check_line(&mut self, line: &[u8], with_descriptor: bool) {
        if !with_descriptor && self.relayed.front().is_some_and(|next| next == line) {
            self.relayed.pop_front();
            return;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        let object = Object::parse_nested(line, u8::MAX).expect(&text);
        let command = object.get("cmd").expect(&text).string().expect(&text);
        assert!(command.starts_with("NODE_"), "{text}");
        let is_ping = text == r#"{"cmd":"NODE_HANDLE"}"#;
        assert_eq!(
            command == "NODE_HANDLE",
            with_descriptor || is_ping,
            "{text}"
        );
        if with_descriptor || is_ping {
            assert!(self.in_flight == InFlight::Nothing, "{text} beside another");
            self.in_flight = if is_ping {
                InFlight::Ping
            } else {
                InFlight::Descriptor
            };
        }
        let is_last = object
            .get("act")
            .is_some_and(|act| act.is_string("disconnect"));
        let is_leave = object.get("ack").is_some() && object.get("data").is_none();
        if self.is_gone {
            // Every descriptor of the worker is acknowledged.
            assert_eq!(command, "NODE_HANDLE_ACK", "after the end");
        }
        self.is_gone |= is_last || is_leave && command == "NODE_CLUSTER";
    }

    fn take(&mut self) -> u64 {
        self.next += 1;
        self.held.insert(self.next, 0);
        self.next
    }

    fn release(&mut self, handle: u64) {
        assert!(self.held.remove(&handle).is_some(), "released twice");
    }

    /// The worker has exited: every descriptor was released, or is returned now.
    pub fn end(self) {
        let mut left: BTreeSet<_> = self.held.into_keys().collect();
        for (_, handle) in self.outbox.into_unfinished() {
            assert!(left.remove(&handle), "released twice");
        }
        assert!(left.is_empty(), "{left:?} lost");
    }
}
