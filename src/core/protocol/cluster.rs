//! Node's cluster messages, typed, as lines of JSON: `lib/internal/cluster/child.js`,
//! `lib/internal/child_process.js`. Tried on Node.js 16 to 26 (`tests/conformance`).
//!
//! What a worker does that the lines themselves do not show:
//! - It closes the channel once told to disconnect and its connections have ended, but also when the
//!   app had called `cluster.worker.disconnect()` before and was still waiting for them: the end of
//!   the channel means "drained" only if the listeners were still open when the disconnect was sent.
//! - A disconnect resets a connection that has been accepted but not read from (seen on Node.js 26;
//!   Node.js 19 and newer close idle connections with the server), and Node.js 20 and newer accept
//!   one connection in each turn of the event loop, older ones all that wait.
//!   [`outbox`](super::outbox) therefore asks for two signs of life before it disconnects. What has
//!   not been accepted stays in the queue for as long as somebody keeps the socket; that the queue is
//!   empty by then, or has a successor, is the caller's business.
//! - A worker that cannot take a descriptor, its table being full, answers
//!   [`Nack`](FromWorker::Nack); to a line that announces a descriptor and brings none as well, and
//!   that is how a ping works.
//! - `exclusive` and `reusePort` servers bind themselves and say nothing at all.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::SocketAddr;

use super::frame::Line;
use super::json::{Object, Value};
use super::query::{Data, Query};
use crate::signal::{Signal, SignalSet};

/// How every internal line begins; what an app sends cannot, unless it means to.
const INTERNAL: &[u8] = b"{\"cmd\":\"NODE_";

/// How a line begins that brings a descriptor from the app.
const HANDLE: &[u8] = b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"";

/// The descriptors an app can send: `handleConversion` in `lib/internal/child_process.js`.
const HANDLE_TYPES: [&str; 5] = [
    "net.Native",
    "net.Server",
    "net.Socket",
    "dgram.Native",
    "dgram.Socket",
];

/// An open listener of one worker, by the name it has between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(super) u64);

impl Key {
    fn read(value: Value<'_>) -> Option<Self> {
        let digits = value.string()?;
        digits.parse().ok().map(Self)
    }
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// Its first words, before any of the app's code.
    Online,
    /// It wants to listen. To be answered once.
    Query(Query),
    /// It listens; the port is the real one.
    Listening(Query),
    /// It has closed a listener; requests may still be in progress.
    Close {
        /// Which one, if it tells the truth.
        key: Key,
    },
    /// The app has called `cluster.worker.disconnect()` or `kill()`, and waits for leave.
    ExitedAfterDisconnect {
        /// Its number, which the answer names.
        seq: i64,
    },
    /// It has taken the descriptor.
    Ack,
    /// It got no descriptor: could not take it, or answers a ping.
    Nack,
    /// Whether it takes a connection that was handed to it.
    Accepted {
        /// The number of the connection.
        ack: i64,
        /// If not, it has closed its copy.
        accepted: bool,
    },
    /// The app has sent a descriptor of its own, and will say nothing more until that is answered.
    HandleOffered,
    /// The module of `--http-drain` runs inside it.
    Loaded,
    /// That module has heard that the worker will be told to disconnect soon.
    Announced {
        /// The signals that the app listens to.
        handles: SignalSet,
    },
    /// That module was asked to say when all requests are answered, and they are.
    Finished,
    /// The app has sent the string `ready`.
    Ready,
    /// Anything else that the app has sent.
    UserMessage,
    /// An internal line that is broken, or of a kind nobody here knows.
    Garbage,
}

impl FromWorker {
    /// Reads one line.
    #[must_use]
    pub fn parse(line: Line<'_>) -> Self {
        let text = match line {
            Line::Whole(text) | Line::Beginning(text) => text,
        };
        // Bun marks its internal lines.
        let text = text.strip_prefix(b"\x02").unwrap_or(text);
        if text == b"\"ready\"" {
            return Self::Ready;
        }
        if !text.starts_with(INTERNAL) {
            return Self::UserMessage;
        }
        if matches!(line, Line::Beginning(_)) {
            return Self::parse_beginning(text);
        }
        Object::parse(text)
            .and_then(|message| Self::parse_internal(&message))
            .unwrap_or(Self::Garbage)
    }

    /// Only what an app sends can be that long, perhaps along with a descriptor.
    fn parse_beginning(text: &[u8]) -> Self {
        let is_handle = text.strip_prefix(HANDLE).is_some_and(|text| {
            HANDLE_TYPES.iter().any(|name| {
                text.strip_prefix(name.as_bytes())
                    .is_some_and(|text| text.starts_with(b"\""))
            })
        });
        if is_handle {
            Self::HandleOffered
        } else {
            Self::Garbage
        }
    }

    fn parse_internal(message: &Object<'_>) -> Option<Self> {
        let command = message.get("cmd")?;
        let is = |name| command.is_string(name);
        if is("NODE_HANDLE_ACK") {
            return Some(Self::Ack);
        }
        if is("NODE_HANDLE_NACK") {
            return Some(Self::Nack);
        }
        if is("NODE_HANDLE") {
            // Without a type no descriptor came with it, and any answer would end the worker: it
            // asserts that it waits for one.
            let kind = message.get("type")?;
            let is_known = HANDLE_TYPES.iter().any(|name| kind.is_string(name));
            return is_known.then_some(Self::HandleOffered);
        }
        if is("NODE_PIDONE") {
            return Self::parse_module(message);
        }
        if !is("NODE_CLUSTER") {
            return None;
        }
        let Some(act) = message.get("act") else {
            return Some(Self::Accepted {
                ack: message.get("ack")?.integer()?,
                accepted: message.get("accepted")?.boolean()?,
            });
        };
        if act.is_string("online") {
            Some(Self::Online)
        } else if act.is_string("queryServer") {
            Query::read(message).map(Self::Query)
        } else if act.is_string("listening") {
            Query::read(message).map(Self::Listening)
        } else if act.is_string("close") {
            let key = Key::read(message.get("key")?)?;
            Some(Self::Close { key })
        } else if act.is_string("exitedAfterDisconnect") {
            let seq = message.get("seq")?.integer()?;
            Some(Self::ExitedAfterDisconnect { seq })
        } else {
            None
        }
    }
}

