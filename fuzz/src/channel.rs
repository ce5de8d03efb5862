//! Messages of a worker on its channel, read whole and in pieces, while pidone sends messages too.
//!
//! A line that begins with `!` is an action of pidone ([`ChannelAction`]); all others are the worker's messages.

use pidone::channel::cluster::FromWorker;
use pidone::channel::frame::{LINE_MAX, Line, Splitter};
use pidone::channel::query::{DATA_MAX, ListenerKey, Query};

use super::outbox::{ChannelAction, World};

pub fn check(data: &[u8]) {
    let whole = messages(data, usize::MAX);
    for size in [1, 7, 64] {
        assert_eq!(messages(data, size), whole, "in pieces of {size}");
    }
    let mut world = World::new();
    for line in data.split(|byte| *byte == b'\n') {
        match line.split_first() {
            Some((b'!', action)) => world.act(ChannelAction::parse(action)),
            _ => world.hear(&FromWorker::parse(Line::Whole(line))),
        }
    }
    world.end();
}

fn messages(data: &[u8], size: usize) -> Vec<FromWorker> {
    let mut splitter = Splitter::new();
    let mut messages = Vec::new();
    for mut piece in data.chunks(size) {
        while let Some(line) = splitter.next(&mut piece) {
            let (Line::Whole(text) | Line::Beginning(text)) = line;
            assert!(text.len() <= LINE_MAX && !text.contains(&b'\n'));
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
