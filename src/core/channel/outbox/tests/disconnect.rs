//! Workers that disconnect or have exited.

use super::*;

#[test]
fn the_event_loop_turns_twice_before_the_disconnect() {
    let mut outbox = Outbox::<u32>::new();
    listening(&mut outbox);
    assert!(outbox.disconnect().is_empty());
    for _ in 0..2 {
        assert_eq!(send_all(&mut outbox), [PING]);
        assert_eq!(outbox.on_message(&FromWorker::Nack), Outcome::PingAnswered);
    }
    assert_eq!(
        send_all(&mut outbox),
        [r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}"#]
    );

    // Only once; afterwards only acknowledgements that the worker needs to disconnect.
    assert!(outbox.disconnect().is_empty());
    assert!(!outbox.ping());
    outbox.announce();
    let (refusal, handle) = outbox
        .queue_listener(2, &data(), 1, HandleKind::Stream)
        .unwrap_err();
    assert_eq!((refusal, handle), (NotQueued::Disconnecting, 1));
    assert_eq!(
        outbox.queue_failure(2, 98, &data()),
        Err(NotQueued::Disconnecting)
    );
    assert_eq!(
        outbox.on_message(&FromWorker::ExitedAfterDisconnect { seq: 3 }),
        Outcome::Nothing
    );
    assert_eq!(send(&mut outbox), None);
    outbox.on_message(&FromWorker::HandleOffered);
    assert_eq!(send_all(&mut outbox), [r#"{"cmd":"NODE_HANDLE_ACK"}"#]);
}

#[test]
fn messages_in_flight_are_settled_before_the_disconnect() {
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
    assert_eq!(send(&mut outbox), None, "2 is in flight");
    // A nacked descriptor is not sent again now.
    assert_eq!(
        outbox.on_message(&FromWorker::Nack),
        released(key, 2, Fate::Refused)
    );
    assert_eq!(send(&mut outbox), None, "1 is neither accepted nor refused");
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
fn an_earlier_ping_does_not_count_before_the_disconnect() {
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
fn a_partly_written_line_is_finished_before_the_disconnect() {
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
fn an_app_that_disconnects_itself_is_acknowledged_once() {
    let request = FromWorker::ExitedAfterDisconnect { seq: 8 };
    let granted = |outbox: &mut Outbox<u32>| {
        assert_eq!(outbox.on_message(&request), Outcome::Disconnects);
        assert_eq!(outbox.on_message(&request), Outcome::Nothing);
        assert_eq!(
            send_all(outbox).last().unwrap(),
            r#"{"cmd":"NODE_CLUSTER","ack":8}"#
        );
        assert!(outbox.disconnect().is_empty());
        assert_eq!(send(outbox), None);
        assert_eq!(outbox.on_message(&request), Outcome::Nothing);
        assert_eq!(send(outbox), None);
    };
    let mut outbox = Outbox::new();
    let key = listening(&mut outbox);
    outbox.queue_connection(key, 1).unwrap();
    send(&mut outbox);
    outbox.queue_connection(key, 2).unwrap();
    granted(&mut outbox);
    assert_eq!(outbox.into_unfinished(), [(key, 1), (key, 2)]);

    // A disconnect was due.
    let mut outbox = Outbox::new();
    listening(&mut outbox);
    outbox.disconnect();
    granted(&mut outbox);

    let mut outbox = Outbox::new();
    outbox.disconnect();
    for _ in 0..2 {
        send(&mut outbox);
        outbox.on_message(&FromWorker::Nack);
    }
    outbox.poll_transmit();
    granted(&mut outbox);

    // A disconnect is partly written.
    let mut outbox = Outbox::<u32>::new();
    outbox.disconnect();
    for _ in 0..2 {
        send(&mut outbox);
        outbox.on_message(&FromWorker::Nack);
    }
    outbox.poll_transmit();
    outbox.wrote(1);
    assert_eq!(outbox.on_message(&request), Outcome::Nothing);
    assert_eq!(send_all(&mut outbox).len(), 1);
}

#[test]
fn unconfirmed_descriptors_are_released_after_exit() {
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
