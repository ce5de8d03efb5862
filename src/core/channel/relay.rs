//! Messages between workers: who gets what a worker sends to its primary.
//!
//! The primary of some libraries does nothing but pass messages on. pidone does that for them, with the bytes as they came:
//!
//! | library | its messages | who gets one |
//! | --- | --- | --- |
//! | `@socket.io/cluster-adapter` | `"source":"_sio_adapter"` | all other workers; an answer goes to the worker that asked |
//! | `@socket.io/cluster-engine` | `"_source":"_eio"` | the same |
//! | log4js with `pm2: true` | `"topic":"log4js:message"` | a worker with `NODE_APP_INSTANCE` 0, which writes the log |
//!
//! With `--relay`, all other workers get all other messages, too.
//!
//! Who asked is known by the names that the workers of the adapter (0.3, `uid`) and of the engine (`senderId`) have sent before, or by
//! their numbers, `cluster.worker.id` (adapter 0.1 and 0.2). An answer to an unknown name goes to all other workers, which
//! ignore what they have not asked for.
//!
//! A worker must not harm another one: Node's worker exits if a line is not JSON, and obeys what looks like a message of its
//! primary. Such lines are not passed on. How much waits for a worker that does not read is up to [`Outbox`].
//!
//! [`Outbox`]: super::outbox::Outbox

mod batch;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::cluster::FromWorker;
use super::frame::Line;
use crate::json::Value;
use crate::supervisor::WorkerId;
use crate::table::Table;
pub use batch::Batch;

/// How these messages begin: those of the adapter (0.1 to 0.3), of the engine, and of log4js.
const BEGINNINGS: [&[u8]; 4] = [
    b"{\"type\":",
    b"{\"requestId\":",
    b"{\"senderId\":",
    b"{\"topic\":\"log4js:message\"",
];

/// What one of them also contains.
const MARKS: [&[u8]; 3] = [b"\"_sio_adapter\"", b"\"_eio\"", b"\"log4js:message\""];

/// The maximum nesting of a message, so that it cannot exhaust the stack.
const DEPTH_MAX: u8 = 200;

/// How many names of one worker are remembered, the last ones: it has one for each namespace.
const NAMES_MAX: usize = 64;

/// The maximum length of such a name and of its namespace, in bytes.
const NAME_MAX: usize = 128;

/// Whether a line with this beginning may be a library's message to other workers, and so is kept even if it is long.
pub(super) fn may_be_library(beginning: &[u8]) -> bool {
    BEGINNINGS.iter().any(|known| beginning.starts_with(known))
}

/// Who gets which messages; see the [module](self).
#[derive(Default)]
pub struct Relay {
    /// `--relay`
    everything: bool,
    peers: Table<WorkerId, Peer>,
}

/// A worker with a channel.
#[derive(Default)]
struct Peer {
    instance: usize,
    /// Node.js runs in it. What came before would only wait for it.
    is_online: bool,
    /// A successor is there, or will not be needed.
    is_leaving: bool,
    /// It has introduced itself by its number, as versions 0.1 and 0.2 of the adapter do.
    is_numbered: bool,
    names: Vec<Name>,
}

/// A name that a worker has used as the sender, as JSON.
struct Name {
    uid: String,
    /// That of the adapter; the engine has none.
    namespace: Option<String>,
}

/// Why messages of a worker are not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRelayed {
    /// They are malformed, nested too deep, too long, or look like those of a primary.
    Unfit,
    /// log4js runs with its default clustering, in which only a primary writes the log.
    NoPrimaryLogs,
    /// log4js runs with `pm2: true`, and no other worker has `NODE_APP_INSTANCE` 0.
    NoWorkerLogs,
}

/// The members of a message that say what it is; the last of each name counts, as in JavaScript.
#[derive(Default)]
struct Members<'a> {
    library: Option<Library>,
    /// Node.js takes it for its own.
    is_internal: bool,
    sender: Option<Value<'a>>,
    /// Who has asked for this answer.
    asker: Option<Value<'a>>,
    namespace: Option<Value<'a>>,
    kind: Option<i64>,
    data: Option<Value<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    Adapter,
    Engine,
    Log4js,
}

enum Route {
    Nowhere,
    /// It is for a primary of the app's own.
    Unknown,
    Others,
    To(WorkerId),
    Not(NotRelayed),
}

