//! Workers that hang, that grow, and that have served for long enough.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

use crate::harness::admin::AdminEndpoints;
use crate::harness::http::{answer, request, server_of};
use crate::harness::net::connect;
use crate::harness::service::{App, Service, all_answer};
use crate::harness::{processes, scaled_ms, words};
use crate::node::on_every_node;
use crate::reload::GATED;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// One that does what the request says, and tells who comes and who goes.
const WEAK: &str = "
    const answer = require('./answer.js');
    const kept = [];
    process.on('exit', () => console.log('gone', process.pid));
    require('http').createServer((request, response) => {
        if (request.url === '/hang') {
            console.log('hangs', process.pid);
            for (;;);
        }
        if (request.url === '/grow') kept.push(Buffer.alloc(200 << 20, 1));
        answer(request, response);
    }).listen(process.env.PORT, () => console.log('up', process.pid));
";

fn say(service: &Service, path: &str) -> TcpStream {
    let mut stream = connect((LOCALHOST, service.app.port));
    stream.write_all(request(path, false).as_bytes()).unwrap();
    stream
}

/// A slow machine may still have it exit when the signal comes, so its status is not looked at.
fn is_gone(service: &Service, pid: i32) {
    processes::wait_until("it is gone", || !service.workers().contains(&pid));
}

fn who(mut stream: TcpStream) -> i32 {
    let response = answer(&mut stream);
    assert_eq!(response.status(), 200, "{}", response.body());
    let (pid, _) = response.body().split_once(' ').unwrap();
    pid.parse().unwrap()
}

#[test]
fn a_worker_that_hangs_is_replaced_and_nobody_in_its_queue_is_lost() {
    on_every_node(|node| {
        let service = App::script(WEAK)
            .node(&node.path)
            .workers(2, ["--hang-timeout", &scaled_ms(1000)])
            .ready();
        let before = service.workers();
        let _hangs = say(&service, "/hang");
        let hung = service.pid_after("hangs ");
        // Some of them wait for the one that hangs.
        let waiting: Vec<_> = (0..20).map(|_| say(&service, "/who?")).collect();
        service
            .run
            .until_stderr(&format!("(pid {hung}) {}", words::HANGS));
        let new = service.pid_after("up ");
        for stream in waiting {
            assert_ne!(who(stream), hung);
        }
        service.run.until_stderr(&words::aborted(hung));
        let after = service.workers();
        assert!(after.contains(&new) && !after.contains(&hung));
        assert_eq!(before.intersection(&after).count(), 1);
        all_answer(&service, || {
            server_of(connect((LOCALHOST, service.app.port)))
        });
        service.stop().code(0);
    });
}

#[test]
fn a_worker_that_grows_leaves_when_its_successor_serves() {
    on_every_node(|node| {
        let service = App::script(WEAK)
            .node(&node.path)
            .workers(2, ["--max-memory", "180M"])
            .ready();
        let before = service.workers();
        let grown = who(say(&service, "/grow"));
        let new = service.pid_after("up ");
        service.run.until_stderr(&words::grown(grown));
        assert_eq!(service.pid_after("gone "), grown);
        is_gone(&service, grown);
        let after = service.workers();
        assert!(after.contains(&new), "{new} is none of {after:?}");
        assert_eq!(before.intersection(&after).count(), 1);
        all_answer(&service, || {
            server_of(connect((LOCALHOST, service.app.port)))
        });
        service.stop().code(0);
    });
}

#[test]
fn those_who_have_served_for_long_enough_are_replaced_one_after_the_other() {
    let service = App::script(WEAK).workers(2, ["--max-age", "2s"]);
    let before = service.up(2);
    let service = service.until_ready();
    let mut new = BTreeSet::new();
    let mut gone = BTreeSet::new();
    for _ in 0..2 {
        new.insert(service.pid_after("up "));
        gone.insert(service.pid_after("gone "));
    }
    assert_eq!(gone, before);
    assert!(new.is_disjoint(&before));
    service.run.until_stderr_times(words::OLD, 2);
    for pid in &gone {
        is_gone(&service, *pid);
    }
    let server = server_of(connect((LOCALHOST, service.app.port)));
    assert!(!before.contains(&server));
    service.stop().code(0);
}

#[test]
fn workers_over_their_limit_at_once_are_replaced_as_surge_allows() {
    let admin = AdminEndpoints::fresh();
    let options = ["--max-memory", "1M", "--surge", "2"];
    let service = admin.workers(App::script(GATED), 4, &options);
    let service = service.until_ready();
    service.app.directory.file("closed", "", 0o644);
    let old = service.workers();
    let boots = |count| -> BTreeSet<_> { (0..count).map(|_| service.after("boots ")).collect() };
    assert_eq!(boots(4 + 2).len(), 6);
    // All four were measured together, and pidone has done what follows.
    admin.ask("status").done();
    assert_eq!(service.run.stderr_count(words::TOO_MUCH_MEMORY), 2);
    assert_eq!(service.workers().len(), 6);
    std::fs::remove_file(service.app.directory.path("closed")).unwrap();
    service.run.until_stderr_times(words::TOO_MUCH_MEMORY, 4);
    boots(2);
    for pid in old {
        is_gone(&service, pid);
    }
    service.stop().code(0);
}

/// Connections and pings share the channel there: neither may be in the other's way.
#[test]
fn busy_workers_are_not_taken_for_hung_and_recycling_loses_nothing() {
    let (hang, age) = (scaled_ms(1000), scaled_ms(3000));
    let options = [
        "--balance",
        "round-robin",
        "--hang-timeout",
        &hang,
        "--max-age",
        &age,
    ];
    let service = App::script(WEAK).workers(2, options).ready();
    let load = service.load().rate(300).start();
    service.run.until_stderr_times(words::OLD, 2);
    service.up(2);
    load.until_answered_by(2);
    let report = load.stop();
    report.no_failures();
    assert_eq!(service.run.stderr_count(words::HANGS), 0);
    service.stop().code(0);
}
