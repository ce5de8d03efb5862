//! Node's cluster messages, typed, as lines of JSON: `lib/internal/cluster/child.js`,
//! `lib/internal/child_process.js`. Tested with Node.js 16 to 26 (`tests/conformance`).
//!
//! Worker behaviour that the lines themselves do not show:
//! - A worker closes the channel after a disconnect, once its connections have ended. It also does so
//!   if the app had called `cluster.worker.disconnect()` earlier and was still waiting for them. So the end of
//!   the channel means "drained" only if the listeners were still open when the disconnect was sent.
//! - A disconnect resets a connection that was accepted but not read from (seen on Node.js 26;
//!   Node.js 19 and newer close idle connections with the server). Node.js 20 and newer accept
//!   one connection per turn of the event loop, older versions all that are queued.
//!   [`outbox`](super::outbox) therefore waits for two answered pings before it disconnects. A connection
//!   that was not accepted stays in the accept queue while any process keeps the socket open. The caller
//!   ensures that the queue is empty by then, or that a successor serves it.
//! - A worker whose descriptor table is full cannot take a descriptor and answers
//!   [`Nack`](FromWorker::Nack). It answers the same to a line that announces a descriptor but carries
//!   none; a ping is such a line.
//! - `exclusive` and `reusePort` servers bind their sockets themselves and send no message.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::SocketAddr;

use super::frame::Line;
use super::query::{Data, Query};
use crate::app_metrics::question;
use crate::json::{Object, Value};
use crate::signal::{Signal, SignalSet};

/// The prefix of every internal line. An app's message has it only if the app forges one.
const INTERNAL: &[u8] = b"{\"cmd\":\"NODE_";

/// The prefix of a line that carries a descriptor from the app.
const HANDLE: &[u8] = b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"";

/// The descriptors an app can send: `handleConversion` in `lib/internal/child_process.js`.
const HANDLE_TYPES: [&str; 5] = [
    "net.Native",
    "net.Server",
    "net.Socket",
    "dgram.Native",
    "dgram.Socket",
];

/// An open listener of one worker: its key on the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(super) u64);

impl Key {
    fn read(value: Value<'_>) -> Option<Self> {
        let digits = value.string()?;
        digits.parse().ok().map(Self)
    }
}

/// A message from a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// Its first message, sent before any of the app's code runs.
    Online,
    /// It requests a listener. Must be answered once.
    Query(Query),
    /// It listens; the port is the bound one.
    Listening(Query),
    /// It has closed a listener; requests may still be in progress.
    Close {
        /// The listener, as claimed by the worker.
        key: Key,
    },
    /// The app has called `cluster.worker.disconnect()` or `kill()`, and waits for the acknowledgement.
    ExitedAfterDisconnect {
        /// Its sequence number, which the answer must repeat.
        seq: i64,
    },
    /// It has received the descriptor.
    Ack,
    /// It received no descriptor: it could not take one, or answers a ping.
    Nack,
    /// Whether it accepts a connection that was handed to it.
    Accepted {
        /// The sequence number of the connection.
        ack: i64,
        /// If false, it has closed its copy.
        accepted: bool,
    },
    /// The app has sent a descriptor; the worker sends nothing more until that is acknowledged.
    HandleOffered,
    /// The module of `--http-drain` is loaded in it.
    Loaded,
    /// That module has received the announcement that a disconnect will follow.
    Announced {
        /// The signals that the app listens to.
        handles: SignalSet,
    },
    /// That module reports, as requested, that all requests are answered.
    Finished,
    /// The app has sent the string `ready`.
    Ready,
    /// Anything else that the app has sent.
    UserMessage,
    /// An internal line that is malformed or of an unknown kind.
    Garbage,
}

impl FromWorker {
    /// Reads one line.
    #[must_use]
    pub fn parse(line: Line<'_>) -> Self {
        let text = match line {
            Line::Whole(text) | Line::Beginning(text) => text,
        };
        // Bun prefixes its internal lines with this byte.
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

    /// Only a message from the app can be that long; it may carry a descriptor.
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
            // Without a type it carries no descriptor. An answer would crash the worker, which
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
    /// A message from the module of `--http-drain` (`runtime/drain.mjs`). An app can forge one, so
    /// unknown signal names are ignored; there are at most 64 signals.
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

/// The kind of a listener's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// A TCP or UNIX stream socket.
    Stream,
    /// A UDP socket.
    Datagram,
}

/// A message to a worker. Only [`outbox`](super::outbox) sends one, as it tracks when it may.
pub(super) enum ToWorker<'a> {
    /// The answer to a query: a descriptor.
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
    /// The answer to a query: connections will be handed to the worker one by one.
    ///
    /// Without an address (UNIX sockets), `server.address()` is `null`.
    RoundRobin {
        seq: i64,
        key: Key,
        data: &'a Data,
        address: Option<SocketAddr>,
    },
    /// A connection, accepted on a listener.
    Connection { seq: i64, key: Key },
    /// The acknowledgement of [`FromWorker::ExitedAfterDisconnect`].
    Acknowledged { seq: i64 },
    /// Close the listeners, finish what is in progress, close the channel.
    Disconnect { seq: i64 },
    /// Announces a descriptor but carries none; the event loop answers with a nack.
    Ping,
    /// The acknowledgement of the app's descriptor.
    HandleTaken,
    /// A disconnect will follow. Node ignores this; the app can see it as `internalMessage` of
    /// `process`.
    Drain,
    /// Requests [`FromWorker::Finished`]. Node ignores this too.
    Finish,
    /// Requests the app's own metrics; for prom-client.
    AppMetrics { request: u64 },
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
            Self::AppMetrics { request } => out.write_str(&question(request)),
        }
    }
}

#[cfg(test)]
mod tests;
