use super::*;
use crate::channel::frame::Line;
use crate::channel::query::Query;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

const PING: &str = r#"{"cmd":"NODE_HANDLE"}"#;

fn data() -> Data {
    let text = br#"{"cmd":"NODE_CLUSTER","act":"queryServer","data":null,"seq":1}"#;
    match FromWorker::parse(Line::Whole(text)) {
        FromWorker::Query(Query { data, .. }) => data,
        other => panic!("{other:?}"),
    }
}

/// Writes one whole line; returns it and its descriptor.
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

/// Writes all messages that may be written now.
fn send_all(outbox: &mut Outbox<u32>) -> Vec<String> {
    core::iter::from_fn(|| send(outbox))
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

mod disconnect;

#[test]
fn a_listener_is_sent_once_and_released_when_acknowledged() {
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
fn a_short_write_is_finished_without_sending_the_descriptor_again() {
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
fn one_descriptor_is_in_flight_at_a_time() {
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
fn a_ping_and_a_descriptor_are_never_in_flight_together() {
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
fn lines_without_a_descriptor_do_not_wait_for_answers() {
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
fn a_nacked_descriptor_is_sent_again_three_times() {
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
    // The app gets the error.
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
fn unexpected_answers_are_ignored() {
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
fn listener_keys_are_never_used_twice() {
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
    assert_eq!(refused, (NotQueued::NoSuchListener, 1));
}

#[test]
fn queued_messages_are_bounded() {
    let mut outbox = Outbox::<u32>::new();
    let key = listening(&mut outbox);
    for handle in 0..64 {
        outbox.queue_connection(key, handle).unwrap();
    }
    assert_eq!(
        outbox.queue_connection(key, 64).unwrap_err(),
        (NotQueued::Full, 64)
    );
    for _ in CAPACITY..FAILURES {
        outbox.queue_failure(1, 98, &data()).unwrap();
    }
    assert_eq!(outbox.queue_failure(1, 98, &data()), Err(NotQueued::Full));
}

#[test]
fn an_acknowledged_connection_is_kept_until_accepted_or_refused() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    for handle in 0..64 {
        outbox.queue_connection(key, handle).unwrap();
    }
    send(&mut outbox);
    outbox.on_message(&FromWorker::Ack);
    assert_eq!(
        outbox.queue_connection(key, 64).unwrap_err(),
        (NotQueued::Full, 64),
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
        Err(NotQueued::TooManyListeners)
    );
    assert_eq!(outbox.queue_failure(1, 24, &data()), Ok(()));
}

fn lines(text: &str) -> Rc<Vec<u8>> {
    Rc::new(text.as_bytes().to_vec())
}

#[test]
fn messages_of_other_workers_come_last_and_in_order() {
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    assert!(outbox.relay(lines("1\n2\n")) && outbox.relay(lines("3\n")));
    // One is about to be written.
    assert!(outbox.poll_transmit().is_some());
    outbox.queue_connection(key, 7).unwrap();
    assert_eq!(send(&mut outbox).unwrap().1, Some(7));
    // They need no answer, so they do not wait for one.
    assert_eq!(send_all(&mut outbox), ["1\n2", "3"]);
    outbox.ping();
    assert_eq!(send(&mut outbox), None);
    outbox.on_message(&FromWorker::Ack);
    assert!(outbox.relay(lines("4\n")));
    assert_eq!(send_all(&mut outbox), [PING, "4"]);

    // One that has been begun is completed first.
    assert!(outbox.relay(lines("567\n")));
    assert!(outbox.poll_transmit().is_some());
    outbox.wrote(2);
    outbox.announce();
    let rest = ["7", r#"{"cmd":"NODE_PIDONE_DRAIN"}"#];
    assert_eq!(send_all(&mut outbox), rest);
}

#[test]
fn a_worker_that_drains_gets_messages_of_others_to_the_end() {
    let mut outbox = Outbox::<u32>::new();
    outbox.disconnect();
    assert!(outbox.relay(lines("1\n")));
    assert_eq!(send_all(&mut outbox), [PING, "1"]);
    outbox.on_message(&FromWorker::Nack);
    assert_eq!(sent(&mut outbox), PING);
    outbox.on_message(&FromWorker::Nack);
    assert!(outbox.relay(lines("2\n")));
    let all = send_all(&mut outbox);
    assert!(
        all[0].contains("\"disconnect\"") && all[1] == "2",
        "{all:?}"
    );
    assert!(outbox.relay(lines("3\n")));
    assert_eq!(send_all(&mut outbox), ["3"]);
}

#[test]
fn what_a_worker_does_not_read_is_bounded() {
    let mut outbox = Outbox::<u32>::new();
    let mut queued = 0;
    while outbox.relay(lines("0123456789\n")) {
        queued += 1;
    }
    assert!((RELAYED_MAX / 100..RELAYED_MAX / 11).contains(&queued));
    // It reads.
    for _ in 0..10 {
        send(&mut outbox);
    }
    let fitting = core::iter::repeat_with(|| outbox.relay(lines("0123456789\n")));
    assert_eq!(fitting.take_while(|fits| *fits).count(), 10);

    // The longest message fits if nothing waits, also while a part of it is written.
    let mut outbox = Outbox::<u32>::new();
    let long = "x".repeat(RELAYED_MAX) + "\n";
    assert!(outbox.relay(lines(&long)));
    assert!(!outbox.relay(lines("1\n")));
    assert!(outbox.poll_transmit().is_some());
    outbox.wrote(RELAYED_MAX);
    assert!(!outbox.relay(lines("1\n")));
    assert_eq!(sent(&mut outbox), "");
    assert!(outbox.relay(lines("1\n")));
}

#[test]
fn messages_of_others_are_written_in_whole_lines() {
    let mut outbox = Outbox::<u32>::new();
    let line = "x".repeat(999) + "\n";
    assert!(outbox.relay(lines(&line.repeat(100))));
    let mut written = 0;
    while let Some(transmit) = outbox.poll_transmit() {
        let length = transmit.bytes.len();
        assert!(length <= 32 * 1024 && transmit.bytes.ends_with(b"\n"));
        // The kernel may take a part.
        let taken = length.min(10_500);
        outbox.wrote(taken);
        written += taken;
    }
    assert_eq!(written, 100_000);
}

#[test]
fn a_question_for_metrics_is_sent_once_and_needs_no_answer() {
    let mut outbox: Outbox<u32> = Outbox::new();
    outbox.ask_app_metrics(7);
    outbox.ask_app_metrics(8);
    let line = r#"{"type":"prom-client:getMetricsReq","requestId":8}"#;
    assert_eq!(send_all(&mut outbox), [line]);
    outbox.disconnect();
    assert_eq!(sent(&mut outbox), PING);
}
