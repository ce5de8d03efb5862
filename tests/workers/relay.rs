//! Messages from workers to workers: the libraries whose primary passes them on, and `--relay`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::harness::admin::AdminEndpoints;
use crate::harness::http::ask;
use crate::harness::net::connect;
use crate::harness::service::{App, Service, all_answer};
use crate::harness::{End, Pidone, Run, TempDir, processes, words};
use crate::node::{Node, on_every_node};

const PROJECT: &str = "tests/harness/relay";

/// A script of tests/harness/relay, with its packages.
fn app(script: &str) -> App {
    let directory = TempDir::new();
    for (name, text) in [
        ("app.js", include_str!("../harness/relay/app.js")),
        ("bus.js", include_str!("../harness/relay/bus.js")),
        ("clients.js", include_str!("../harness/relay/clients.js")),
        ("log.js", include_str!("../harness/relay/log.js")),
        ("reload.js", include_str!("../harness/relay/reload.js")),
        ("scenario.js", include_str!("../harness/relay/scenario.js")),
    ] {
        directory.file(name, text, 0o644);
    }
    App::at(directory, script).with_packages_of(PROJECT)
}

/// The Socket.IO app with a version of the adapter.
fn socketio(adapter: &str) -> App {
    let app = app("app.js");
    let script = format!("module.exports = require('{adapter}');");
    app.directory.file("adapter.js", &script, 0o644);
    app
}

/// Clients of a service.
fn clients(service: &Service, script: &str) -> Run {
    let script = service.app.directory.path(script);
    Pidone::program(["node".as_ref(), script.as_os_str()])
        .env("PORT", service.app.port.to_string())
        .start()
}

const ADAPTERS: [&str; 2] = ["@socket.io/cluster-adapter", "cluster-adapter-0.2"];

#[test]
fn socketio_works_as_under_nodes_own_primary() {
    on_every_node(|node: &Node| {
        for adapter in ADAPTERS {
            let said = |service: &Service| {
                service.up(3);
                clients(service, "scenario.js").end()
            };
            let app = || socketio(adapter).node(&node.path);
            let service = app().workers(3, [""; 0]);
            let under_pidone = said(&service);
            service.stop().code(0);
            let under_node = said(&app().bare());
            under_node.code(0).quiet();
            under_pidone.code(0).quiet();
            assert_eq!(under_pidone.text(), under_node.text(), "{adapter}");
            assert_eq!(under_node.text().lines().count(), 20);
        }
    });
}

#[test]
fn clients_of_draining_workers_still_hear_all_others() {
    for adapter in ADAPTERS {
        let service = socketio(adapter).workers(2, ["--grace", "60s"]).ready();
        let mut clients = clients(&service, "reload.js");
        clients.expect("met");
        service.run.signal(libc::SIGHUP);
        service.up(2);
        service.run.until_stderr_times(words::SLOT_SERVES, 2);
        assert_eq!(service.workers().len(), 4);
        clients.write("both are there\n");
        for _ in 0..4 {
            // Two old and two new clients, three other workers.
            clients.expect("among 4 4 3");
        }
        service.run.until_stderr(words::RELOADED);
        clients.write("the old ones are gone\n");
        clients.expect("alone 2 2");
        let victim = clients.expect("kill ").parse().unwrap();
        processes::kill(victim, libc::SIGKILL);
        service.up(1);
        clients.write("go on\n");
        clients.expect("again 1 1");
        clients.end().code(0).quiet();
        service.stop().code(0);
    }
}

type Got = BTreeMap<i32, Vec<String>>;

/// What a worker of bus.js has got from each other one.
fn got(service: &Service, worker: i32) -> Got {
    loop {
        let (pid, got) = tell(service, "/got");
        if pid == worker {
            return got;
        }
    }
}