impl Relay {
    /// `everything`: `--relay`.
    #[must_use]
    pub fn new(everything: bool) -> Self {
        Self {
            everything,
            peers: Table::default(),
        }
    }

    /// A worker with a channel has been started. It gets messages from when it is online.
    pub fn add(&mut self, worker: WorkerId, instance: usize) {
        let peer = Peer {
            instance,
            ..Peer::default()
        };
        self.peers.insert(worker, peer);
    }

    /// The workers that get what this one sends to all.
    pub fn others(&self, from: WorkerId) -> impl Iterator<Item = WorkerId> {
        let online = self.peers.iter().filter(|(_, peer)| peer.is_online);
        online.map(|(id, _)| id).filter(move |id| *id != from)
    }

    /// It is told to disconnect. It goes on sending and getting messages: it still has its clients.
    pub fn leaves(&mut self, worker: WorkerId) {
        if let Some(peer) = self.peers.get_mut(worker) {
            peer.is_leaving = true;
        }
    }

    /// Its channel has ended. What is returned tells the other workers' adapters, which would wait for its answers: version 0.3 for
    /// 10 s, and 0.1 and 0.2, which rely on their primary for that, for ever.
    pub fn remove(&mut self, worker: WorkerId) -> Batch {
        let mut batch = Batch::default();
        let Some(peer) = self.peers.remove(worker) else {
            return batch;
        };
        for Name { uid, namespace } in &peer.names {
            if let Some(namespace) = namespace {
                let line = format!(
                    r#"{{"source":"_sio_adapter","type":13,"uid":{uid},"nsp":{namespace}}}"#
                );
                batch.push(None, line.as_bytes());
            }
        }
        if peer.is_numbered {
            let number = worker.0;
            let line = format!(r#"{{"source":"_sio_adapter","type":3,"data":{number}}}"#);
            batch.push(None, line.as_bytes());
        }
        batch
    }

    /// A message of a worker, and its line: adds it to the batch if other workers get it.
    pub fn hear(
        &mut self,
        from: WorkerId,
        message: &FromWorker,
        line: Line<'_>,
        batch: &mut Batch,
    ) {
        match (message, line) {
            (FromWorker::Online, _) => {
                if let Some(peer) = self.peers.get_mut(from) {
                    peer.is_online = true;
                }
            }
            (FromWorker::UserMessage, Line::Whole(text)) => match self.route(from, text) {
                Route::Nowhere => {}
                Route::Unknown => batch.has_unknown = true,
                Route::Others => batch.push(None, text),
                Route::To(worker) => batch.push(Some(worker), text),
                Route::Not(why) => batch.refuse(why),
            },
            (FromWorker::UserMessage, Line::Beginning(_)) if self.is_used_by(from) => {
                batch.refuse(NotRelayed::Unfit);
            }
            _ => {}
        }
    }

    fn is_used_by(&self, worker: WorkerId) -> bool {
        let peer = self.peers.get(worker);
        self.everything || peer.is_some_and(|peer| peer.is_numbered || !peer.names.is_empty())
    }

    fn route(&mut self, from: WorkerId, text: &[u8]) -> Route {
        let has = |mark: &&[u8]| text.windows(mark.len()).any(|part| part == *mark);
        let is_marked = || may_be_library(text) && MARKS.iter().any(has);
        if !(self.everything || is_marked()) {
            return Route::Unknown;
        }
        let Some(message) = Value::parse_nested(text, DEPTH_MAX) else {
            return Route::Not(NotRelayed::Unfit);
        };
        let members = Members::read(message);
        match members.library {
            _ if members.is_internal => Route::Not(NotRelayed::Unfit),
            Some(Library::Log4js) => self.logger(from, &members),
            Some(_) => self.addressee(from, &members),
            None if self.everything => Route::Others,
            None => Route::Unknown,
        }
    }

    fn addressee(&mut self, from: WorkerId, members: &Members<'_>) -> Route {
        if let Some(uid) = members.sender {
            self.learn(from, uid, members);
            let asker = members.asker.and_then(|asker| self.named(asker.raw()));
            return asker.map_or(Route::Others, |asker| self.answer(from, asker));
        }
        // Versions 0.1 and 0.2: `data` is the number of a worker that introduces itself, or has that of the worker that asks.
        let Some(data) = members.data else {
            return Route::Others;
        };
        if members.kind == Some(1)
            && data.integer() == Some(from.0.into())
            && let Some(peer) = self.peers.get_mut(from)
        {
            peer.is_numbered = true;
        }
        let number = data.object().and_then(|data| data.get("workerId"));
        match number.and_then(Value::integer) {
            Some(number) if number != i64::from(from.0) => {
                let asker = u32::try_from(number).ok().map(WorkerId);
                asker.map_or(Route::Nowhere, |asker| self.answer(from, asker))
            }
            _ => Route::Others,
        }
    }

    fn answer(&self, from: WorkerId, asker: WorkerId) -> Route {
        if asker != from && self.peers.get(asker).is_some() {
            Route::To(asker)
        } else {
            Route::Nowhere
        }
    }

    /// Remembers a name of a worker, unless it is another one's.
    fn learn(&mut self, from: WorkerId, uid: Value<'_>, members: &Members<'_>) {
        let namespace = members.namespace.map_or("", Value::raw);
        let uid = uid.raw();
        if uid.len().max(namespace.len()) > NAME_MAX || self.named(uid).is_some() {
            return;
        }
        if let Some(peer) = self.peers.get_mut(from) {
            if peer.names.len() >= NAMES_MAX {
                peer.names.remove(0);
            }
            let is_adapter = members.library == Some(Library::Adapter);
            peer.names.push(Name {
                uid: uid.into(),
                namespace: (is_adapter && !namespace.is_empty()).then(|| namespace.into()),
            });
        }
    }

    fn named(&self, uid: &str) -> Option<WorkerId> {
        let has = |peer: &Peer| peer.names.iter().any(|name| name.uid == uid);
        let mut peers = self.peers.iter();
        peers.find(|(_, peer)| has(peer)).map(|(id, _)| id)
    }

    /// The worker that log4js takes for the one that writes: during a reload the old one, until it leaves.
    fn logger(&self, from: WorkerId, members: &Members<'_>) -> Route {
        // The event is serialised as a list of flat objects, of which it is the first (flatted).
        let data = members.data.map_or("", Value::raw);
        let event = data.split('}').next().unwrap_or_default();
        if event.contains(r#"\"cluster\":"#) {
            return Route::Not(NotRelayed::NoPrimaryLogs);
        }
        let peers = self.peers.iter().filter(|(id, _)| *id != from);
        let loggers = peers.filter(|(_, peer)| peer.is_online && peer.instance == 0);
        let logger = loggers.min_by_key(|(_, peer)| peer.is_leaving);
        logger.map_or(Route::Not(NotRelayed::NoWorkerLogs), |(id, _)| {
            Route::To(id)
        })
    }
}

impl<'a> Members<'a> {
    fn read(message: Value<'a>) -> Self {
        let mut read = Self::default();
        for (name, value) in message.object().iter().flat_map(|object| object.members()) {
            match (name.raw(), value.raw()) {
                (r#""source""#, r#""_sio_adapter""#) => read.library = Some(Library::Adapter),
                (r#""_source""#, r#""_eio""#) => read.library = Some(Library::Engine),
                (r#""topic""#, r#""log4js:message""#) => read.library = Some(Library::Log4js),
                (r#""uid""# | r#""senderId""#, _) => read.sender = text(value),
                (r#""requesterUid""# | r#""recipientId""#, _) => read.asker = text(value),
                (r#""nsp""#, _) => read.namespace = text(value),
                (r#""type""#, _) => read.kind = value.integer(),
                (r#""data""#, _) => read.data = Some(value),
                (_, command) if is_command(name) => {
                    // Escapes could spell the prefix.
                    let is_escaped = command.starts_with('"') && command.contains('\\');
                    read.is_internal |= is_escaped || command.starts_with(r#""NODE_"#);
                }
                _ => {}
            }
        }
        read
    }
}

fn text(value: Value<'_>) -> Option<Value<'_>> {
    value.raw().starts_with('"').then_some(value)
}

/// Whether JavaScript reads this name as `cmd`.
fn is_command(name: Value<'_>) -> bool {
    name.is_string("cmd") || name.raw().contains('\\') && name.string().as_deref() == Some("cmd")
}

#[cfg(test)]
mod tests;
