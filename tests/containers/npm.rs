//! The npm package in images as a project has them: with a shell on glibc and on musl, and without one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::docker::{Container, build, docker, root};
use crate::harness::npm::{arch, tarballs};
use crate::harness::{TempDir, alone, processes, words};

const MANIFEST: &str = r#"{ "name": "app", "version": "1.0.0", "private": true }"#;
const APP: &str =
    "require('http').createServer((request, response) => response.end()).listen(3000);";

/// What each Dockerfile begins with; npm needs no network, as the package depends on nothing.
const INSTALLED: &str = "
WORKDIR /app
COPY package.json server.js pidone.tgz ./
RUN npm install --ignore-scripts --offline --no-audit --no-fund ./pidone.tgz
";

/// Builds an image with these lines around an app and the package.
fn image(name: &str, lines: &str) -> String {
    let made = tarballs("the npm package in images").expect("npm and strip");
    let files = TempDir::new();
    let manifest = files.file("package.json", MANIFEST, 0o644);
    let app = files.file("server.js", APP, 0o644);
    build(
        &format!("npm-{name}"),
        lines,
        &[
            ("package.json", &manifest),
            ("server.js", &app),
            ("pidone.tgz", &made.pidone),
        ],
    )
}

/// Two workers of it get ready; PID 1 is the binary of the package; `command`, run in the container, is its client; a reload and a
/// stop work.
#[track_caller]
fn it_serves(image: &str, exe: &str, command: &str) {
    let _alone = alone();
    let app = Container::start(&[], image, &[]);
    app.said(words::ALL_READY, 1);
    let own = fs::read_link(format!("/proc/{}/exe", app.init())).unwrap();
    assert_eq!(own, PathBuf::from(exe));
    assert_eq!(processes::children(app.init()).len(), 2);
    let done = docker(&["exec", &app.id, command, "ctl", "reload"]);
    assert!(done.contains("done in"), "{done}");
    docker(&["exec", &app.id, command, "ctl", "ready"]);
    assert_eq!(app.stop("30"), 0);
}

fn binary() -> String {
    format!("/app/node_modules/pidone/bin/pidone-linux-{}", arch())
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn npm_package_with_a_shell() {
    for base in ["node:22-slim", "node:22-alpine"] {
        let lines = format!(
            "FROM {base}{INSTALLED}USER node\n\
             ENTRYPOINT [\"node_modules/.bin/pidone\", \"-i\", \"2\", \"--\"]\nCMD [\"node\", \"server.js\"]\n"
        );
        let image = image(&base.replace(':', "-"), &lines);
        it_serves(&image, &binary(), "node_modules/.bin/pidone");
    }
}

/// Neither a shell nor an `env`: the path is the binary's own, or the binary is copied to a short one.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn npm_package_without_a_shell() {
    let copied = "RUN cp node_modules/pidone/bin/pidone-linux-$(node -p process.arch) /pidone\n";
    let lines = |copies: &str, path: &str| {
        format!(
            "FROM node:22-slim AS build{INSTALLED}{copied}\
             FROM gcr.io/distroless/nodejs22-debian12:nonroot\nWORKDIR /app\n{copies}\
             ENTRYPOINT [\"{path}\", \"-i\", \"2\", \"--\", \"/nodejs/bin/node\"]\nCMD [\"server.js\"]\n"
        )
    };
    let app = "COPY --from=build /app .\n";
    let binary = binary();
    it_serves(&image("distroless", &lines(app, &binary)), &binary, &binary);
    let both = "COPY --from=build /app/server.js ./\nCOPY --from=build /pidone /pidone\n";
    it_serves(
        &image("distroless-short", &lines(both, "/pidone")),
        "/pidone",
        "/pidone",
    );
}

/// What `pidone-from-pm2` prints for a Dockerfile, as it is.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn dockerfile_lines_from_pm2() {
    let files = TempDir::new();
    let config = "module.exports = { apps: [{ script: 'server.js', instances: 2, exec_mode: 'cluster', kill_timeout: 4000, uid: 'node' }] };";
    files.file("ecosystem.config.js", config, 0o644);
    let output = Command::new("node")
        .arg(root().join("release/npm/pidone-from-pm2/bin/pidone-from-pm2.js"))
        .current_dir(files.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text
        .lines()
        .skip_while(|line| *line != "Dockerfile:")
        .skip(1);
    let lines: Vec<_> = lines
        .by_ref()
        .map_while(|line| line.strip_prefix("  "))
        .collect();
    let lines = format!("FROM node:22-slim{INSTALLED}{}\n", lines.join("\n"));
    let image = image("from-pm2", &lines);
    it_serves(&image, "/pidone", "/pidone");
}
