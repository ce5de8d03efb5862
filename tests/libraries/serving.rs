//! Libraries that close servers, measure, or have threads of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::service::Service;
use crate::library::{app, ask, serves};

/// stoppable's handler is that of a signal; close-with-grace's one also runs before the exit.
#[test]
fn libraries_that_close_servers_lose_nothing() {
    for (library, stop, handler_runs) in [
        ("close-with-grace", "drain", true),
        ("close-with-grace", "signal", true),
        ("stoppable", "drain", false),
        ("stoppable", "signal", true),
    ] {
        let app = app("graceful.js");
        let script = app.directory.path("graceful.js");
        let app = app.command_line(["node", script.to_str().unwrap(), library]);
        let end = serves(app.workers(2, ["--stop", stop]));
        // Two workers, and their successors.
        let times = if handler_runs { 4 } else { 0 };
        let ran = end.text().matches("closing").count();
        assert_eq!(ran, times, "{library} {stop}: {end:?}");
    }
}

#[test]
fn pm2_io_serves_and_reports_to_nobody() {
    serves(app("pm2-io.js").workers(2, [""; 0]));
}

#[test]
fn piscina_has_threads_in_each_worker() {
    let service = app("piscina.js").workers(2, [""; 0]).ready();
    assert_eq!(ask(&service, "/get").1, "thread true");
    serves(service);
}

#[test]
fn cluster_client_finds_a_leader_among_the_workers() {
    let service = app("cluster-client.js").workers(2, [""; 0]).ready();
    let leader = |service: &Service| {
        let (pid, said) = ask(service, "/get");
        (pid, said.strip_prefix("led by ").unwrap().parse().unwrap())
    };
    let mut told = BTreeMap::new();
    while told.len() < 2 {
        let (pid, leader) = leader(&service);
        told.insert(pid, leader);
    }
    let leaders: BTreeSet<i32> = told.into_values().collect();
    assert_eq!(leaders.len(), 1);
    service.reload();
    assert!(service.workers().contains(&leader(&service).1));
    service.stop().code(0);
}

#[test]
fn node_config_warns_unless_the_instance_is_unset() {
    let warning = "NODE_APP_INSTANCE value of '0' did not match";
    let service = app("config.js").workers(2, [""; 0]).ready();
    service.run.until_stderr(warning);
    service.stop().code(0);
    let app = app("config.js");
    let script = app.directory.path("config.js");
    let line = [
        "env",
        "-u",
        "NODE_APP_INSTANCE",
        "node",
        script.to_str().unwrap(),
    ];
    let service = app.command_line(line).workers(2, [""; 0]).ready();
    assert_eq!(ask(&service, "/get").1, "default");
    let end = service.stop();
    end.code(0);
    assert!(!end.stderr.contains("NODE_APP_INSTANCE"), "{end:?}");
}