impl FromWorker {
    /// What the module of `--http-drain` says (`runtime/drain.mjs`). An app can say it too: what it
    /// names that is no signal is left out, and there are 64 signals at most.
    fn parse_module(message: &Object<'_>) -> Option<Self> {
        let act = message.get("act")?;
        if act.is_string("loaded") {
            Some(Self::Loaded)
        } else if act.is_string("finished") {
            Some(Self::Finished)
        } else if act.is_string("announced") {
            let signals = message.get("signals")?.items();
            let signals = signals.filter_map(|name| Signal::parse(&name.string()?));
            let handles = signals.collect();
            Some(Self::Announced { handles })
        } else {
            None
        }
    }
}

/// What kind of listener a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// A TCP or UNIX stream socket.
    Stream,
    /// A UDP socket.
    Datagram,
}

/// What a worker is told; only [`outbox`](super::outbox) says it, which knows when.
pub(super) enum ToWorker<'a> {
    /// The answer to a query: this descriptor.
    Listener {
        seq: i64,
        key: Key,
        data: &'a Data,
        kind: HandleKind,
    },
    /// The answer to a query: an error, from errno(3).
    Failure {
        seq: i64,
        errno: i32,
        data: &'a Data,
    },
    /// The answer to a query: connections will be handed over one by one.
    ///
    /// Without an address (UNIX sockets), `server.address()` is `null`.
    RoundRobin {
        seq: i64,
        key: Key,
        data: &'a Data,
        address: Option<SocketAddr>,
    },
    /// This connection, accepted on a listener.
    Connection { seq: i64, key: Key },
    /// Leave to disconnect.
    Acknowledged { seq: i64 },
    /// Close the listeners, finish what is in progress, close the channel.
    Disconnect { seq: i64 },
    /// A descriptor that is none; the event loop says so.
    Ping,
    /// The app's descriptor has arrived.
    HandleTaken,
    /// The worker will be told to disconnect soon. Node ignores it; the app can see it as
    /// `internalMessage` of `process`.
    Drain,
    /// The same for: say when all requests are answered.
    Finish,
}

impl ToWorker<'_> {
    /// The line, newline included.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = String::with_capacity(192);
        // Writing to memory cannot fail.
        let _ = self.write(&mut line);
        line.into_bytes()
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        match *self {
            Self::Listener {
                seq,
                key: Key(key),
                data,
                kind,
            } => {
                let kind = match kind {
                    HandleKind::Stream => "net",
                    HandleKind::Datagram => "dgram",
                };
                let data = data.as_json();
                writeln!(
                    out,
                    r#"{{"cmd":"NODE_HANDLE","type":"{kind}.Native","msg":{{"cmd":"NODE_CLUSTER","ack":{seq},"key":"{key}","errno":0,"data":{data}}}}}"#
                )
            }
            Self::Failure { seq, errno, data } => {
                // Zero would mean round robin.
                let errno = errno.unsigned_abs().max(1);
                let data = data.as_json();
                writeln!(
                    out,
                    r#"{{"cmd":"NODE_CLUSTER","ack":{seq},"errno":-{errno},"data":{data}}}"#
                )
            }
            Self::RoundRobin {
                seq,
                key: Key(key),
                data,
                address,
            } => {
                let data = data.as_json();
                write!(
                    out,
                    r#"{{"cmd":"NODE_CLUSTER","ack":{seq},"key":"{key}","errno":0,"data":{data}"#
                )?;
                if let Some(address) = address {
                    let family = if address.is_ipv4() { 4 } else { 6 };
                    let (ip, port) = (address.ip(), address.port());
                    write!(
                        out,
                        r#","sockname":{{"address":"{ip}","family":"IPv{family}","port":{port}}}"#
                    )?;
                }
                out.write_str("}\n")
            }
            Self::Connection { seq, key: Key(key) } => writeln!(
                out,
                r#"{{"cmd":"NODE_HANDLE","type":"net.Native","msg":{{"cmd":"NODE_CLUSTER","act":"newconn","key":"{key}","seq":{seq}}}}}"#
            ),
            Self::Acknowledged { seq } => {
                writeln!(out, r#"{{"cmd":"NODE_CLUSTER","ack":{seq}}}"#)
            }
            Self::Disconnect { seq } => writeln!(
                out,
                r#"{{"cmd":"NODE_CLUSTER","act":"disconnect","seq":{seq}}}"#
            ),
            Self::Ping => out.write_str("{\"cmd\":\"NODE_HANDLE\"}\n"),
            Self::HandleTaken => out.write_str("{\"cmd\":\"NODE_HANDLE_ACK\"}\n"),
            Self::Drain => out.write_str("{\"cmd\":\"NODE_PIDONE_DRAIN\"}\n"),
            Self::Finish => out.write_str("{\"cmd\":\"NODE_PIDONE_FINISH\"}\n"),
        }
    }
}

#[cfg(test)]
mod tests;
