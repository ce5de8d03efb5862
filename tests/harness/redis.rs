//! A Redis of the test's own.

use super::net::fresh_port;
use super::{Pidone, Run, TempDir, is_installed};

/// A running one; it keeps nothing on disk.
pub struct Redis {
    pub url: String,
    _run: Run,
    _place: TempDir,
}

impl Redis {
    /// `None` where it is not installed: the test is reported as skipped.
    pub fn start(test: &str) -> Option<Self> {
        if !is_installed(test, "redis-server", "redis-server") {
            return None;
        }
        let place = TempDir::new();
        let port = fresh_port().to_string();
        let line = ["redis-server", "--port", &port, "--bind", "127.0.0.1"];
        let run = Pidone::program(line.iter().chain(&["--save", "", "--appendonly", "no"]))
            .directory(place.path("."))
            .start();
        run.until("Ready to accept connections");
        Some(Self {
            url: format!("redis://127.0.0.1:{port}"),
            _run: run,
            _place: place,
        })
    }
}
