//! examples/socketio: sessions that begin with polling, from several addresses, over a reload.

use std::collections::{BTreeMap, BTreeSet};

use crate::example::Example;
use crate::harness::service::App;
use crate::harness::{Pidone, Run, TempDir};

const CLIENTS: usize = 12;

/// Who has answered each client, after this word.
#[track_caller]
fn talks(clients: &Run, word: &str) -> BTreeMap<String, i32> {
    let mut pids = BTreeMap::new();
    for _ in 0..CLIENTS {
        let line = clients.expect(word);
        let words: Vec<_> = line.split(' ').collect();
        let [pid, address, transport] = words[..] else {
            panic!("{line}");
        };
        let last: usize = address.rsplit('.').next().unwrap().parse().unwrap();
        let best = ["polling", "websocket"][last % 2];
        assert_eq!(transport, best, "{line}");
        pids.insert(address.to_owned(), pid.parse().unwrap());
    }
    clients.expect("all");
    assert_eq!(pids.len(), CLIENTS);
    pids
}

#[test]
fn clients_stay_with_their_worker_and_find_its_successor() {
    let service = Example::named("socketio").start("-- ").until_ready();
    let workers = service.workers();
    let scripts = App::at(TempDir::new(), "client.js").with_packages();
    let text = include_str!("socketio.js");
    let script = scripts.directory.file("client.js", text, 0o644);
    let mut line = vec!["node".into(), script.to_str().unwrap().to_owned()];
    line.push(service.app.port.to_string());
    line.extend((1..=CLIENTS).map(|last| format!("127.0.7.{last}")));
    let mut clients = Pidone::program(line).start();

    let before = talks(&clients, "met");
    let seen: BTreeSet<_> = before.values().copied().collect();
    assert!(seen.is_subset(&workers), "{seen:?} of {workers:?}");
    assert!(seen.len() > 1, "all on one worker: {before:?}");

    service.reload();
    clients.write("go on\n");
    let after = talks(&clients, "again");
    let new = service.workers();
    assert!(new.is_disjoint(&workers));
    assert!(after.values().all(|pid| new.contains(pid)), "{after:?}");

    clients.close_stdin();
    clients.end().code(0).quiet();
    service.stop().code(0);
}
