//! The files in `examples` for those who operate pidone, with what they are written for: HAProxy,
//! Kubernetes' schema, Grafana, Prometheus, systemd. As they are shipped, but for ports and places.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod booted;
mod grafana;
mod haproxy;
mod kubernetes;
mod machine;
mod manifest;
mod prometheus;
mod systemd;

use std::path::{Path, PathBuf};

/// A file of an example.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// What is in it.
#[track_caller]
fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

/// Fails unless a file of an example has these lines in this order, with others between them or not.
#[track_caller]
fn shows_lines_of<'a>(mut shown: impl Iterator<Item = &'a str>, name: &str) {
    let shipped = text(name);
    let mut shipped = shipped.lines();
    let missing = shown.find(|line| !shipped.any(|its| its == *line));
    assert_eq!(missing, None, "{name}");
}
