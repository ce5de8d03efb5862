use super::*;
use crate::protocol::frame::Line;
use crate::protocol::query::Query;

const PING: &str = r#"{"cmd":"NODE_HANDLE"}"#;

fn data() -> Data {
    let text = br#"{"cmd":"NODE_CLUSTER","act":"queryServer","data":null,"seq":1}"#;
    match FromWorker::parse(Line::Whole(text)) {
        FromWorker::Query(Query { data, .. }) => data,
        other => panic!("{other:?}"),
    }
}

/// Writes one line, whole: what it says, and the descriptor that goes with it.
fn send(outbox: &mut Outbox<u32>) -> Option<(String, Option<u32>)> {
    let transmit = outbox.poll_transmit()?;
    let (bytes, handle) = (transmit.bytes.to_vec(), transmit.handle.copied());
    outbox.wrote(bytes.len());
    let line = String::from_utf8(bytes).unwrap();
    Some((line.strip_suffix('\n').unwrap().to_owned(), handle))
}

fn sent(outbox: &mut Outbox<u32>) -> String {
    send(outbox).unwrap().0
}

/// Writes everything that may be written now.
fn send_all(outbox: &mut Outbox<u32>) -> Vec<String> {
    std::iter::from_fn(|| send(outbox))
        .map(|(line, _)| line)
        .collect()
}

fn listening(outbox: &mut Outbox<u32>) -> Key {
    let key = outbox.queue_round_robin(1, &data(), None).unwrap();
    send(outbox).unwrap();
    key
}

fn released(key: Key, handle: u32, fate: Fate) -> Outcome<u32> {
    Outcome::HandleReleased { key, handle, fate }
}

