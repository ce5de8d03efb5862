//! pidone as the engine's own init: `dockerd --init-path`, `docker run --init`.

use std::fs;

use crate::docker::{Container, binary, docker, run, text};
use crate::harness::words;
use crate::stop::PLAIN;

const NODE: &str = "pidone-test/node";

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_engines_init_is_the_binary_under_test() {
    let path = docker(&["info", "--format", "{{.InitBinary}}"]);
    assert!(
        fs::read(&path).unwrap() == fs::read(binary()).unwrap(),
        "the engine was started with --init-path {path}"
    );
    let look = "const p = process.ppid, fs = require('fs');
        console.log(p, JSON.stringify(fs.readFileSync('/proc/1/cmdline', 'utf8').split('\\0').slice(0, 3)),
            fs.statSync('/sbin/docker-init').size)";
    let (status, stdout, stderr) = run(&["--init"], NODE, &["node", "-e", look]);
    let size = fs::metadata(binary()).unwrap().len();
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(
        stdout,
        format!("1 [\"/sbin/docker-init\",\"--\",\"node\"] {size}\n")
    );
    assert_eq!(stderr, "");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn docker_run_init_stops_promptly_and_passes_statuses_on() {
    let app = Container::start(&["--init"], NODE, &["node", "-e", PLAIN]);
    app.line("port ");
    let status = app.stop("3600");
    assert_eq!(status, 143);

    assert_eq!(
        run(&["--init"], NODE, &["node", "-e", "process.exit(7)"]).0,
        7
    );
    assert_eq!(run(&["--init"], NODE, &["no-such-command"]).0, 127);
    assert_eq!(run(&["--init"], NODE, &["/etc/passwd"]).0, 126);
}

/// An image that has pidone as its entrypoint already: the inner one is not PID 1, and adopts.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn an_init_under_the_init_does_no_harm() {
    let node = &crate::docker::images().node;
    let (status, stdout, stderr) = run(
        &["--init"],
        node,
        &[
            "node",
            "-e",
            "console.log(process.ppid !== 1); process.exit(5)",
        ],
    );
    assert_eq!(
        (status, stdout.as_str(), stderr.as_str()),
        (5, "true\n", "")
    );
}

/// The same with workers: the inner one is their primary, and the outer one hands it the signals.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn workers_under_the_init_reload_and_stop() {
    let options = ["--init", "-e", "PORT=3000", "-e", "PIDONE_INSTANCES=2"];
    let app = Container::start(
        &options,
        &crate::docker::images().workers,
        &["node", "plain.js"],
    );
    app.said(words::READY, 1);
    docker(&["kill", "-s", "HUP", &app.id]);
    app.said(words::RELOADED, 1);
    assert_eq!(app.stop("3600"), 0);
}

/// dockerd asks its init for `--version` when it starts and for `docker info`.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_engine_can_ask_for_the_version() {
    let output = std::process::Command::new(binary())
        .arg("--version")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        text(&output.stdout),
        concat!("pidone ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
