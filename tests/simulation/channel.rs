//! The channel to one worker: pidone's side of it, against a worker with the same checks as
//! Node.js, over a socket with a small buffer.

mod node;
mod wire;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

use pidone::channel::cluster::{FromWorker, HandleKind, Key};
use pidone::channel::frame::Splitter;
use pidone::channel::outbox::{Fate, Outbox, Outcome};
use pidone::channel::query::Query;

use crate::oracle::Broken;
use crate::seeds::Print;
use node::Node;
use pidone_testkit::random::Random;
use wire::Wire;

/// errno(3), EMFILE and EADDRINUSE: errors that an app may get.
const TOO_MANY: i32 = 24;
const IN_USE: i32 = 98;

/// Runs one seed; returns the number of steps.
pub fn run(seed: u64, print: Print) -> Result<u64, Broken> {
    let mut random = Random::new(seed);
    let steps = random.pick(&[10, 100, 300, 1000]);
    let full = random.pick(&[0, 15, 70]);
    let mut channel = Channel {
        random,
        outbox: Outbox::new(),
        splitter: Splitter::new(),
        down: Wire::default(),
        node: Node::default(),
        keys: Vec::new(),
        given: 0,
        relayed: 0,
        out: BTreeSet::new(),
        answered: BTreeSet::new(),
        disconnected: false,
        full,
        print: print == Print::Yes,
    };
    for _ in 0..steps {
        channel.step()?;
    }
    if channel.random.chance(50) {
        channel.disconnect()?;
    }
    if channel.random.chance(70) {
        channel.settle()?;
    }
    channel.die()?;
    Ok(steps)
}

struct Channel {
    random: Random,
    outbox: Outbox<u32>,
    splitter: Splitter,
    down: Wire,
    node: Node,
    /// Listeners that pidone considers open.
    keys: Vec<Key>,
    /// The number of the next descriptor.
    given: u32,
    /// How many messages of other workers are queued for it, or were.
    relayed: i64,
    /// Descriptors in the outbox.
    out: BTreeSet<u32>,
    /// Queries whose answer it has taken.
    answered: BTreeSet<i64>,
    disconnected: bool,
    /// The percentage of reads with a full descriptor table in the worker.
    full: u64,
    print: bool,
}

impl Channel {
    fn step(&mut self) -> Result<(), Broken> {
        match self.random.below(200) {
            0..12 if self.is_connected() => self.node.listen(),
            12..18 if self.is_connected() && !self.node.listeners.is_empty() => {
                let count = self.node.listeners.len() as u64;
                let which = usize::try_from(self.random.below(count)).unwrap();
                self.node.close(which);
            }
            18..24 if self.is_connected() => self.node.send_descriptor(),
            24..26 if self.is_connected() => self.node.send_message(),
            26 if self.is_connected() && self.random.chance(20) => self.node.disconnect_itself(),
            27..50 => self.connect()?,
            50..60 => drop(self.outbox.ping()),
            60 => self.outbox.announce(),
            61 if self.random.chance(20) => self.disconnect()?,
            62..65 => self.node.drained()?,
            65..120 => self.write(),
            120..157 => self.turn()?,
            157..160 => self.relay(),
            _ => self.receive()?,
        }
        Ok(())
    }

    fn disconnect(&mut self) -> Result<(), Broken> {
        self.disconnected = true;
        self.note("disconnect");
        for (_, handle) in self.outbox.disconnect() {
            self.back(handle, None)?;
        }
        Ok(())
    }

    fn note(&self, what: impl std::fmt::Debug) {
        if self.print {
            println!("{what:?}");
        }
    }

    fn is_connected(&self) -> bool {
        !self.node.is_disconnected
    }

    fn new_handle(&mut self) -> u32 {
        self.given += 1;
        self.out.insert(self.given);
        self.given
    }

