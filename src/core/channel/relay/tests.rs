use super::*;
use crate::channel::frame::{LINE_MAX, MESSAGE_MAX, Splitter};
use alloc::string::ToString;
use alloc::vec;
use std::borrow::ToOwned;

const ADAPTER: &str = r#"{"type":3,"uid":"a0","nsp":"/","data":{},"source":"_sio_adapter"}"#;

/// Workers 1, 2 … with `NODE_APP_INSTANCE` 0, 1 …, all online.
fn workers(count: u32, everything: bool) -> Relay {
    let mut relay = Relay::new(everything);
    for id in 1..=count {
        relay.add(WorkerId(id), id as usize - 1);
        tell(
            &mut relay,
            id,
            r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#,
        );
    }
    relay
}

fn tell(relay: &mut Relay, from: u32, text: &str) -> Batch {
    let mut batch = Batch::default();
    add(relay, from, text, &mut batch);
    batch
}

fn add(relay: &mut Relay, from: u32, text: &str, batch: &mut Batch) {
    let line = Line::Whole(text.as_bytes());
    relay.hear(WorkerId(from), &FromWorker::parse(line), line, batch);
}

/// What each other worker gets.
fn got(relay: &Relay, from: u32, batch: &Batch) -> Vec<(u32, String)> {
    let others = relay.others(WorkerId(from));
    let texts = others.filter_map(|id| {
        let (lines, messages) = batch.of(id)?;
        let text = String::from_utf8(lines.to_vec()).unwrap();
        assert_eq!(text.matches('\n').count() as u64, messages);
        Some((id.0, text.trim_end().to_owned()))
    });
    texts.collect()
}

/// Who gets a message.
#[track_caller]
fn who(relay: &mut Relay, from: u32, text: &str) -> Vec<u32> {
    let batch = tell(relay, from, text);
    let got = got(relay, from, &batch);
    assert!(got.iter().all(|(_, line)| line == text), "{got:?}");
    assert_eq!(batch.messages() > 0, !batch.is_empty());
    got.into_iter().map(|(id, _)| id).collect()
}

fn why(relay: &mut Relay, from: u32, text: &str) -> Option<NotRelayed> {
    let batch = tell(relay, from, text);
    assert!(batch.is_empty() || batch.not_relayed.is_none());
    batch.not_relayed.map(|(why, _)| why)
}

#[test]
fn a_librarys_messages_go_to_all_others_as_they_came() {
    let mut relay = workers(3, false);
    for text in [
        ADAPTER,
        r#"{"type":4,"data":{"packet":{"data":["é\n",1.50]}},"source":"_sio_adapter","nsp":"/"}"#,
        r#"{"requestId":1,"senderId":"a1","type":0,"data":{"sid":"x"},"_source":"_eio"}"#,
        r#"{"senderId":"a1","recipientId":"??","type":2,"_source":"_eio"}"#,
    ] {
        assert_eq!(who(&mut relay, 2, text), [1, 3], "{text}");
    }
    for text in [
        r#"{"type":3,"source":"_eio"}"#,
        r#"{"type":3,"data":{"source":"_sio_adapter"}}"#,
        r#"{"type":3,"data":"_sio_adapter"}"#,
        r#"{"hello":"others"}"#,
        r#""ready""#,
        "5",
    ] {
        assert_eq!(who(&mut relay, 2, text), [], "{text}");
    }
}

