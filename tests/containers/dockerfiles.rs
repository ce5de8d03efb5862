//! The Dockerfiles for an app that are shipped in `docker/`, as they stand there, with `examples/fastify` as the app.

use std::fs;

use crate::docker::{Container, client, docker, elsewhere, patience, root, run, text};
use crate::harness::net::fresh_port;
use crate::harness::{TempDir, alone, processes, words};
use crate::shipped::example;
use crate::stop::get;

/// Builds `docker/NAME.Dockerfile`, `npm ci` included, from a directory as its first lines ask for: the app, and
/// `docker/.dockerignore`. Files that do not belong in an image are in it as well.
fn built(name: &str) -> String {
    let (shipped, app) = (example("fastify"), TempDir::new());
    for file in ["package.json", "package-lock.json", "server.js"] {
        fs::copy(shipped.join(file), app.path(file)).unwrap();
    }
    let own = |name: &str| root().join("docker").join(name);
    fs::copy(own(&format!("{name}.Dockerfile")), app.path("Dockerfile")).unwrap();
    fs::copy(own(".dockerignore"), app.path(".dockerignore")).unwrap();
    app.file(".env", "SECRET=1\n", 0o644);
    fs::create_dir(app.path("node_modules")).unwrap();
    app.file("node_modules/from-outside", "", 0o644);
    let tag = format!("pidone-test/shipped-{name}");
    let mut command = client(300);
    command.args(["build", "--network=host", "-t", &tag, "."]);
    let output = command.current_dir(app.path(".")).output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{said}");
    tag
}

/// Two workers of it get healthy and answer, as `user`; a reload works; `docker stop` with its own 10 s has the request in
/// flight answered, and 0. `c_library` is part of a path that node is linked to.
#[track_caller]
fn it_serves_and_stops(name: &str, node: &str, user: &str, c_library: &str) {
    let _alone = alone();
    let image = built(name);
    let port = fresh_port();
    let given = format!("PORT={port}");
    let options = [
        "--network=host",
        // Sooner than the image asks, so that nobody has to wait for it.
        "--health-interval=200ms",
        "-e",
        &given,
        "-e",
        "HOST=127.0.0.1",
        "-e",
        "WEB_CONCURRENCY=2",
    ];
    let app = Container::start(&options, &image, &[]);
    app.said(words::READY, 1);
    app.is("healthy");
    assert!(get(port, "/").contains(r#"{"hello":"world","pid":"#));

    let init = app.init();
    let workers = processes::children(init);
    assert_eq!(workers.len(), 2);
    for pid in [init, workers[0], workers[1]] {
        assert_eq!(processes::status(pid, "Uid"), [user; 4].join("\t"));
    }
    let linked = "process.report.getReport().sharedObjects.join(' ')";
    let linked = docker(&["exec", &app.id, node, "-p", linked]);
    assert!(linked.contains(c_library), "{linked}");
    let list = "[...fs.readdirSync('.'), ...fs.readdirSync('node_modules')].join(' ')";
    let files = docker(&["exec", &app.id, node, "-p", list]);
    assert!(
        files.contains("server.js") && files.contains("fastify"),
        "{files}"
    );
    for not_wanted in ["Dockerfile", ".env", "from-outside"] {
        assert!(!files.contains(not_wanted), "{files}");
    }
    let reloaded = docker(&["exec", &app.id, "/pidone", "ctl", "reload"]);
    assert!(reloaded.contains("done in"), "{reloaded}");

    let answer = elsewhere(move || get(port, "/slow?ms=2000"));
    app.line(r#""url":"/slow"#);
    docker(&["stop", &app.id]);
    let status = app.wait();
    let answer = answer.recv_timeout(patience()).unwrap();
    let (stdout, stderr) = app.logs();
    assert_eq!(status, 0, "{stdout}{stderr}");
    assert!(answer.contains(r#"{"slow":2000,"pid":"#), "{answer}");
    assert!(!stderr.contains("warning"), "{stderr}");

    // As the comment says: a command that is not a server.
    let command = [node, "-p", "6 * 7"];
    let command = if name == "distroless" {
        &command[1..]
    } else {
        &command
    };
    let ended = run(&["-e", "PIDONE_INSTANCES="], &image, command);
    assert_eq!(ended, (0, "42\n".to_owned(), String::new()));
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn slim() {
    it_serves_and_stops("slim", "node", "1000", "/libc.so.6");
}

/// A Node.js that is linked to musl, and so is not the same program as all the others.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn alpine() {
    it_serves_and_stops("alpine", "node", "1000", "/ld-musl-");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn distroless() {
    it_serves_and_stops("distroless", "/nodejs/bin/node", "65532", "/libc.so.6");
}
