//! A worker with Node.js' own checks: `lib/internal/cluster/child.js`,
//! `lib/internal/child_process.js`. Where an assertion there would fail, the run fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pidone::channel::frame::{Line, Splitter};
use pidone::json::{Object, Value};

use super::wire::Wire;
use crate::oracle::Broken;

#[derive(Default)]
pub struct Node {
    /// What it has written, and pidone has not read.
    pub up: Wire,
    splitter: Splitter,
    /// A descriptor that arrived before the line it belongs to was complete.
    pending: Option<u32>,
    /// Messages held back while a descriptor of its own is in flight.
    waits_for_ack: Option<VecDeque<String>>,
    seq: i64,
    /// The number of answers to each query.
    pub queries: BTreeMap<i64, u32>,
    pub listeners: Vec<String>,
    names: BTreeSet<String>,
    /// Descriptors that the app has received.
    pub has: BTreeSet<u32>,
    turns: u64,
    last_connection: Option<u64>,
    /// It has sent `exitedAfterDisconnect` with this number.
    asked_to_disconnect: Option<i64>,
    pub told_to_disconnect: bool,
    /// How many messages of other workers it has got.
    pub relayed: i64,
    pub is_disconnected: bool,
}

impl Node {
    fn send(&mut self, line: String) {
        match &mut self.waits_for_ack {
            Some(queue) => queue.push_back(line),
            None => self.up.write(format!("{line}\n").as_bytes(), None),
        }
    }

    /// It may send nothing before a descriptor of its own is acknowledged.
    pub fn may_not_send(&self) -> bool {
        self.waits_for_ack.is_some()
    }

    /// Acknowledgements are never held back (`target._send` in `setupChannel`).
    fn acknowledge(&mut self, name: &str) {
        let line = format!("{{\"cmd\":\"NODE_HANDLE_{name}\"}}\n");
        self.up.write(line.as_bytes(), None);
    }

    fn act(&mut self, act: &str, more: &str) -> i64 {
        self.seq += 1;
        let seq = self.seq;
        self.send(format!(
            r#"{{"cmd":"NODE_CLUSTER","act":"{act}",{more}"seq":{seq}}}"#
        ));
        seq
    }

    pub fn listen(&mut self) {
        let about =
            r#""address":null,"port":8080,"addressType":4,"fd":null,"index":0,"data":null,"#;
        let seq = self.act("queryServer", about);
        self.queries.insert(seq, 0);
    }