#[test]
fn an_answer_goes_to_who_asked_or_else_to_all() {
    let mut relay = workers(3, false);
    let say = |uid: &str, asker: &str| {
        format!(
            r#"{{"type":8,"uid":"{uid}","nsp":"/","source":"_sio_adapter","requesterUid":"{asker}"}}"#
        )
    };
    assert_eq!(who(&mut relay, 2, ADAPTER), [1, 3]);
    assert_eq!(who(&mut relay, 1, &say("b0", "a0")), [2]);
    assert_eq!(who(&mut relay, 1, &say("b0", "unknown")), [2, 3]);
    // A name stays with the worker that used it first.
    assert_eq!(who(&mut relay, 3, ADAPTER), [1, 2]);
    assert_eq!(who(&mut relay, 1, &say("b0", "a0")), [2]);
    assert_eq!(who(&mut relay, 2, &say("a0", "a0")), []);

    let lock = r#"{"requestId":1,"senderId":"e3","type":0,"_source":"_eio"}"#;
    assert_eq!(who(&mut relay, 3, lock), [1, 2]);
    let reply = r#"{"requestId":1,"senderId":"e1","recipientId":"e3","type":1,"_source":"_eio"}"#;
    assert_eq!(who(&mut relay, 1, reply), [3]);

    // Versions 0.1 and 0.2 have numbers: a request has its sender's own.
    let numbered = |number: i64| {
        format!(r#"{{"type":9,"data":{{"workerId":{number}}},"source":"_sio_adapter","nsp":"/"}}"#)
    };
    assert_eq!(who(&mut relay, 1, &numbered(1)), [2, 3]);
    assert_eq!(who(&mut relay, 2, &numbered(1)), [1]);
    for nobody in [4, -1, i64::MAX] {
        assert_eq!(who(&mut relay, 2, &numbered(nobody)), []);
    }
}

#[test]
fn each_worker_gets_its_messages_in_order() {
    let mut relay = workers(3, false);
    let line = |number: usize, asker: &str| {
        format!(r#"{{"type":{number},"uid":"c","source":"_sio_adapter","requesterUid":{asker}}}"#)
    };
    tell(&mut relay, 1, &line(0, "null").replace("\"c\"", "\"a\""));
    let lines = [
        line(1, "null"),
        line(2, "\"a\""),
        line(3, "\"a\""),
        line(4, "null"),
    ];
    let mut batch = Batch::default();
    for line in &lines {
        add(&mut relay, 3, line, &mut batch);
    }
    assert_eq!(batch.messages(), 4);
    let expected = vec![
        (1, lines.join("\n")),
        (2, [&*lines[0], &lines[3]].join("\n")),
    ];
    assert_eq!(got(&relay, 3, &batch), expected);
}

#[test]
fn only_workers_that_are_online_get_messages() {
    let mut relay = workers(3, false);
    relay.add(WorkerId(4), 0);
    assert_eq!(who(&mut relay, 1, ADAPTER), [2, 3]);
    tell(
        &mut relay,
        4,
        r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#,
    );
    relay.leaves(WorkerId(2));
    assert_eq!(
        who(&mut relay, 1, ADAPTER),
        [2, 3, 4],
        "one that drains has its clients"
    );
    relay.remove(WorkerId(3));
    assert_eq!(who(&mut relay, 1, ADAPTER), [2, 4]);
    assert_eq!(who(&mut relay, 2, ADAPTER), [1, 4]);
}

#[test]
fn with_relay_all_other_messages_go_to_all_others() {
    let mut relay = workers(3, true);
    for text in [
        "5",
        "null",
        "\"hello\"",
        "[1,2]",
        r#"{"type":"process:msg","cmd":"x"}"#,
    ] {
        assert_eq!(who(&mut relay, 1, text), [2, 3], "{text}");
    }
    // pidone knows these.
    for text in [
        "\"ready\"",
        r#"{"cmd":"NODE_CLUSTER","act":"close","key":"1"}"#,
    ] {
        assert_eq!(who(&mut relay, 1, text), [], "{text}");
    }
}

#[test]
fn messages_for_a_primary_of_the_apps_own_are_told_apart() {
    let unknown = |everything, text| tell(&mut workers(2, everything), 1, text).has_unknown;
    let other = r#"{"channel":"rate_limiter_flexible","type":"init"}"#;
    assert!(unknown(false, other));
    assert!(unknown(false, r#"{"source":"\"_sio_adapter\""}"#));
    assert!(!unknown(true, other));
    assert!(!unknown(false, ADAPTER));
    assert!(!unknown(false, "\"ready\""));
    assert!(!unknown(
        false,
        r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#
    ));
}

/// Node's worker exits if a line is no JSON (`channel.onread`), and obeys one whose `cmd` begins with `NODE_` (`isInternal`).
#[test]
fn nothing_that_harms_a_worker_is_passed_on() {
    let mut relay = workers(2, true);
    let deep = format!("{}{}", "[".repeat(201), "]".repeat(201));
    for text in [
        "",
        " ",
        "{",
        "hello",
        "{}{}",
        r#"{"type":1"#,
        r#"{"a":1,"cmd":"NODE_HANDLE_ACK"}"#,
        r#"{"a":1,"cmd":"NODE_CLUSTER","act":"disconnect"}"#,
        r#"{"a":1,"cmd":"\u004eODE_CLUSTER"}"#,
        r#"{"a":1,"cmd":"NODE_\ud800"}"#,
        r#"{"a":1,"c\u006dd":"NODE_CLUSTER"}"#,
        r#" {"cmd":"x","cmd":"NODE_CLUSTER"}"#,
        &deep,
    ] {
        assert_eq!(why(&mut relay, 1, text), Some(NotRelayed::Unfit), "{text}");
    }
    let invalid = Line::Whole(b"\"\xff\"");
    let mut batch = Batch::default();
    relay.hear(
        WorkerId(1),
        &FromWorker::parse(invalid),
        invalid,
        &mut batch,
    );
    assert!(batch.is_empty() && batch.not_relayed.is_some());
    for text in [
        r#"{"a":{"cmd":"NODE_"}}"#,
        r#"{"cmd":5}"#,
        r#"{"\ud800":"NODE_"}"#,
    ] {
        assert_eq!(who(&mut relay, 1, text), [2], "{text}");
    }
    let mut relay = workers(2, false);
    let forged = ADAPTER.replace("\"nsp\"", "\"cmd\":\"NODE_CLUSTER\",\"nsp\"");
    assert_eq!(why(&mut relay, 1, &forged), Some(NotRelayed::Unfit));
}

/// Reads what a worker writes, in pieces of 16 KiB.
fn through_the_channel(relay: &mut Relay, text: &str) -> Batch {
    let mut splitter = Splitter::new();
    let mut batch = Batch::default();
    let text = text.to_owned() + "\n\"next\"\n";
    for mut piece in text.as_bytes().chunks(16 * 1024) {
        while let Some(line) = splitter.next(&mut piece) {
            relay.hear(WorkerId(1), &FromWorker::parse(line), line, &mut batch);
        }
    }
    batch
}

#[test]
fn long_messages_are_passed_on_up_to_a_bound() {
    let mut relay = workers(2, false);
    let of_length = |length: usize| {
        let rest = ADAPTER.replace("{}", "\"\"").len();
        ADAPTER.replace("{}", &format!("\"{}\"", "x".repeat(length - rest)))
    };
    for length in [LINE_MAX - 1, LINE_MAX, LINE_MAX + 1, MESSAGE_MAX] {
        let text = of_length(length);
        let batch = through_the_channel(&mut relay, &text);
        assert_eq!(got(&relay, 1, &batch), [(2, text)]);
    }
    let batch = through_the_channel(&mut relay, &of_length(MESSAGE_MAX + 1));
    assert!(batch.is_empty());
    assert_eq!(batch.not_relayed, Some((NotRelayed::Unfit, 1)));
    // Those of an app that uses no such library are its own business.
    let batch = through_the_channel(&mut workers(2, false), &of_length(MESSAGE_MAX + 1));
    assert_eq!(batch.not_relayed, None);
}

#[test]
fn names_are_bounded_and_the_last_ones_are_known() {
    let mut relay = workers(3, false);
    let say =
        |uid: &str| format!(r#"{{"type":2,"uid":"{uid}","nsp":"/","source":"_sio_adapter"}}"#);
    for number in 0..1000 {
        tell(&mut relay, 2, &say(&number.to_string()));
    }
    tell(&mut relay, 2, &say(&"x".repeat(NAME_MAX)));
    assert_eq!(relay.peers.get(WorkerId(2)).unwrap().names.len(), NAMES_MAX);
    assert_eq!(relay.named("\"999\""), Some(WorkerId(2)));
    assert_eq!(relay.named("\"0\""), None);
}

#[test]
fn the_others_are_told_when_a_worker_is_gone() {
    let mut relay = workers(3, false);
    assert!(
        relay.remove(WorkerId(3)).is_empty(),
        "it has used no adapter"
    );
    tell(&mut relay, 2, ADAPTER);
    let chat = ADAPTER.replace("\"/\"", "\"/chat\"").replace("a0", "a1");
    tell(&mut relay, 2, &chat);
    tell(
        &mut relay,
        2,
        r#"{"requestId":1,"senderId":"e","_source":"_eio"}"#,
    );
    let batch = relay.remove(WorkerId(2));
    let text = [
        r#"{"source":"_sio_adapter","type":13,"uid":"a0","nsp":"/"}"#,
        r#"{"source":"_sio_adapter","type":13,"uid":"a1","nsp":"/chat"}"#,
    ];
    assert_eq!(got(&relay, 2, &batch), [(1, text.join("\n"))]);

    let mut relay = workers(3, false);
    for (id, data) in [(1, 1), (2, 3), (3, 3)] {
        let hello = format!(r#"{{"type":1,"data":{data},"source":"_sio_adapter","nsp":"/"}}"#);
        assert_eq!(who(&mut relay, id, &hello).len(), 2);
    }
    let batch = relay.remove(WorkerId(3));
    let text = r#"{"source":"_sio_adapter","type":3,"data":3}"#;
    assert_eq!(
        got(&relay, 3, &batch),
        [(1, text.to_owned()), (2, text.to_owned())]
    );
    assert!(
        relay.remove(WorkerId(2)).is_empty(),
        "its number was not its own"
    );
}

#[test]
fn log4js_writes_in_the_worker_that_it_takes_for_the_first() {
    let event = |more: &str| {
        let data =
            format!(r#"[{{"startTime":"1","level":"2","pid":7{more}}},"now",{{"cluster":1}}]"#);
        let data = data.replace('"', "\\\"");
        format!(r#"{{"topic":"log4js:message","data":"{data}"}}"#)
    };
    let (own, clustered) = (event(""), event(r#","cluster":"2""#));
    for everything in [false, true] {
        let mut relay = workers(3, everything);
        assert_eq!(who(&mut relay, 3, &own), [1]);
        assert_eq!(
            why(&mut relay, 3, &clustered),
            Some(NotRelayed::NoPrimaryLogs)
        );
        // A successor, and a reload.
        relay.add(WorkerId(9), 0);
        assert_eq!(who(&mut relay, 3, &own), [1]);
        tell(
            &mut relay,
            9,
            r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#,
        );
        assert_eq!(who(&mut relay, 3, &own), [1]);
        relay.leaves(WorkerId(1));
        assert_eq!(who(&mut relay, 3, &own), [9]);
        relay.remove(WorkerId(9));
        assert_eq!(who(&mut relay, 3, &own), [1]);
        relay.remove(WorkerId(1));
        assert_eq!(why(&mut relay, 3, &own), Some(NotRelayed::NoWorkerLogs));
    }
}