    /// The outbox returns a descriptor; with it, if known, whether the worker has it.
    fn back(&mut self, handle: u32, fate: Option<Fate>) -> Result<(), Broken> {
        self.note(("back", handle, fate));
        must!(self.out.remove(&handle), "{handle} is returned twice");
        let has = self.node.has.contains(&handle);
        let wanted = fate == Some(Fate::Delivered);
        must!(
            has == wanted,
            "{handle}: {fate:?}, but the app has it: {has}"
        );
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Broken> {
        let count = self.keys.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let key = self.keys[usize::try_from(self.random.below(count)).unwrap()];
        let handle = self.new_handle();
        match self.outbox.queue_connection(key, handle) {
            Ok(()) => Ok(()),
            Err((_, handle)) => self.back(handle, None),
        }
    }

    /// Messages of other workers, numbered.
    fn relay(&mut self) {
        let mut lines = String::new();
        for _ in 0..self.random.below(4) + 1 {
            self.relayed += 1;
            let (number, filling) = (self.relayed, self.random.pick(&[1, 100, 1000]));
            let _ = writeln!(
                lines,
                r#"{{"number":{number},"filling":"{filling:0filling$}"}}"#
            );
        }
        // So few always fit.
        assert!(self.outbox.relay(Rc::new(lines.into_bytes())));
    }

    fn write(&mut self) {
        const ROOM: usize = 2000;
        let Some(transmit) = self.outbox.poll_transmit() else {
            return;
        };
        let room = ROOM.saturating_sub(self.down.len());
        let mut size = transmit.bytes.len().min(room);
        if self.random.chance(20) {
            size = size.min(usize::try_from(self.random.below(100)).unwrap());
        }
        if size > 0 {
            let written = &transmit.bytes[..size];
            if self.print {
                println!(
                    "-> {:?} {:?}",
                    String::from_utf8_lossy(written),
                    transmit.handle
                );
            }
            self.down.write(written, transmit.handle.copied());
            self.outbox.wrote(size);
        }
    }

    fn turn(&mut self) -> Result<(), Broken> {
        let most = self.random.pick(&[1, 50, 500, 65_536]);
        let full = self.random.chance(self.full);
        self.node.turn(&mut self.down, most, full)
    }

    fn receive(&mut self) -> Result<(), Broken> {
        let most = self.random.pick(&[1, 50, 500, 65_536]);
        let (bytes, _) = self.node.up.read(most);
        let mut input = bytes.as_slice();
        let mut splitter = std::mem::take(&mut self.splitter);
        while let Some(line) = splitter.next(&mut input) {
            let message = FromWorker::parse(line);
            self.note(("<-", &message));
            match self.outbox.on_message(&message) {
                Outcome::HandleReleased { key, handle, fate } => {
                    if fate == Fate::Refused && !self.node.has.contains(&handle) {
                        self.remove_if_unopened(key);
                    }
                    self.back(handle, Some(fate))?;
                }
                Outcome::ListenerClosed(key) => self.keys.retain(|open| *open != key),
                Outcome::Disconnects => self.keys.clear(),
                Outcome::Nothing | Outcome::PingAnswered => {}
            }
            if let FromWorker::Query(query) = message {
                self.answer(&query)?;
            }
        }
        self.splitter = splitter;
        Ok(())
    }

    /// A listener that did not arrive is not open; one whose connection did not arrive still is.
    fn remove_if_unopened(&mut self, key: Key) {
        let name = format!("{key:?}");
        let arrived = |listener: &String| name == format!("Key({listener})");
        if !self.node.listeners.iter().any(arrived) {
            self.keys.retain(|open| *open != key);
        }
    }

    /// As the runtime does it: an answer that is rejected becomes an error, which may be rejected
    /// too.
    fn answer(&mut self, query: &Query) -> Result<(), Broken> {
        let (seq, data) = (query.seq, &query.data);
        let opened = match self.random.below(10) {
            0 => None,
            1..4 => self.outbox.queue_round_robin(seq, data, None).ok(),
            _ => {
                let handle = self.new_handle();
                let kind = HandleKind::Stream;
                match self.outbox.queue_listener(seq, data, handle, kind) {
                    Ok(key) => Some(key),
                    Err((_, handle)) => {
                        self.back(handle, None)?;
                        None
                    }
                }
            }
        };
        let errno = self.random.pick(&[TOO_MANY, IN_USE]);
        let taken = opened.is_some() || self.outbox.queue_failure(seq, errno, data).is_ok();
        self.keys.extend(opened);
        if taken {
            must!(self.answered.insert(seq), "query {seq} arrived twice");
        }
        Ok(())
    }

    /// Begins nothing more, and completes what is in progress.
    fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..100_000 {
            self.write();
            self.node.turn(&mut self.down, 65_536, false)?;
            self.receive()?;
            let is_heard = self.node.up.is_empty();
            let is_read = self.down.is_empty() || self.node.is_disconnected;
            if is_heard
                && is_read
                && (self.node.is_disconnected || self.outbox.poll_transmit().is_none())
            {
                return self.is_settled();
            }
        }
        Err("it never becomes idle".into())
    }

    fn is_settled(&self) -> Result<(), Broken> {
        let node = &self.node;
        must!(
            !self.outbox.ping_in_flight() || node.is_disconnected,
            "a ping without a reply"
        );
        if self.disconnected {
            let knows = node.told_to_disconnect || node.is_disconnected;
            must!(knows, "the disconnect message is lost");
        } else if !node.is_disconnected {
            let once = |seq: &&i64| node.queries.get(*seq) == Some(&1);
            let forgotten = self.answered.iter().find(|seq| !once(seq));
            must!(forgotten.is_none(), "query {forgotten:?} has no answer");
            must!(self.out.is_empty(), "{:?} were not returned", self.out);
        }
        if !node.is_disconnected {
            let (got, all) = (node.relayed, self.relayed);
            must!(got == all, "{got} of {all} messages of other workers");
        }
        Ok(())
    }

    /// The worker dies: its messages are read first.
    fn die(mut self) -> Result<(), Broken> {
        while !self.node.up.is_empty() {
            self.receive()?;
        }
        let outbox = std::mem::take(&mut self.outbox);
        for (_, handle) in outbox.into_unfinished() {
            self.note(("unfinished", handle));
            must!(self.out.remove(&handle), "{handle} is returned twice");
            // Messages that it was not allowed to send yet do not count.
            let has = self.node.has.contains(&handle) && !self.node.may_not_send();
            must!(!has, "{handle} is unfinished, but the app has it");
        }
        must!(self.out.is_empty(), "{:?} are lost", self.out);
        Ok(())
    }
}
