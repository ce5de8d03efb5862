//! The channel to one worker: what pidone keeps of it, against a worker that is as particular as
//! Node.js, over a socket that has little room.

mod node;
mod wire;

use std::collections::BTreeSet;

use pidone::protocol::cluster::{FromWorker, HandleKind, Key};
use pidone::protocol::frame::Splitter;
use pidone::protocol::outbox::{Fate, Outbox, Outcome};
use pidone::protocol::query::Query;

use crate::oracle::Broken;
use crate::random::Random;
use crate::seeds::Aloud;
use node::Node;
use wire::Wire;

/// errno(3), EMFILE and EADDRINUSE: what an app may be told.
const TOO_MANY: i32 = 24;
const IN_USE: i32 = 98;

/// Lives through one seed; how much has happened.
pub fn live(seed: u64, aloud: Aloud) -> Result<u64, Broken> {
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
        out: BTreeSet::new(),
        answered: BTreeSet::new(),
        dismissed: false,
        full,
        aloud: aloud == Aloud::Yes,
    };
    for _ in 0..steps {
        channel.step()?;
    }
    if channel.random.chance(50) {
        channel.dismiss()?;
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
    /// Listeners that pidone takes for open.
    keys: Vec<Key>,
    /// The next descriptor's number.
    given: u32,
    /// Descriptors that the outbox has.
    out: BTreeSet<u32>,
    /// Queries that it has taken an answer to.
    answered: BTreeSet<i64>,
    dismissed: bool,
    /// How often in a hundred times the worker's table of descriptors is full.
    full: u64,
    aloud: bool,
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
            24..26 if self.is_connected() => self.node.say(),
            26 if self.is_connected() && self.random.chance(20) => self.node.leave(),
            27..50 => self.connect()?,
            50..60 => drop(self.outbox.ping()),
            60 => self.outbox.announce(),
            61 if self.random.chance(20) => self.dismiss()?,
            62..65 => self.node.drained()?,
            65..120 => self.write(),
            120..160 => self.turn()?,
            _ => self.hear()?,
        }
        Ok(())
    }

    fn dismiss(&mut self) -> Result<(), Broken> {
        self.dismissed = true;
        self.note("disconnect");
        for (_, handle) in self.outbox.disconnect() {
            self.back(handle, None)?;
        }
        Ok(())
    }

    fn note(&self, what: impl std::fmt::Debug) {
        if self.aloud {
            println!("{what:?}");
        }
    }

    fn is_connected(&self) -> bool {
        !self.node.is_disconnected
    }

    fn give(&mut self) -> u32 {
        self.given += 1;
        self.out.insert(self.given);
        self.given
    }

    /// A descriptor is the caller's again; whether the worker has it, if that is known.
    fn back(&mut self, handle: u32, fate: Option<Fate>) -> Result<(), Broken> {
        self.note(("back", handle, fate));
        must!(self.out.remove(&handle), "{handle} comes back twice");
        let has = self.node.has.contains(&handle);
        let wanted = fate == Some(Fate::Delivered);
        must!(
            has == wanted,
            "{handle}: {fate:?}, and the app has it: {has}"
        );
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Broken> {
        let count = self.keys.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let key = self.keys[usize::try_from(self.random.below(count)).unwrap()];
        let handle = self.give();
        match self.outbox.queue_connection(key, handle) {
            Ok(()) => Ok(()),
            Err((_, handle)) => self.back(handle, None),
        }
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
            if self.aloud {
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

    fn hear(&mut self) -> Result<(), Broken> {
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
                        self.forget_if_unopened(key);
                    }
                    self.back(handle, Some(fate))?;
                }
                Outcome::ListenerClosed(key) => self.keys.retain(|open| *open != key),
                Outcome::Leaves => self.keys.clear(),
                Outcome::Nothing | Outcome::PingAnswered => {}
            }
            if let FromWorker::Query(query) = message {
                self.answer(&query)?;
            }
        }
        self.splitter = splitter;
        Ok(())
    }

    /// A listener that did not arrive is none; one whose connection did not is one all the same.
    fn forget_if_unopened(&mut self, key: Key) {
        let name = format!("{key:?}");
        let arrived = |listener: &String| name == format!("Key({listener})");
        if !self.node.listeners.iter().any(arrived) {
            self.keys.retain(|open| *open != key);
        }
    }

    /// As the shell does it: an answer that is not taken becomes an error, which may not be either.
    fn answer(&mut self, query: &Query) -> Result<(), Broken> {
        let (seq, data) = (query.seq, &query.data);
        let opened = match self.random.below(10) {
            0 => None,
            1..4 => self.outbox.queue_round_robin(seq, data, None).ok(),
            _ => {
                let handle = self.give();
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
            must!(self.answered.insert(seq), "query {seq} was asked twice");
        }
        Ok(())
    }

    /// Nothing more is begun, and what is in progress comes to its end.
    fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..100_000 {
            self.write();
            self.node.turn(&mut self.down, 65_536, false)?;
            self.hear()?;
            let is_heard = self.node.up.is_empty();
            let is_read = self.down.is_empty() || self.node.is_disconnected;
            if is_heard
                && is_read
                && (self.node.is_disconnected || self.outbox.poll_transmit().is_none())
            {
                return self.is_settled();
            }
        }
        Err("it never settles".into())
    }

    fn is_settled(&self) -> Result<(), Broken> {
        let node = &self.node;
        must!(
            !self.outbox.ping_in_flight() || node.is_disconnected,
            "a ping without an answer"
        );
        if self.dismissed {
            let knows = node.told_to_leave || node.is_disconnected;
            must!(knows, "the disconnect is lost");
        } else if !node.is_disconnected {
            let once = |seq: &&i64| node.queries.get(*seq) == Some(&1);
            let forgotten = self.answered.iter().find(|seq| !once(seq));
            must!(forgotten.is_none(), "query {forgotten:?} has no answer");
            must!(self.out.is_empty(), "{:?} do not come back", self.out);
        }
        Ok(())
    }

    /// The worker dies: what it has said is heard first.
    fn die(mut self) -> Result<(), Broken> {
        while !self.node.up.is_empty() {
            self.hear()?;
        }
        let outbox = std::mem::take(&mut self.outbox);
        for (_, handle) in outbox.into_unfinished() {
            self.note(("unfinished", handle));
            must!(self.out.remove(&handle), "{handle} comes back twice");
            // What it had no leave to say yet, it has not said.
            let has = self.node.has.contains(&handle) && !self.node.is_silent();
            must!(!has, "{handle} reaches a second app");
        }
        must!(self.out.is_empty(), "{:?} are lost", self.out);
        Ok(())
    }
}
