//! Messages of a worker on its channel, read whole and in pieces, while pidone sends messages too.
//!
//! A line that begins with `!` is an action of pidone ([`ChannelAction`]); all others are the worker's messages.

use pidone::channel::cluster::FromWorker;
use pidone::channel::frame::{Line, MESSAGE_MAX, Splitter};
use pidone::channel::query::{DATA_MAX, ListenerKey, Query};
use pidone::channel::relay::{Batch, Relay};
use pidone::json::Value;
use pidone::supervisor::WorkerId;

use super::outbox::{ChannelAction, World};

pub fn check(data: &[u8]) {
    let whole = messages(data, usize::MAX);
    for size in [1, 7, 64] {
        assert_eq!(messages(data, size), whole, "in pieces of {size}");
    }
    let mut world = World::new();
    let mut relay = Relay::new(data.first() == Some(&b'+'));
    for id in 1..=2 {
        relay.add(WorkerId(id), id as usize);
    }
    for line in data.split(|byte| *byte == b'\n') {
        match line.split_first() {
            Some((b'!', action)) => world.act(ChannelAction::parse(action)),
            _ => world.hear(&FromWorker::parse(Line::Whole(line))),
        }
        world.pass_on(relayed(&mut relay, line));
    }
    for id in 1..=2 {
        let batch = relay.remove(WorkerId(id));
        batch
            .of(WorkerId(3 - id))
            .into_iter()
            .for_each(|(lines, _)| check_relayed(&lines));
    }
    world.end();
}

fn messages(data: &[u8], size: usize) -> Vec<FromWorker> {
    let mut splitter = Splitter::new();
    let mut messages = Vec::new();
    for mut piece in data.chunks(size) {
        while let Some(line) = splitter.next(&mut piece) {
            let (Line::Whole(text) | Line::Beginning(text)) = line;
            assert!(text.len() <= MESSAGE_MAX && !text.contains(&b'\n'));
            let message = FromWorker::parse(line);
            if let FromWorker::Query(query) | FromWorker::Listening(query) = &message {
                check_query(query);
            }
            messages.push(message);
        }
        assert!(piece.is_empty());
    }
    messages
}

/// Every value that the rest of pidone relies on is within its bounds.
fn check_query(query: &Query) {
    let json = query.data.as_json();
    assert!(!json.contains('\n'));
    let Ok(listener) = &query.listener else {
        assert!(query.listener.as_ref().is_err_and(|errno| *errno > 0));
        return;
    };
    assert!(json.len() <= DATA_MAX);
    match listener {
        ListenerKey::Tcp { port, index, .. } | ListenerKey::Udp { port, index, .. } => {
            assert!(*port == 0 || *index == 0);
        }
        ListenerKey::Unix { path, .. } => {
            assert!(path.starts_with('/') && path.len() <= 107 && !path.contains('\0'));
        }
        ListenerKey::Abstract(name) => assert!((1..=107).contains(&name.len())),
        ListenerKey::Fd { number, .. } => assert!(*number >= 0),
    }
}

/// What one worker gets if another one sends this.
fn relayed(relay: &mut Relay, line: &[u8]) -> Vec<u8> {
    let mut batch = Batch::default();
    let message = FromWorker::parse(Line::Whole(line));
    relay.hear(WorkerId(1), &message, Line::Whole(line), &mut batch);
    assert!(batch.is_empty() || batch.not_relayed.is_none());
    let Some((lines, 1)) = batch.of(WorkerId(2)) else {
        return Vec::new();
    };
    assert_eq!(lines.strip_suffix(b"\n"), Some(line));
    check_relayed(&lines);
    lines.to_vec()
}

/// Nothing that would end a worker, or that it would obey.
fn check_relayed(lines: &[u8]) {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let value = Value::parse_nested(line, u8::MAX).expect("it is no JSON");
        let commands = value
            .object()
            .into_iter()
            .flat_map(|object| object.members());
        let commands = commands.filter(|(name, _)| name.string().as_deref() == Some("cmd"));
        for (_, command) in commands {
            let begin = command.raw().get(..6).unwrap_or_default();
            assert!(
                begin != "\"NODE_"
                    && !command
                        .string()
                        .is_some_and(|text| text.starts_with("NODE_"))
            );
        }
    }
}
