//! The blocks of the manual that need an engine (`<!-- test: docker -->`), as they stand there, and the files that it shows.
//!
//! `docker file NAME` is not a command, but what this file contains.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::docker::{client, docker, has_bridge, patience, root, text};
use crate::harness::markdown::{Block, Mark, Page, shell_call};
use crate::harness::{TempDir, scaled, skipped};
use crate::shipped::example;

const SHELL: &str = include_str!("manual.sh");
/// On which the manual publishes its apps.
const PORT: u16 = 3000;

/// What the mark says behind `docker`, if it is one.
fn for_docker(block: &Block) -> Option<&str> {
    match &block.mark {
        Mark::Docker(more) => Some(more),
        _ => None,
    }
}

fn script(page: &Page) -> String {
    let mut script = SHELL.to_owned();
    for block in &page.blocks {
        let Some(more) = for_docker(block) else {
            continue;
        };
        let function = match more.split_once(' ') {
            Some(("file", name)) => format!("page_file {} '{name}'", block.line),
            None if more.is_empty() => format!("page_block {}", block.line),
            _ => panic!("{}:{}: docker {more}", page.name, block.line),
        };
        let text = block.commands().unwrap_or_else(|| block.text.clone());
        script.push_str(&shell_call(&function, &text));
    }
    script
}

/// A page's commands run in a directory with the examples, `docker` and the smallest app.
#[track_caller]
fn run(page: &Page) {
    let directory = TempDir::new();
    for part in ["docker", "examples"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root().join(part))
            .arg(directory.path(part))
            .status();
        assert!(copied.unwrap().success());
    }
    fs::copy(
        example("http").join("server.js"),
        directory.path("server.js"),
    )
    .unwrap();
    let web = root().join("examples/http");
    docker(&["build", "-q", "-t", "web", web.to_str().unwrap()]);

    let script = directory.file("script", &script(page), 0o644);
    let mut command = Command::new("timeout");
    command.args([
        "--foreground",
        &scaled(Duration::from_secs(60)).as_secs().to_string(),
        "bash",
    ]);
    command
        .arg(script)
        .arg(client_of(&directory))
        .current_dir(directory.path("."));
    let output = command.output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{}: {said}", page.name);
}

/// Where a `docker` is that knows `docker compose`, and labels what it starts.
fn client_of(directory: &TempDir) -> PathBuf {
    let docker = std::env::var("PIDONE_DOCKER").unwrap_or_else(|_| "/usr/bin/docker".into());
    fs::create_dir(directory.path("bin")).unwrap();
    let lines = format!(
        "#!/bin/sh\ncase $1 in\n  compose) shift; exec docker-compose \"$@\" ;;\n  \
         run) shift; exec {docker} run --label {LABEL} \"$@\" ;;\nesac\nexec {docker} \"$@\"\n"
    );
    directory.file("bin/docker", &lines, 0o755);
    directory.path("bin")
}

const LABEL: &str = "pidone-test=manual";

/// Removes the containers of a page when this goes, whatever has come of it.
struct Cleaner;

impl Drop for Cleaner {
    fn drop(&mut self) {
        let filter = format!("label={LABEL}");
        let list = docker(&["ps", "-aq", "--filter", &filter]);
        for id in list.split_whitespace() {
            let _ = client(patience().as_secs())
                .args(["rm", "-f", "-v", id])
                .output();
        }
    }
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_manuals_blocks_for_docker_run() {
    let test = "the_manuals_blocks_for_docker_run";
    if !has_bridge(test) {
        return;
    }
    if let Err(error) = TcpListener::bind(("0.0.0.0", PORT)) {
        skipped(test, &format!("port {PORT}: {error}"));
        return;
    }
    let mut count = 0;
    // One after the other, as they use the same names.
    for page in Page::all() {
        let blocks = page
            .blocks
            .iter()
            .filter(|block| for_docker(block).is_some());
        let blocks = blocks.count();
        if blocks > 0 {
            count += blocks;
            let _cleaner = Cleaner;
            run(&page);
        }
    }
    assert!(count >= 8, "{count}");
}

/// It has the examples' files as they are shipped.
#[test]
fn the_page_about_containers_shows_files_as_they_are_shipped() {
    let page = Page::read("docs/containers.md");
    let name = "examples/http/compose.yaml";
    let file = fs::read_to_string(root().join(name)).unwrap();
    assert!(page.blocks.iter().any(|block| block.text == file), "{name}");
    // Lines of a longer one, in its order: no line is changed, but for comments at its end.
    let file = fs::read_to_string(root().join("examples/services/compose.yaml")).unwrap();
    let mut lines = file.lines();
    let block = page
        .blocks
        .iter()
        .find(|block| block.text.contains("x-app:"));
    for line in block.unwrap().text.lines().filter(|line| !line.is_empty()) {
        let line = line.split(" # ").next().unwrap();
        assert!(lines.any(|shipped| shipped == line), "{line}");
    }
}
