//! The compose files of the examples as they are shipped, by a real docker-compose.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::docker::{Container, has_bridge, root, text};
use crate::harness::load::Plan;
use crate::harness::net::fresh_port;
use crate::harness::{TempDir, processes, scaled, words};
use crate::shipped::example;
use crate::stop::get;

/// A project of docker-compose, which is removed with its containers and volumes when this goes.
pub struct Project {
    name: String,
    files: Vec<PathBuf>,
    /// On which it publishes its service.
    pub port: u16,
    _directory: TempDir,
}

impl Project {
    /// An example's file as it is shipped, on a port that is free here, and with what a second file says.
    pub fn new(name: &str, more: &str) -> Self {
        let directory = TempDir::new();
        // Of two tests with one example, too, each has its own.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut files = vec![example(name).join("compose.yaml")];
        if !more.is_empty() {
            files.push(directory.file("more.yaml", more, 0o644));
        }
        Self {
            name: format!("pidone-test-{name}-{}-{number}", std::process::id()),
            files,
            port: fresh_port(),
            _directory: directory,
        }
    }

    #[track_caller]
    pub fn compose(&self, args: &[&str]) -> String {
        let mut command = Command::new("timeout");
        let limit = scaled(Duration::from_secs(300)).as_secs().to_string();
        command.args(["--foreground", &limit, "docker-compose", "-p", &self.name]);
        command.env("PORT", self.port.to_string());
        for file in &self.files {
            command.arg("-f").arg(file);
        }
        let output = command.args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        text(&output.stdout).trim().to_owned()
    }

    #[track_caller]
    pub fn up(&self) {
        self.compose(&["up", "--detach", "--build"]);
    }

    #[track_caller]
    pub fn container(&self, service: &str) -> Container {
        let id = self.compose(&["ps", "--quiet", service]);
        Container { id }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "--timeout=0", "--volumes"]);
    }
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_plain_app_starts_restarts_and_stops() {
    if !has_bridge("the_plain_app_starts_restarts_and_stops") {
        return;
    }
    let project = Project::new("http", "");
    project.up();
    let web = project.container("web");
    web.line("listening on port ");
    assert!(get(project.port, "/").contains("hello from pid "));
    project.compose(&["restart", "web"]);
    web.lines("listening on port ", 2);
    assert!(get(project.port, "/").contains("hello from pid "));
    project.compose(&["stop", "-t", "3600"]);
    assert_eq!(web.wait(), 143);
    let (_, stderr) = web.logs();
    assert!(stderr.starts_with("{\"level\":30,"), "{stderr}");
    assert!(stderr.contains("SIGTERM"), "{stderr}");
}

/// With the one variable that its README names.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_plain_app_has_workers_when_a_variable_says_so() {
    if !has_bridge("the_plain_app_has_workers_when_a_variable_says_so") {
        return;
    }
    let more = "services:
  web:
    environment: { PIDONE_INSTANCES: auto }
    healthcheck: { test: [CMD, /pidone, ctl, ready], interval: 1s }\n";
    let project = Project::new("http", more);
    let port = project.port;
    project.up();
    let web = project.container("web");
    web.said(words::READY, 1);
    let first = get(port, "/");
    assert!(first.contains("hello from pid "), "{first}");
    project.compose(&["exec", "-T", "web", "/pidone", "ctl", "reload"]);
    let second = get(port, "/");
    assert!(second.contains("hello from pid "), "{second}");
    // The others have ended, and no other process in the container has their numbers.
    assert_ne!(body(&first), body(&second));
    project.compose(&["restart", "web"]);
    web.is("healthy");
    assert!(get(port, "/").contains("hello from pid "));
    project.compose(&["stop"]);
    assert_eq!(web.wait(), 0);
    // Both stops were in order.
    let (_, stderr) = web.logs();
    assert_eq!(stderr.matches(words::STOPPING).count(), 2, "{stderr}");
    assert!(!stderr.contains(words::OVERDUE), "{stderr}");
}

/// What comes after the head of an answer.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// What the engine's proxy answers, which accepts before the container does.
fn answer(port: u16) -> String {
    let mut answer = String::new();
    if let Ok(mut client) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        let _ = client.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = client.read_to_string(&mut answer);
    }
    answer
}

/// Workers are replaced from inside, as its README says, and no client notices.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn restarts_behind_haproxy_lose_nothing() {
    if !has_bridge("restarts_behind_haproxy_lose_nothing") {
        return;
    }
    // An app that names the request in its answer, in the place of the other.
    let apps = root().join("tests/harness/apps");
    let more = format!(
        "services:
  web:
    volumes:
      - {apps}/plain.js:/app/server.js:ro
      - {apps}/answer.js:/app/answer.js:ro
",
        apps = apps.display(),
    );
    let project = Project::new("haproxy", &more);
    let front = project.port;
    project.up();
    let [web, haproxy] = ["web", "haproxy"].map(|service| project.container(service));
    web.lines("up ", 4);
    processes::wait_until("HAProxy has found them", || {
        answer(front).starts_with("HTTP/1.1 200")
    });

    let connections = [Plan::of(front), Plan::of(front).keep_alive(32)];
    for (plan, slot) in connections.into_iter().zip(["0", "3"]) {
        let load = plan.rate(200).start();
        load.until_answered_by(4);
        let before = load.report().pids();
        project.compose(&["exec", "-T", "web", "/pidone", "ctl", "restart", slot]);
        load.until("its successor", |answers| {
            let mut pids = answers.iter().map(|answer| answer.pid);
            pids.any(|pid| !before.contains(&pid)).then_some(())
        });
        load.stop().no_failures();
    }
    project.compose(&["stop"]);
    assert_eq!(haproxy.wait(), 0);
    assert_eq!(web.wait(), 0);
}
