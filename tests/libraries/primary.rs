//! Libraries that keep their state in the primary.

use std::collections::BTreeSet;

use crate::harness::service::Service;
use crate::harness::{scaled_ms, words};
use crate::library::{app, ask, two, without_pidone};

/// What a worker reads after another one has written.
#[track_caller]
fn shared(service: &Service) -> String {
    let (writer, _) = ask(service, "/set");
    loop {
        let (pid, said) = ask(service, "/get");
        if pid != writer {
            return said;
        }
    }
}

#[test]
fn state_in_the_primary_is_not_shared() {
    for (script, said) in [
        ("lru-cache-for-clusters-as-promised.js", "undefined"),
        ("memored.js", "no answer"),
        ("cluster-shared-memory.js", "no answer"),
        ("mortice.js", "no answer"),
    ] {
        assert_eq!(shared(&without_pidone(script)), "shared", "{script}");
        let service = two(script);
        assert_eq!(shared(&service), said, "{script}");
        service.run.until_stderr(words::UNKNOWN_MESSAGE);
        service.stop().code(0);
    }
}

#[test]
fn mortice_locks_within_a_worker_with_single_process() {
    let app = app("mortice.js");
    let service = app.start_with(2, [""; 0], |pidone| pidone.env("SINGLE", "1"));
    let service = service.ready();
    assert_eq!(shared(&service), "shared");
    service.stop().code(0);
}

#[test]
fn rate_limiter_cluster_gets_no_answer() {
    let service = without_pidone("rate-limiter-flexible.js");
    let said: Vec<_> = (0..6).map(|_| ask(&service, "/limited").1).collect();
    assert_eq!(said[..5], ["passed"; 5]);
    assert_eq!(said[5], "refused");
    let service = two("rate-limiter-flexible.js");
    let why = "error: RateLimiterCluster timeout: no answer from master in time";
    assert_eq!(ask(&service, "/limited").1, why);
    service.stop().code(0);
}

/// Their primary accepts, and their workers do not listen.
#[test]
fn sticky_primaries_are_replaced_by_source_ip() {
    for script in ["sticky-session.js", "socketio-sticky.js"] {
        let service = app(script).workers(2, ["--ready-timeout", &scaled_ms(2000)]);
        service.up(2);
        service.run.until_stderr(words::NEVER_READY);
        service.stop();
    }
    let service = app("plain.js").workers(2, ["--balance", "source-ip"]);
    let service = service.ready();
    let pids: BTreeSet<_> = (0..20).map(|_| service.who()).collect();
    assert_eq!(pids.len(), 1);
    service.stop().code(0);
}