#[test]
fn a_listener_goes_out_once_and_comes_back_when_it_has_arrived() {
    let mut outbox = Outbox::new();
    assert_eq!(outbox.poll_transmit(), None);
    let key = outbox
        .queue_listener(4, &data(), 9, HandleKind::Stream)
        .unwrap();
    let (line, handle) = send(&mut outbox).unwrap();
    assert!(line.contains(r#""ack":4,"#), "{line}");
    assert_eq!(handle, Some(9));
    assert_eq!(outbox.poll_transmit(), None);
    assert_eq!(
        outbox.on_message(&FromWorker::Ack),
        released(key, 9, Fate::Delivered)
    );
    assert_eq!(outbox.on_message(&FromWorker::Ack), Outcome::Nothing);
    assert_eq!(
        outbox.on_message(&FromWorker::Close { key }),
        Outcome::ListenerClosed(key)
    );
    assert_eq!(
        outbox.on_message(&FromWorker::Close { key }),
        Outcome::Nothing
    );
    assert!(outbox.into_unfinished().is_empty());
}

#[test]
fn a_short_write_is_finished_first_and_the_descriptor_goes_only_once() {
    let mut outbox = Outbox::new();
    outbox
        .queue_listener(1, &data(), 9, HandleKind::Stream)
        .unwrap();
    let whole = outbox.poll_transmit().unwrap().bytes.to_vec();
    assert_eq!(outbox.poll_transmit().unwrap().handle, Some(&9));
    for written in 1..whole.len() {
        outbox.wrote(1);
        outbox.on_message(&FromWorker::HandleOffered);
        let rest = outbox.poll_transmit().unwrap();
        assert_eq!(rest.bytes, &whole[written..]);
        assert_eq!(rest.handle, None);
    }
    outbox.wrote(1);
    assert_eq!(sent(&mut outbox), r#"{"cmd":"NODE_HANDLE_ACK"}"#);
}

#[test]
fn descriptors_go_one_at_a_time() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    outbox.queue_connection(key, 1).unwrap();
    outbox.queue_connection(key, 2).unwrap();
    assert_eq!(send(&mut outbox).unwrap().1, Some(1));
    assert_eq!(send(&mut outbox), None);
    assert_eq!(outbox.on_message(&FromWorker::Ack), Outcome::Nothing);
    assert_eq!(send(&mut outbox).unwrap().1, Some(2));
    let accepted = |ack, accepted| FromWorker::Accepted { ack, accepted };
    assert_eq!(
        outbox.on_message(&accepted(2, true)),
        Outcome::Nothing,
        "of a connection that has not arrived"
    );
    outbox.on_message(&FromWorker::Ack);
    assert_eq!(
        outbox.on_message(&accepted(2, false)),
        released(key, 2, Fate::Refused)
    );
    assert_eq!(
        outbox.on_message(&accepted(1, true)),
        released(key, 1, Fate::Delivered)
    );
    assert_eq!(outbox.on_message(&accepted(1, true)), Outcome::Nothing);
}

#[test]
fn a_ping_and_a_descriptor_never_travel_together() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    assert!(outbox.ping());
    assert!(!outbox.ping(), "one at a time");
    outbox.poll_transmit();
    assert!(!outbox.ping(), "nor while it is being written");
    outbox.queue_connection(key, 1).unwrap();
    assert_eq!(sent(&mut outbox), PING);
    assert!(outbox.ping_in_flight());
    assert!(!outbox.ping());
    assert_eq!(send(&mut outbox), None, "the descriptor waits");
    assert_eq!(outbox.on_message(&FromWorker::Nack), Outcome::PingAnswered);
    assert!(!outbox.ping_in_flight());

    assert_eq!(send(&mut outbox).unwrap().1, Some(1));
    assert!(outbox.ping());
    assert_eq!(send(&mut outbox), None, "the ping waits");
    outbox.on_message(&FromWorker::Ack);
    assert_eq!(sent(&mut outbox), PING);
    assert_eq!(outbox.on_message(&FromWorker::Ack), Outcome::Nothing);
    assert!(outbox.ping_in_flight());
}

#[test]
fn lines_without_a_descriptor_need_not_wait_for_answers() {
    let mut outbox = Outbox::<u32>::new();
    outbox.ping();
    outbox.announce();
    outbox.queue_failure(3, 98, &data()).unwrap();
    outbox.on_message(&FromWorker::HandleOffered);
    outbox.on_message(&FromWorker::HandleOffered);
    let ack = r#"{"cmd":"NODE_HANDLE_ACK"}"#;
    assert_eq!(
        send_all(&mut outbox),
        [
            ack,
            ack,
            r#"{"cmd":"NODE_PIDONE_DRAIN"}"#,
            PING,
            r#"{"cmd":"NODE_CLUSTER","ack":3,"errno":-98,"data":null}"#
        ]
    );
}

#[test]
fn what_does_not_arrive_is_sent_three_times_more() {
    let mut outbox = Outbox::new();
    let key = outbox
        .queue_listener(5, &data(), 9, HandleKind::Datagram)
        .unwrap();
    for _ in 0..3 {
        assert_eq!(send(&mut outbox).unwrap().1, Some(9));
        assert_eq!(outbox.on_message(&FromWorker::Nack), Outcome::Nothing);
    }
    assert_eq!(send(&mut outbox).unwrap().1, Some(9));
    assert_eq!(
        outbox.on_message(&FromWorker::Nack),
        released(key, 9, Fate::Refused)
    );
    // The app learns why.
    assert_eq!(
        send_all(&mut outbox),
        [r#"{"cmd":"NODE_CLUSTER","ack":5,"errno":-24,"data":null}"#]
    );
    assert_eq!(
        outbox.on_message(&FromWorker::Close { key }),
        Outcome::Nothing
    );

    let key = listening(&mut outbox);
    outbox.queue_connection(key, 1).unwrap();
    for _ in 0..4 {
        assert_eq!(send(&mut outbox).unwrap().1, Some(1));
        outbox.on_message(&FromWorker::Nack);
    }
    assert_eq!(send(&mut outbox), None);
}

#[test]
fn no_answer_is_believed_that_nobody_waits_for() {
    let mut outbox = Outbox::<u32>::new();
    for message in [
        FromWorker::Ack,
        FromWorker::Nack,
        FromWorker::Accepted {
            ack: 1,
            accepted: true,
        },
        FromWorker::Close { key: Key(1) },
        FromWorker::Online,
        FromWorker::Ready,
        FromWorker::UserMessage,
        FromWorker::Garbage,
    ] {
        assert_eq!(outbox.on_message(&message), Outcome::Nothing);
        assert_eq!(send(&mut outbox), None);
    }
}

#[test]
fn names_are_never_used_twice() {
    let mut outbox = Outbox::<u32>::new();
    let mut keys = Vec::new();
    for seq in 0..200 {
        let key = outbox.queue_round_robin(seq, &data(), None).unwrap();
        assert!(!keys.contains(&key));
        keys.push(key);
        send(&mut outbox);
        outbox.on_message(&FromWorker::Close { key });
    }
    let refused = outbox.queue_connection(keys[0], 1).unwrap_err();
    assert_eq!(refused, (Refusal::NoSuchListener, 1));
}

#[test]
fn what_waits_is_bounded() {
    let mut outbox = Outbox::<u32>::new();
    let key = listening(&mut outbox);
    for handle in 0..64 {
        outbox.queue_connection(key, handle).unwrap();
    }
    assert_eq!(
        outbox.queue_connection(key, 64).unwrap_err(),
        (Refusal::Full, 64)
    );
    for _ in CAPACITY..FAILURES {
        outbox.queue_failure(1, 98, &data()).unwrap();
    }
    assert_eq!(outbox.queue_failure(1, 98, &data()), Err(Refusal::Full));
}

#[test]
fn what_has_arrived_waits_until_it_is_decided_upon() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    for handle in 0..64 {
        outbox.queue_connection(key, handle).unwrap();
    }
    send(&mut outbox);
    outbox.on_message(&FromWorker::Ack);
    assert_eq!(
        outbox.queue_connection(key, 64).unwrap_err(),
        (Refusal::Full, 64),
        "what has arrived but is not decided upon counts"
    );
    outbox.on_message(&FromWorker::Accepted {
        ack: 1,
        accepted: true,
    });
    outbox.queue_connection(key, 64).unwrap();

    let mut outbox = Outbox::<u32>::new();
    for _ in 0..64 {
        listening(&mut outbox);
    }
    assert_eq!(
        outbox.queue_round_robin(1, &data(), None),
        Err(Refusal::TooManyListeners)
    );
    assert_eq!(outbox.queue_failure(1, 24, &data()), Ok(()));
}

#[test]
fn two_turns_of_the_event_loop_come_before_the_disconnect() {
    let mut outbox = Outbox::<u32>::new();
    listening(&mut outbox);
    assert!(outbox.disconnect().is_empty());
    for _ in 0..2 {
        assert_eq!(send_all(&mut outbox), [PING]);
        assert_eq!(outbox.on_message(&FromWorker::Nack), Outcome::PingAnswered);
    }
    assert!(!outbox.end_means_drained());
    assert_eq!(
        send_all(&mut outbox),
        [r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}"#]
    );
    assert!(outbox.end_means_drained());

    // Once, and nothing afterwards but what the worker cannot disconnect without.
    assert!(outbox.disconnect().is_empty());
    assert!(!outbox.ping());
    outbox.announce();
    let (refusal, handle) = outbox
        .queue_listener(2, &data(), 1, HandleKind::Stream)
        .unwrap_err();
    assert_eq!((refusal, handle), (Refusal::Leaving, 1));
    assert_eq!(outbox.queue_failure(2, 98, &data()), Err(Refusal::Leaving));
    assert_eq!(
        outbox.on_message(&FromWorker::ExitedAfterDisconnect { seq: 3 }),
        Outcome::Nothing
    );
    assert_eq!(send(&mut outbox), None);
    outbox.on_message(&FromWorker::HandleOffered);
    assert_eq!(send_all(&mut outbox), [r#"{"cmd":"NODE_HANDLE_ACK"}"#]);
}

#[test]
fn what_is_in_flight_is_settled_before_the_disconnect() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    for handle in 1..=3 {
        outbox.queue_connection(key, handle).unwrap();
    }
    send(&mut outbox);
    outbox.on_message(&FromWorker::Ack);
    send(&mut outbox);
    outbox.poll_transmit();
    assert_eq!(outbox.disconnect(), [(key, 3)], "not sent");
    assert_eq!(send(&mut outbox), None, "2 is under way");
    // What cannot be delivered now is not tried again.
    assert_eq!(
        outbox.on_message(&FromWorker::Nack),
        released(key, 2, Fate::Refused)
    );
    assert_eq!(send(&mut outbox), None, "1 is not decided upon");
    let accepted = FromWorker::Accepted {
        ack: 1,
        accepted: true,
    };
    assert_eq!(
        outbox.on_message(&accepted),
        released(key, 1, Fate::Delivered)
    );
    assert_eq!(send_all(&mut outbox), [PING]);
}

#[test]
fn a_ping_from_before_is_no_sign_that_the_last_connection_was_read() {
    let mut outbox = Outbox::<u32>::new();
    listening(&mut outbox);
    outbox.ping();
    assert_eq!(send_all(&mut outbox), [PING]);
    outbox.disconnect();
    assert_eq!(send(&mut outbox), None);
    for _ in 0..2 {
        assert_eq!(outbox.on_message(&FromWorker::Nack), Outcome::PingAnswered);
        assert_eq!(send_all(&mut outbox), [PING]);
    }
    outbox.on_message(&FromWorker::Nack);
    assert!(sent(&mut outbox).contains("disconnect"));
}

#[test]
fn what_was_begun_is_finished_before_the_disconnect() {
    let mut outbox = Outbox::new();
    outbox
        .queue_listener(1, &data(), 9, HandleKind::Stream)
        .unwrap();
    outbox.poll_transmit();
    outbox.wrote(5);
    assert!(outbox.disconnect().is_empty());
    assert_eq!(outbox.poll_transmit().unwrap().handle, None);
    assert!(sent(&mut outbox).ends_with("}}"));
    assert!(matches!(
        outbox.on_message(&FromWorker::Ack),
        Outcome::HandleReleased { handle: 9, .. }
    ));
    assert_eq!(sent(&mut outbox), PING);

    let mut outbox = Outbox::new();
    outbox.on_message(&FromWorker::HandleOffered);
    outbox
        .queue_listener(1, &data(), 9, HandleKind::Stream)
        .unwrap();
    outbox.poll_transmit();
    assert_eq!(outbox.disconnect(), [(Key(1), 9)]);
    assert!(sent(&mut outbox).contains("_ACK"), "owed in any case");
}

#[test]
fn an_app_that_leaves_by_itself_is_let_go_once() {
    let leave = FromWorker::ExitedAfterDisconnect { seq: 8 };
    let leaves = |outbox: &mut Outbox<u32>| {
        assert_eq!(outbox.on_message(&leave), Outcome::Leaves);
        assert_eq!(outbox.on_message(&leave), Outcome::Nothing);
        assert_eq!(
            send_all(outbox).last().unwrap(),
            r#"{"cmd":"NODE_CLUSTER","ack":8}"#
        );
        assert!(outbox.end_means_drained());
        assert!(outbox.disconnect().is_empty());
        assert_eq!(send(outbox), None);
        assert_eq!(outbox.on_message(&leave), Outcome::Nothing);
        assert_eq!(send(outbox), None);
    };
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    outbox.queue_connection(key, 1).unwrap();
    send(&mut outbox);
    outbox.queue_connection(key, 2).unwrap();
    leaves(&mut outbox);
    assert_eq!(outbox.into_unfinished(), [(key, 1), (key, 2)]);

    // It was about to be told to.
    let mut outbox = Outbox::new();
    listening(&mut outbox);
    outbox.disconnect();
    leaves(&mut outbox);

    let mut outbox = Outbox::new();
    outbox.disconnect();
    for _ in 0..2 {
        send(&mut outbox);
        outbox.on_message(&FromWorker::Nack);
    }
    outbox.poll_transmit();
    leaves(&mut outbox);

    // It is being told to.
    let mut outbox = Outbox::<u32>::new();
    outbox.disconnect();
    for _ in 0..2 {
        send(&mut outbox);
        outbox.on_message(&FromWorker::Nack);
    }
    outbox.poll_transmit();
    outbox.wrote(1);
    assert_eq!(outbox.on_message(&leave), Outcome::Nothing);
    assert_eq!(send_all(&mut outbox).len(), 1);
}

#[test]
fn an_early_end_is_told_from_a_drained_worker() {
    let end = |prepare: fn(&mut Outbox<u32>)| {
        let mut outbox = Outbox::new();
        prepare(&mut outbox);
        outbox.disconnect();
        for _ in 0..2 {
            send(&mut outbox);
            outbox.on_message(&FromWorker::Nack);
        }
        assert!(sent(&mut outbox).contains("disconnect"));
        outbox.end_means_drained()
    };
    assert!(end(|_| {}), "never listened");
    assert!(end(|outbox| {
        listening(outbox);
    }));
    assert!(!end(|outbox| {
        let key = listening(outbox);
        outbox.on_message(&FromWorker::Close { key });
    }));
    assert!(
        !end(|outbox| {
            let key = listening(outbox);
            outbox.on_message(&FromWorker::Close { key });
            outbox.queue_round_robin(2, &data(), None).unwrap();
        }),
        "an answer that was not sent opens nothing"
    );
}

#[test]
fn a_dead_worker_leaves_what_it_has_not_confirmed() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    for handle in 1..=5 {
        outbox.queue_connection(key, handle).unwrap();
    }
    for ack in 1..=2 {
        send(&mut outbox);
        outbox.on_message(&FromWorker::Ack);
        if ack == 1 {
            outbox.on_message(&FromWorker::Accepted {
                ack,
                accepted: true,
            });
        }
    }
    send(&mut outbox);
    assert_eq!(
        outbox.into_unfinished(),
        [(key, 2), (key, 3), (key, 4), (key, 5)]
    );
}

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
