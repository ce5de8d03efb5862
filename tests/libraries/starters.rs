//! Libraries that start workers of their own: in a worker of pidone, `cluster.isPrimary` is false.

use std::path::Path;

use crate::harness::words;
use crate::library::{app, serves};

#[test]
fn throng_runs_its_worker_function() {
    let service = app("throng.js").workers(2, [""; 0]);
    serves(service);
}

#[test]
fn graceful_cluster_runs_its_server_function() {
    serves(app("graceful-cluster.js").workers(2, [""; 0]));
}

#[test]
fn express_cluster_runs_its_worker_function() {
    serves(app("express-cluster.js").workers(2, [""; 0]));
}

#[test]
fn moleculer_runner_runs_one_broker_in_each_worker() {
    let app = app("http.service.js");
    let runner = app
        .directory
        .path("node_modules/moleculer/bin/moleculer-runner.js");
    let service = app.directory.path("http.service.js");
    let line = [
        Path::new("node"),
        &runner,
        Path::new("--instances"),
        Path::new("8"),
        &service,
    ];
    serves(app.command_line(line).workers(2, [""; 0]));
}

/// It does nothing unless it is in the primary.
#[test]
fn strong_cluster_control_leaves_the_workers_to_pidone() {
    serves(app("strong-cluster-control.js").workers(2, [""; 0]));
}

/// They call what only a primary has, or nothing.
#[test]
fn primaries_in_a_file_of_their_own_fail() {
    let service = app("cluster-service.js").workers(2, [""; 0]);
    service.run.until_stderr(words::CRASH_LOOP);
    service.run.end().code(1);
    let service = app("recluster.js").workers(2, ["--ready-timeout", "2s"]);
    service.run.until_stderr(words::NEVER_READY);
    service.stop();
}
