//! examples/websocket: reloads under traffic lose no message, and none is handled twice.

use std::collections::BTreeSet;

use crate::example::Example;
use crate::harness::Pidone;

const RELOADS: usize = 2;

#[test]
fn no_message_is_lost_or_handled_twice() {
    let example = Example::named("websocket");
    let script = include_str!("traffic.mjs");
    let script = example.directory().file("traffic.mjs", script, 0o644);
    let service = example.start("-- ").until_ready();
    let url = format!("ws://127.0.0.1:{}", service.app.port);
    let script = script.to_str().unwrap();
    let mut traffic = Pidone::program(["node", script, &url, "10"]).start();
    traffic.expect("going");
    let mut old = service.workers();
    for _ in 0..RELOADS {
        service.reload();
        let new = service.workers();
        assert!(new.is_disjoint(&old), "{old:?} {new:?}");
        old = new;
        traffic.write("more\n");
        traffic.expect("going");
    }
    traffic.close_stdin();
    let line = traffic.expect("asked ");
    traffic.end().code(0);
    let end = service.stop();
    end.code(0);

    let words: Vec<_> = line.split(' ').collect();
    let [asked, "answered", answered, "told", told] = words[..] else {
        panic!("{line}");
    };
    assert_eq!(asked, answered, "{line}");
    // Each client in each reload, for no worker survives one.
    assert!(told.parse::<usize>().unwrap() >= RELOADS, "{line}");
    let text = end.text();
    let handled = text
        .lines()
        .filter_map(|line| line.strip_prefix("handled "));
    let handled: Vec<_> = handled.collect();
    assert_eq!(handled.len().to_string(), asked, "{line}");
    let different: BTreeSet<_> = handled.iter().collect();
    assert_eq!(different.len(), handled.len(), "some were handled twice");
}
