//! Logs on their way through the engine.

use std::fs::File;
use std::process::Stdio;

use crate::docker::{Container, build, client, docker, images, patience};
use crate::harness::{TempDir, alone, chatter, words};

const WORKERS: usize = 4;
const LINES: usize = 3000;

/// The engine's default, json-file, has each line of each worker, whole; pidone's own come by the other pipe.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn json_file_has_every_line_of_several_workers_at_full_speed() {
    let _alone = alone();
    let files = TempDir::new();
    let app = files.file("chatter.js", chatter::APP, 0o644);
    let dockerfile = format!("FROM {}\nCOPY chatter.js /app/\n", images().workers);
    let image = build("chatter", &dockerfile, &[("chatter.js", &app)]);
    let instances = format!("PIDONE_INSTANCES={WORKERS}");
    let lines = format!("LINES={LINES}");
    let options = [
        "--log-driver=json-file",
        "-e",
        "PORT=3000",
        "-e",
        &instances,
        "-e",
        &lines,
    ];
    let container = Container::start(&options, &image, &["node", "chatter.js"]);
    container.said(words::READY, 1);
    docker(&["kill", "-s", "USR2", &container.id]);
    container.lines("said all", WORKERS);
    assert_eq!(container.stop("3600"), 0);

    // Into a file: it is more than one would like to see in a failure.
    let json = files.path("json");
    let status = client(patience().as_secs())
        .args(["logs", &container.id])
        .stdout(File::create(&json).unwrap())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let counts = chatter::count(&std::fs::read_to_string(&json).unwrap());
    assert_eq!(counts.len(), WORKERS, "{counts:?}");
    let all_said = counts.values().all(|count| *count == LINES);
    assert!(all_said, "{counts:?}");
    let (_, stderr) = container.logs();
    assert!(
        stderr.lines().all(|line| line.starts_with("pidone: ")),
        "{stderr}"
    );
}
