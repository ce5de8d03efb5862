//! Events in any order.

use super::*;

/// Any order of events: what a real worker would have died of never happens, and every descriptor
/// comes back exactly once.
#[test]
fn whatever_happens_the_rules_hold() {
    for seed in 0..2000 {
        Chaos::new(seed).run();
    }
}

struct Chaos {
    random: u64,
    outbox: Outbox<u32>,
    keys: Vec<Key>,
    given: u32,
    returned: Vec<u32>,
    /// What the worker has read and not answered: a ping, or a connection's number or none.
    unanswered: Option<Option<Option<i64>>>,
    undecided: Vec<i64>,
    partial: Vec<u8>,
    handles_offered: u32,
    disconnects: u32,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            outbox: Outbox::new(),
            keys: Vec::new(),
            given: 0,
            returned: Vec::new(),
            unanswered: None,
            undecided: Vec::new(),
            partial: Vec::new(),
            handles_offered: 0,
            disconnects: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn run(mut self) {
        for _ in 0..300 {
            self.step();
        }
        let unfinished = self.outbox.into_unfinished();
        self.returned
            .extend(unfinished.into_iter().map(|(_, handle)| handle));
        self.returned.sort_unstable();
        assert_eq!(self.returned, (0..self.given).collect::<Vec<_>>());
    }

    fn step(&mut self) {
        let handle = self.given;
        match self.below(200) {
            0..20 => {
                self.given += 1;
                let kind = HandleKind::Stream;
                match self.outbox.queue_listener(1, &data(), handle, kind) {
                    Ok(key) => self.keys.push(key),
                    Err((_, handle)) => self.returned.push(handle),
                }
            }
            20..50 if !self.keys.is_empty() => {
                self.given += 1;
                let which = self.below(self.keys.len() as u64);
                let key = self.keys[usize::try_from(which).unwrap()];
                if let Err((_, handle)) = self.outbox.queue_connection(key, handle) {
                    self.returned.push(handle);
                }
            }
            50..60 => {
                let _ = self.outbox.queue_failure(1, 98, &data());
            }
            60..80 => {
                self.outbox.ping();
            }
            80..90 => {
                self.handles_offered += 1;
                self.hear(&FromWorker::HandleOffered);
            }
            90 => {
                let unsent = self.outbox.disconnect();
                self.returned
                    .extend(unsent.into_iter().map(|(_, handle)| handle));
            }
            91 => self.hear(&FromWorker::ExitedAfterDisconnect { seq: 1 }),
            92..100 if !self.keys.is_empty() => {
                let key = self.keys[0];
                self.hear(&FromWorker::Close { key });
            }
            100..150 => self.write(),
            _ => self.answer(),
        }
    }

    fn write(&mut self) {
        let size = self.below(400) + 1;
        let Some(transmit) = self.outbox.poll_transmit() else {
            return;
        };
        let size = transmit.bytes.len().min(usize::try_from(size).unwrap());
        if transmit.handle.is_some() {
            assert!(self.partial.is_empty(), "with the first byte of a line");
            assert!(self.unanswered.is_none(), "two in flight");
        }
        self.partial.extend_from_slice(&transmit.bytes[..size]);
        self.outbox.wrote(size);
        if let Some(line) = self.partial.strip_suffix(b"\n") {
            let line = String::from_utf8(line.to_vec()).unwrap();
            self.partial.clear();
            self.read(&line);
        }
    }

    /// The worker reads a line, and would have died had it not been allowed.
    fn read(&mut self, line: &str) {
        let gone = self.disconnects > 0;
        if line.contains("HANDLE_ACK") {
            self.handles_offered = self.handles_offered.checked_sub(1).unwrap();
        } else if line == PING {
            assert!(!gone && self.unanswered.is_none());
            self.unanswered = Some(None);
        } else if line.starts_with(r#"{"cmd":"NODE_HANDLE""#) {
            assert!(!gone && self.unanswered.is_none());
            let number = line
                .split_once(r#","seq":"#)
                .map(|(_, rest)| rest.trim_end_matches('}').parse().unwrap());
            self.unanswered = Some(Some(number));
        } else if line.contains("disconnect") || line == r#"{"cmd":"NODE_CLUSTER","ack":1}"# {
            assert_eq!(self.disconnects, 0);
            assert!(!line.contains("disconnect") || self.unanswered.is_none());
            self.disconnects += 1;
        } else {
            assert!(!gone, "{line}");
        }
    }

    /// The worker answers something, or pretends to.
    fn answer(&mut self) {
        if self.below(3) == 0 && !self.undecided.is_empty() {
            let ack = self.undecided.swap_remove(0);
            let accepted = self.below(2) == 0;
            self.hear(&FromWorker::Accepted { ack, accepted });
            return;
        }
        match self.unanswered.take() {
            Some(None) => self.hear(&FromWorker::Nack),
            Some(Some(_)) if self.below(3) == 0 => self.hear(&FromWorker::Nack),
            Some(Some(number)) => {
                self.undecided.extend(number);
                self.hear(&FromWorker::Ack);
            }
            None => self.hear(&FromWorker::Ack),
        }
    }

    fn hear(&mut self, message: &FromWorker) {
        if let Outcome::HandleReleased { handle, .. } = self.outbox.on_message(message) {
            self.returned.push(handle);
        }
    }
}
