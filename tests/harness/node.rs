//! The Node.js binaries to test with: the one in PATH, and all that `.ci/node-versions` has
//! fetched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// One binary.
#[derive(Clone, Debug)]
pub struct Node {
    pub path: PathBuf,
    pub version: String,
    pub major: u32,
}

impl Node {
    fn at(path: &Path) -> Self {
        let output = Command::new(path)
            .arg("--version")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let major = version.trim_start_matches('v').split('.').next();
        Self {
            path: path.to_owned(),
            major: major.and_then(|major| major.parse().ok()).unwrap(),
            version,
        }
    }

    fn all() -> Vec<Self> {
        let mut nodes = vec![Self::at(Path::new("node"))];
        if let Some(directory) = std::env::var_os("PIDONE_TEST_NODES") {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy();
                if name.starts_with("node-") {
                    nodes.push(Self::at(&path));
                }
            }
        }
        nodes.sort_by_key(|node| node.major);
        nodes.dedup_by(|a, b| a.version == b.version);
        nodes
    }
}

/// Runs a test on every Node.js at the same time, and reports the ones it failed on.
pub fn on_every_node(test: impl Fn(&Node) + Sync) {
    let test = &test;
    let failed: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = Node::all()
            .into_iter()
            .map(|node| {
                let version = node.version.clone();
                let thread = thread::Builder::new().name(version.clone());
                (
                    version,
                    thread.spawn_scoped(scope, move || test(&node)).unwrap(),
                )
            })
            .collect();
        running
            .into_iter()
            .filter_map(|(version, thread)| thread.join().is_err().then_some(version))
            .collect()
    });
    assert!(failed.is_empty(), "fails on Node.js {}", failed.join(", "));
}
