//! `docker update` changes the limits of a container that runs.

use crate::docker::{Container, docker, images};
use crate::harness::{processes, words};

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn workers_follow_the_limits_that_docker_update_sets() {
    let variables = [
        "PORT=3000",
        "PIDONE_INSTANCES=auto",
        "PIDONE_MAX_MEMORY=50%",
    ];
    let mut options = vec!["--cpus=1", "--memory=400m", "--memory-swap=-1"];
    options.extend(variables.iter().flat_map(|variable| ["-e", variable]));
    let container = Container::start(&options, &images().workers, &["node", "plain.js"]);
    container.said(words::READY, 1);
    let workers = || processes::children(container.init()).len();
    assert_eq!(workers(), 1);
    docker(&["update", "--cpus=2", &container.id]);
    container.said("scaling done: 2 workers serve", 1);
    assert_eq!(workers(), 2);
    docker(&["update", "--cpuset-cpus=0", &container.id]);
    container.said("scaling done: one worker serves", 1);
    assert_eq!(workers(), 1);
    let memory = ["--memory=600m", "--memory-swap=-1"];
    docker(&[&["update"], &memory[..], &[&container.id]].concat());
    container.said("--max-memory changes from 200 MiB to 300 MiB", 1);
    assert_eq!(container.stop("3600"), 0);
    let (_, stderr) = container.logs();
    for (from, to) in [(1, 2), (2, 1)] {
        let scaling = words::scaling(from, to);
        assert_eq!(stderr.matches(&scaling).count(), 1, "{stderr}");
    }
}
