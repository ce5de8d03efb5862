//! `examples/services`: several services from one image.

use std::collections::HashSet;

use crate::compose::Project;
use crate::docker::{Container, docker, has_bridge};
use crate::harness::{processes, words};

/// An answer's JSON, of which tests look at single members.
#[track_caller]
fn ask(port: u16, method: &str, path: &str) -> String {
    let answer = crate::stop::request(port, method, path);
    answer.split_once("\r\n\r\n").unwrap().1.trim().to_owned()
}

/// The number behind this name.
#[track_caller]
fn member(json: &str, name: &str) -> u32 {
    let after = json.split(&format!("\"{name}\":")).nth(1);
    let digits = after.unwrap_or_else(|| panic!("no {name}: {json}"));
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap();
    digits[..end].parse().unwrap()
}

fn inspect(container: &Container, format: &str) -> String {
    docker(&["inspect", "-f", format, &container.id])
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn one_image_migrates_once_serves_and_works() {
    if !has_bridge("one_image_migrates_once_serves_and_works") {
        return;
    }
    let more = "services: { web: { environment: { WEB_CONCURRENCY: '2' } } }\n";
    let project = Project::new("services", more);
    let port = project.port;
    project.up();
    let [migrate, web, worker] =
        ["migrate", "web", "worker"].map(|service| project.container(service));
    web.said(words::READY, 1);
    worker.said(words::READY, 1);

    // Once, and before the others. Times in this form compare as text.
    assert_eq!(migrate.wait(), 0);
    let ended = inspect(&migrate, "{{.State.FinishedAt}}");
    for other in [&web, &worker] {
        let started = inspect(other, "{{.State.StartedAt}}");
        assert!(ended < started, "{ended} {started}");
    }
    let migrations = |times: usize| {
        let (stdout, stderr) = migrate.logs();
        assert_eq!(stdout.matches("migrated to version 1").count(), times);
        // The image's variables for workers are no error, and pidone logs nothing.
        assert_eq!(stderr, "");
    };
    migrations(1);

    let mut pids = HashSet::new();
    processes::wait_until("two workers answer", || {
        pids.insert(member(&ask(port, "GET", "/"), "pid"));
        pids.len() == 2
    });
    let exec = |service: &str, request: &[&str]| {
        let command = [&["exec", "-T", service, "/pidone", "ctl"], request].concat();
        project.compose(&command)
    };
    // Jobs are done while the workers are replaced, and each once.
    let jobs: Vec<_> = (0..8)
        .map(|_| member(&ask(port, "POST", "/jobs?ms=300"), "id"))
        .collect();
    worker.line("is done");
    assert!(exec("worker", &["reload"]).contains("done in"));
    worker.lines("is done", jobs.len());
    for job in &jobs {
        let state = ask(port, "GET", &format!("/jobs/{job}"));
        assert!(state.contains("\"state\":\"done\""), "{state}");
        let (stdout, _) = worker.logs();
        assert_eq!(stdout.matches(&format!("job {job} is done")).count(), 1);
    }

    exec("web", &["scale", "3"]);
    assert!(exec("web", &["status"]).contains("3 of 3 workers"));
    assert!(exec("web", &["reload"]).contains("done in"));
    assert!(!pids.contains(&member(&ask(port, "GET", "/"), "pid")));
    for service in [&web, &worker] {
        service.is("healthy");
    }

    // A stop answers and finishes: a job is in progress.
    let job = member(&ask(port, "POST", "/jobs?ms=1500"), "id");
    processes::wait_until("the job is active", || {
        ask(port, "GET", &format!("/jobs/{job}")).contains("active")
    });
    project.compose(&["stop"]);
    assert_eq!([web.wait(), worker.wait()], [0, 0]);
    worker.line(&format!("job {job} is done"));
    for service in [&web, &worker] {
        let (_, stderr) = service.logs();
        assert!(!stderr.contains(words::OVERDUE), "{stderr}");
        assert!(!stderr.contains("warning"), "{stderr}");
    }

    // Without a new migration; the containers stay, whatever other tests build under the image's name.
    project.compose(&["up", "--detach", "--no-recreate"]);
    web.said(words::READY, 2);
    assert_eq!(migrate.wait(), 0);
    migrations(1);
}
