//! `pidone ctl` in a container: an image with no shell and no curl has nothing else to ask with.

use std::process::Output;

use crate::docker::{Container, build, client, docker, images, patience, text};
use crate::harness::words;

fn serving(image: &str, options: &[&str]) -> Container {
    let mut all = vec!["-e", "PORT=3000", "-e", "PIDONE_INSTANCES=2"];
    all.extend(options);
    let container = Container::start(&all, image, &["node", "plain.js"]);
    container.said(words::READY, 1);
    container
}

/// `docker exec … /pidone ctl …`, as this user.
fn ctl(container: &Container, user: &str, request: &[&str]) -> Output {
    let command = ["exec", "--user", user, &container.id, "/pidone", "ctl"];
    let mut client = client(patience().as_secs());
    client.args(command).args(request).output().unwrap()
}

#[track_caller]
fn is_done(container: &Container, user: &str, request: &[&str]) -> String {
    let output = ctl(container, user, request);
    assert!(output.status.success(), "{user} {request:?}: {output:?}");
    text(&output.stdout).trim_end().to_owned()
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn whoever_pidone_runs_as_is_obeyed_behind_every_wall() {
    for (options, user) in [
        (&[][..], "0"),
        (&["--user=1000"], "1000"),
        (&["--read-only", "--tmpfs=/tmp"], "0"),
        (
            &[
                "--read-only",
                "--tmpfs=/tmp",
                "--user=1000:1000",
                "--cap-drop=ALL",
                "--security-opt=no-new-privileges",
            ],
            "1000",
        ),
    ] {
        let container = serving(&images().workers, options);
        assert_eq!(is_done(&container, user, &["ready"]), "ready");
        assert_eq!(is_done(&container, user, &["live"]), "alive");
        let status = is_done(&container, user, &["status"]);
        assert!(status.contains("2 of 2 workers"), "{options:?}: {status}");
        let done = is_done(&container, user, &["reload"]);
        assert!(done.contains("done in"), "{options:?}: {done}");
        is_done(&container, user, &["scale", "3"]);
        is_done(&container, user, &["stop"]);
        assert_eq!(container.wait(), 0, "{options:?}");
    }
}

/// Workers that run as somebody else may look after themselves, and no more.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_apps_user_may_look_and_root_may_act() {
    let container = serving(&images().workers, &["-e", "PIDONE_USER=node"]);
    assert_eq!(is_done(&container, "1000", &["ready"]), "ready");
    let refused = ctl(&container, "1000", &["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let done = is_done(&container, "0", &["reload"]);
    assert!(done.contains("done in"), "{done}");
    assert_eq!(container.stop("3600"), 0);
}

/// No root file system to write to and no tmpfs: there is no door, and the workers serve all the same.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn without_a_place_for_the_socket_everything_else_works() {
    let container = serving(&images().workers, &["--read-only"]);
    let asked = ctl(&container, "0", &["ready"]);
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert_eq!(container.stop("3600"), 0);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_health_check_sees_readiness_and_its_loss() {
    let checked = format!(
        "FROM {}\nHEALTHCHECK --interval=200ms --retries=1 CMD [\"/pidone\", \"ctl\", \"ready\"]\n",
        images().workers
    );
    let image = build("health", &checked, &[]);
    let container = serving(&image, &["-e", "PIDONE_DRAIN_DELAY=1h"]);
    container.is("healthy");
    // While it drains, it serves and wants no more.
    docker(&["kill", "-s", "TERM", &container.id]);
    container.is("unhealthy");
    // The second one may come within a second of the first, and is then no second request; a third is.
    for _ in 0..2 {
        docker(&["kill", "-s", "TERM", &container.id]);
    }
    assert_eq!(container.wait(), 137);
}
