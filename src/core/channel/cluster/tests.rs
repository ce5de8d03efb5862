use super::*;
use crate::channel::query::ListenerKey;
use alloc::format;
use alloc::string::String;
use alloc::vec;

fn parse(text: &str) -> FromWorker {
    FromWorker::parse(Line::Whole(text.as_bytes()))
}

#[test]
fn every_message_from_a_worker_is_parsed() {
    let online = r#"{"cmd":"NODE_CLUSTER","act":"online","seq":0}"#;
    assert_eq!(parse(online), FromWorker::Online);
    assert_eq!(parse(&format!("\u{2}{online}")), FromWorker::Online);
    let query = r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":80,"addressType":4,"backlog":0,"seq":1}"#;
    assert!(matches!(
        parse(query),
        FromWorker::Query(Query {
            seq: 1,
            listener: Ok(ListenerKey::Tcp { port: 80, .. }),
            ..
        })
    ));
    assert!(matches!(
        parse(&query.replace("queryServer", "listening")),
        FromWorker::Listening(Query { seq: 1, .. })
    ));
    assert_eq!(
        parse(r#"{"cmd":"NODE_CLUSTER","act":"close","key":"12","seq":2}"#),
        FromWorker::Close { key: Key(12) }
    );
    assert_eq!(
        parse(r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":3}"#),
        FromWorker::ExitedAfterDisconnect { seq: 3 }
    );
    for accepted in [true, false] {
        let text = format!(r#"{{"cmd":"NODE_CLUSTER","ack":9,"accepted":{accepted},"seq":4}}"#);
        assert_eq!(parse(&text), FromWorker::Accepted { ack: 9, accepted });
    }
    assert_eq!(parse(r#"{"cmd":"NODE_HANDLE_ACK"}"#), FromWorker::Ack);
    assert_eq!(parse(r#"{"cmd":"NODE_HANDLE_NACK"}"#), FromWorker::Nack);
    for kind in HANDLE_TYPES {
        let text = format!(r#"{{"cmd":"NODE_HANDLE","type":"{kind}","msg":{{"a":1}}}}"#);
        assert_eq!(parse(&text), FromWorker::HandleOffered);
    }
    assert_eq!(parse(r#""ready""#), FromWorker::Ready);
}

#[test]
fn messages_of_the_drain_module_are_parsed() {
    let loaded = r#"{"cmd":"NODE_PIDONE","act":"loaded"}"#;
    assert_eq!(parse(loaded), FromWorker::Loaded);
    for (signals, expected) in [
        (r#"[]"#, vec![]),
        (r#"["SIGTERM","SIGINT"]"#, vec![Signal::TERM, Signal::INT]),
        (r#"[5,null,"x",["SIGINT"],"SIGHUP"]"#, vec![Signal::HUP]),
    ] {
        let text = format!(r#"{{"cmd":"NODE_PIDONE","act":"announced","signals":{signals}}}"#);
        let handles = expected.into_iter().collect();
        assert_eq!(parse(&text), FromWorker::Announced { handles }, "{text}");
    }
}

#[test]
fn other_messages_are_the_apps() {
    for text in [
        "",
        "null",
        "5",
        "\"Ready\"",
        "{}",
        "{\"cmd\":\"x\"}",
        "{",
        " \"ready\"",
    ] {
        assert_eq!(parse(text), FromWorker::UserMessage, "{text}");
    }
    let online = r#"{"seq":0,"cmd":"NODE_CLUSTER","act":"online"}"#;
    assert_eq!(parse(online), FromWorker::UserMessage);
    let long = FromWorker::parse(Line::Beginning(b"\"ready to say a lot"));
    assert_eq!(long, FromWorker::UserMessage);
}

#[test]
fn unknown_internal_messages_are_garbage() {
    for text in [
        r#"{"cmd":"NODE_"#,
        r#"{"cmd":"NODE_CLUSTER","act":"online""#,
        r#"{"cmd":"NODE_CLUSTER"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"suicide","seq":1}"#,
        r#"{"cmd":"NODE_CLUSTER","act":5,"seq":1}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"queryServer"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"close","key":5}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"close","key":"x"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"close","key":"99999999999999999999"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect"}"#,
        r#"{"cmd":"NODE_CLUSTER","ack":"9","accepted":true}"#,
        r#"{"cmd":"NODE_CLUSTER","ack":9,"accepted":1}"#,
        r#"{"cmd":"NODE_HANDLE"}"#,
        r#"{"cmd":"NODE_HANDLE","type":null}"#,
        r#"{"cmd":"NODE_HANDLE","type":"other","msg":1}"#,
        r#"{"cmd":"NODE_PIDONE"}"#,
        r#"{"cmd":"NODE_PIDONE","act":"unloaded"}"#,
        r#"{"cmd":"NODE_PIDONE","act":"announced"}"#,
        r#"{"cmd":"NODE_DEBUG_ENABLED"}"#,
    ] {
        assert_eq!(parse(text), FromWorker::Garbage, "{text}");
    }
}

#[test]
fn an_overlong_message_with_a_descriptor_is_recognised() {
    let begin = |text: &str| FromWorker::parse(Line::Beginning(text.as_bytes()));
    assert_eq!(
        begin(r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"xxx"#),
        FromWorker::HandleOffered
    );
    for text in [
        r#"{"cmd":"NODE_HANDLE","type":"net.Sock"#,
        r#"{"cmd":"NODE_HANDLE","msg":"xxx"#,
        r#"{"cmd":"NODE_CLUSTER","act":"online","x":"#,
    ] {
        assert_eq!(begin(text), FromWorker::Garbage);
    }
}

#[test]
fn every_message_is_one_json_object_on_one_line() {
    let query =
        r#"{"cmd":"NODE_CLUSTER","act":"queryServer","data":{"ticketKeys":"a\nb"},"seq":1}"#;
    let FromWorker::Query(Query { data, .. }) = parse(query) else {
        panic!("a query")
    };
    let (seq, key, data) = (1, Key(2), &data);
    let v4 = Some("127.0.0.1:80".parse().unwrap());
    let v6 = Some("[::1]:80".parse().unwrap());
    for (message, expected) in [
        (
            ToWorker::Listener {
                seq,
                key,
                data,
                kind: HandleKind::Stream,
            },
            r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","ack":1,"key":"2","errno":0,"data":{"ticketKeys":"a\nb"}}}"#,
        ),
        (
            ToWorker::Listener {
                seq,
                key,
                data,
                kind: HandleKind::Datagram,
            },
            r#"{"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","ack":1,"key":"2","errno":0,"data":{"ticketKeys":"a\nb"}}}"#,
        ),
        (
            ToWorker::Failure {
                seq,
                errno: 98,
                data,
            },
            r#"{"cmd":"NODE_CLUSTER","ack":1,"errno":-98,"data":{"ticketKeys":"a\nb"}}"#,
        ),
        (
            ToWorker::Failure {
                seq,
                errno: 0,
                data,
            },
            r#"{"cmd":"NODE_CLUSTER","ack":1,"errno":-1,"data":{"ticketKeys":"a\nb"}}"#,
        ),
        (
            ToWorker::RoundRobin {
                seq,
                key,
                data,
                address: None,
            },
            r#"{"cmd":"NODE_CLUSTER","ack":1,"key":"2","errno":0,"data":{"ticketKeys":"a\nb"}}"#,
        ),
        (
            ToWorker::RoundRobin {
                seq,
                key,
                data,
                address: v4,
            },
            r#"{"cmd":"NODE_CLUSTER","ack":1,"key":"2","errno":0,"data":{"ticketKeys":"a\nb"},"sockname":{"address":"127.0.0.1","family":"IPv4","port":80}}"#,
        ),
        (
            ToWorker::RoundRobin {
                seq,
                key,
                data,
                address: v6,
            },
            r#"{"cmd":"NODE_CLUSTER","ack":1,"key":"2","errno":0,"data":{"ticketKeys":"a\nb"},"sockname":{"address":"::1","family":"IPv6","port":80}}"#,
        ),
        (
            ToWorker::Connection { seq, key },
            r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":"2","seq":1}}"#,
        ),
        (
            ToWorker::Acknowledged { seq },
            r#"{"cmd":"NODE_CLUSTER","ack":1}"#,
        ),
        (
            ToWorker::Disconnect { seq },
            r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}"#,
        ),
        (ToWorker::Ping, r#"{"cmd":"NODE_HANDLE"}"#),
        (ToWorker::HandleTaken, r#"{"cmd":"NODE_HANDLE_ACK"}"#),
        (ToWorker::Drain, r#"{"cmd":"NODE_PIDONE_DRAIN"}"#),
    ] {
        let line = message.line();
        assert_eq!(
            String::from_utf8(line.clone()).unwrap(),
            format!("{expected}\n")
        );
        assert!(Object::parse(&line).is_some(), "{expected}");
        assert!(!line[..line.len() - 1].contains(&b'\n'));
    }
}