    pub fn close(&mut self, which: usize) {
        let key = self.listeners.remove(which);
        self.act("close", &format!(r#""key":"{key}","#));
    }

    /// `process.send()` with a descriptor.
    pub fn send_descriptor(&mut self) {
        let line = r#"{"cmd":"NODE_HANDLE","type":"net.Server","msg":{}}"#.into();
        self.send(line);
        self.waits_for_ack.get_or_insert_default();
    }

    pub fn send_message(&mut self) {
        self.send(r#"{"hello":"primary"}"#.into());
    }

    /// `cluster.worker.disconnect()`.
    pub fn disconnect_itself(&mut self) {
        if self.asked_to_disconnect.is_none() && !self.told_to_disconnect {
            self.close_all();
            self.asked_to_disconnect = Some(self.act("exitedAfterDisconnect", ""));
        }
    }

    fn close_all(&mut self) {
        while !self.listeners.is_empty() {
            self.close(0);
        }
    }

    /// `process.disconnect()`, which may be called once.
    fn disconnect(&mut self) -> Result<(), Broken> {
        must!(!self.is_disconnected, "it disconnects twice");
        self.is_disconnected = true;
        Ok(())
    }

    /// One turn of the event loop: it reads once. `full`: its descriptor table is full.
    pub fn turn(&mut self, down: &mut Wire, most: usize, full: bool) -> Result<(), Broken> {
        if self.is_disconnected {
            return Ok(());
        }
        self.turns += 1;
        let (bytes, handle) = down.read(most);
        if let Some(handle) = handle.filter(|_| !full) {
            must!(
                self.pending.is_none(),
                "a descriptor replaces an unused one"
            );
            self.pending = Some(handle);
        }
        let mut input = bytes.as_slice();
        let mut splitter = std::mem::take(&mut self.splitter);
        while let Some(line) = splitter.next(&mut input) {
            let Line::Whole(line) = line else {
                return Err("a line without a newline".into());
            };
            self.receive(line)?;
        }
        self.splitter = splitter;
        Ok(())
    }

    fn receive(&mut self, line: &[u8]) -> Result<(), Broken> {
        let text = String::from_utf8_lossy(line);
        let message = Object::parse(line).ok_or_else(|| format!("not JSON: {text}"))?;
        let is = |name| message.get("cmd").is_some_and(|cmd| cmd.is_string(name));
        if is("NODE_HANDLE_ACK") {
            let queue = self.waits_for_ack.take();
            must!(queue.is_some(), "assert(ArrayIsArray(target._handleQueue))");
            for line in queue.into_iter().flatten() {
                if line.contains("net.Server") && self.waits_for_ack.is_none() {
                    self.send(line);
                    self.waits_for_ack = Some(VecDeque::new());
                } else {
                    self.send(line);
                }
            }
        } else if is("NODE_HANDLE") {
            must!(!self.told_to_disconnect, "after the disconnect: {text}");
            let Some(handle) = self.pending.take() else {
                self.acknowledge("NACK");
                return Ok(());
            };
            self.acknowledge("ACK");
            let inner = message.get("msg").and_then(Value::object);
            let inner = inner.ok_or_else(|| format!("a ping took a descriptor: {text}"))?;
            self.on_cluster(&inner, Some(handle))?;
        } else if is("NODE_CLUSTER") {
            self.on_cluster(&message, None)?;
        } else if let Some(number) = message.get("number") {
            self.relayed += 1;
            let is_next = number.integer() == Some(self.relayed);
            must!(is_next, "{number:?} where {} is due", self.relayed);
        }
        Ok(())
    }

    fn on_cluster(&mut self, message: &Object<'_>, handle: Option<u32>) -> Result<(), Broken> {
        let number = |name| message.get(name).and_then(Value::integer);
        let key = message.get("key").and_then(Value::string);
        let act = message.get("act").and_then(Value::string);
        match (act.as_deref(), number("ack")) {
            (None, Some(ack)) if self.asked_to_disconnect == Some(ack) => {
                must!(
                    !self.told_to_disconnect,
                    "exitedAfterDisconnect is answered after the disconnect message"
                );
                self.asked_to_disconnect = None;
                self.disconnect()
            }
            (None, Some(ack)) => {
                must!(!self.told_to_disconnect, "an answer after the disconnect");
                let answers = self.queries.get_mut(&ack);
                *answers.ok_or("an answer without a query")? += 1;
                must!(self.queries[&ack] == 1, "query {ack} is answered twice");
                if number("errno") == Some(0) {
                    let key = key.ok_or("no key")?;
                    must!(
                        self.names.insert(key.clone()),
                        "two listeners have the key {key}"
                    );
                    self.listeners.push(key);
                    self.act(
                        "listening",
                        r#""address":null,"port":8080,"addressType":4,"#,
                    );
                }
                self.has.extend(handle);
                Ok(())
            }
            (Some("newconn"), _) => {
                let handle = handle.ok_or("a connection without a descriptor")?;
                let accepted = key.is_some_and(|key| self.listeners.contains(&key));
                let ack = number("seq").ok_or("no number")?;
                self.seq += 1;
                let seq = self.seq;
                self.send(format!(
                    r#"{{"cmd":"NODE_CLUSTER","ack":{ack},"accepted":{accepted},"seq":{seq}}}"#
                ));
                if accepted {
                    must!(self.has.insert(handle), "the app has {handle} twice");
                    self.last_connection = Some(self.turns);
                }
                Ok(())
            }
            (Some("disconnect"), _) => {
                must!(
                    !self.told_to_disconnect,
                    "the disconnect message is repeated"
                );
                let reads = self.last_connection.is_none_or(|at| at + 2 < self.turns);
                must!(reads, "a connection is reset with unread data");
                self.told_to_disconnect = true;
                if self.asked_to_disconnect.is_none() {
                    self.close_all();
                }
                Ok(())
            }
            other => Err(format!("unknown message {other:?}")),
        }
    }

    /// All its connections have ended.
    pub fn drained(&mut self) -> Result<(), Broken> {
        if self.told_to_disconnect && !self.is_disconnected {
            self.disconnect()?;
        }
        Ok(())
    }
}