/// Sends a request to some worker; returns which one, and what it has got.
fn tell(service: &Service, path: &str) -> (i32, Got) {
    let mut client = connect((Ipv4Addr::LOCALHOST, service.app.port));
    let answer = ask(&mut client, path, false);
    let (pid, json) = answer.body().split_once(' ').unwrap();
    let lists = json
        .trim_matches(['{', '}'])
        .split("],")
        .filter(|list| !list.is_empty());
    let got = lists.map(|list| {
        let (from, numbers) = list.split_once(":[").unwrap();
        let numbers = numbers
            .trim_end_matches(']')
            .split(',')
            .map(ToOwned::to_owned);
        (from.trim_matches('"').parse().unwrap(), numbers.collect())
    });
    (pid.parse().unwrap(), got.collect())
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn with_relay_all_others_get_each_message_in_order() {
    let service = app("bus.js").workers(3, ["--relay"]).ready();
    let (first, _) = tell(&service, "/send?count=2000&size=10");
    let second = loop {
        let (pid, _) = tell(&service, "/send?count=3&size=100000");
        if pid != first {
            break pid;
        }
    };
    for worker in service.workers() {
        let is_whole = || {
            let got = got(&service, worker);
            assert!(!got.contains_key(&worker), "its own: {got:?}");
            let has = |from: i32, least: usize| {
                from == worker || got.get(&from).is_some_and(|list| list.len() >= least)
            };
            let whole = has(first, 2000) && has(second, 3);
            if whole && worker != first {
                assert_eq!(got[&first][..2000], numbers(2000));
            }
            whole
        };
        processes::wait_until("all messages are there", is_whole);
    }
    service.stop().code(0);
}

#[test]
fn without_relay_only_those_of_known_libraries_are_passed_on() {
    let service = app("bus.js").workers(2, [""; 0]).ready();
    let workers = service.workers();
    let (from, _) = tell(&service, "/send?count=5&size=10");
    while tell(&service, "/send?count=1&size=10&library=_sio_adapter").0 != from {}
    let other = *workers.iter().find(|pid| **pid != from).unwrap();
    let mut list = Vec::new();
    processes::wait_until("the library's is there", || {
        list = got(&service, other).remove(&from).unwrap_or_default();
        !list.is_empty()
    });
    assert_eq!(list, ["\"_sio_adapter\""]);
    service.stop().code(0);
}

#[test]
fn a_worker_that_does_not_read_holds_up_nobody() {
    const COUNT: usize = 4000;
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(app("bus.js"), 3, &["--relay"]).ready();
    let mut workers = service.workers().into_iter();
    let stopped = workers.next().unwrap();
    let rest: Vec<_> = workers.collect();
    processes::kill(stopped, libc::SIGSTOP);
    // 8 MB
    let (from, _) = tell(&service, &format!("/send?count={COUNT}&size=2000"));
    let other = *rest.iter().find(|pid| **pid != from).unwrap();
    let all = || got(&service, other).get(&from).map_or(0, Vec::len);
    processes::wait_until("the other one has all", || all() == COUNT);
    assert_eq!(got(&service, other)[&from], numbers(COUNT));
    service.run.until_stderr(words::RELAY_UNREAD);
    let dropped = || {
        let page = admin.get("/metrics").1;
        let counts = page.lines().filter_map(|line| {
            let count = line.strip_prefix("pidone_relay_dropped_messages_total{slot=")?;
            count.rsplit(' ').next()?.parse::<usize>().ok()
        });
        counts.filter(|count| *count > 0).collect::<Vec<_>>()
    };
    let lost = dropped();
    assert_eq!(lost.len(), 1, "{lost:?}");
    let kib = processes::memory(service.run.pid(), "RssAnon");
    assert!(kib < 10 * 1024, "{kib} KiB");

    processes::kill(stopped, libc::SIGCONT);
    let list = || got(&service, stopped).remove(&from).unwrap_or_default();
    processes::wait_until("it has what has waited", || list().len() == COUNT - lost[0]);
    let numbers: Vec<usize> = list()
        .iter()
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    while tell(&service, "/send?count=1&size=1").0 != from {}
    processes::wait_until("it goes on", || list().len() > COUNT - lost[0]);
    assert_eq!(dropped(), lost);
    assert_eq!(service.run.stderr_count(words::RELAY_UNREAD), 1);
    service.stop().code(0);
}

/// The lines that log.js has written: by whom, and in which file.
fn logged(options: &str, times: usize) -> (Vec<String>, End) {
    let service = app("log.js").start_with(3, [""; 0], |pidone| pidone.env("LOG4JS", options));
    let service = service.ready();
    for _ in 0..times {
        all_answer(&service, || service.who());
    }
    if options.contains("pm2") {
        let log = service.app.directory.path("log");
        processes::wait_until("worker 0 has written for all", || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            service
                .workers()
                .iter()
                .all(|pid| text.matches(&format!("{pid} /")).count() >= times)
        });
    } else if options == "{}" {
        service.run.until_stderr(words::LOG4JS);
    }
    let (app, end) = service.stop_and_keep();
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(app.directory.path(".")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "log") && !path.ends_with("log.js") {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(ToOwned::to_owned));
        }
    }
    (lines, end)
}

#[test]
fn log4js_loses_no_line_or_says_what_to_change() {
    let (lines, end) = logged("{}", 2);
    assert_eq!(lines, [""; 0]);
    assert_eq!(end.stderr.matches(words::LOG4JS).count(), 1, "{end:?}");
    for options in [r#"{"pm2":true}"#, r#"{"disableClustering":true,"where":1}"#] {
        let (lines, end) = logged(options, 2);
        let mut written: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &lines {
            *written.entry(line.split(' ').next().unwrap()).or_default() += 1;
        }
        assert!(
            written.len() == 3 && written.values().all(|count| *count >= 2),
            "{lines:?}"
        );
        assert!(!end.stderr.contains(words::LOG4JS), "{end:?}");
    }
}

#[test]
fn unknown_messages_are_logged_once() {
    let text = "
        process.send('ready');
        for (const message of [1, { for: 'a primary' }]) process.send(message);
        require('./plain.js')";
    let said = |options: &[&str]| {
        let service = App::script(text).workers(2, options).ready();
        let end = service.stop();
        end.code(0);
        end.stderr.matches(words::UNKNOWN_MESSAGE).count()
    };
    assert_eq!(said(&[]), 1);
    assert_eq!(said(&["--relay"]), 0);
}
