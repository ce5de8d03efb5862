//! Starts the real pidone with real processes, and waits for events, never for time to pass.
//!
//! Every wait has the time limit [`patience`]; then the test fails and prints all it knows.
//! Processes that still run at the end of a test are killed.

#![allow(
    missing_docs,
    clippy::len_without_is_empty,
    clippy::new_without_default,
    clippy::should_implement_trait,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod admin;
pub mod cgroup;
pub mod chatter;
mod end;
pub mod http;
pub mod killed;
pub mod load;
pub mod manager;
pub mod markdown;
pub mod net;
pub mod node;
pub mod npm;
pub mod packages;
pub mod processes;
pub mod random;
pub mod redis;
mod run;
pub mod service;
mod start;
pub mod words;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use end::{End, Status};
pub use run::Run;
pub use start::Pidone;

/// The time limit of every wait.
pub fn patience() -> Duration {
    scaled(Duration::from_secs(30))
}

/// A time that a quiet machine is known to keep, times `PIDONE_TEST_PATIENCE` on a machine that is
/// that many times slower.
pub fn scaled(time: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    let factor = FACTOR.get_or_init(|| match std::env::var("PIDONE_TEST_PATIENCE") {
        Err(_) => 1,
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("PIDONE_TEST_PATIENCE={text}: must be a whole number")),
    });
    time * *factor
}

/// The same as the value of an option of pidone.
pub fn scaled_ms(milliseconds: u64) -> String {
    format!(
        "{}ms",
        scaled(Duration::from_millis(milliseconds)).as_millis()
    )
}

/// The root of the repository.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).unwrap().to_owned()
    })
}

/// The directory of cargo's build: a test's binary is in `deps` below it, and a benchmark's too.
fn built() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(2).unwrap().to_owned()
}

/// For files that tests make once and keep. Only tests know `CARGO_TARGET_TMPDIR`, this crate does
/// not.
pub fn keep() -> PathBuf {
    let directory = built().with_file_name("tmp");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("PIDONE_BIN").map_or_else(|| built().join("pidone"), PathBuf::from)
}

/// The probe (tests/init/probe.c), compiled once.
pub fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let source = root().join("tests/init/probe.c");
        let directory = keep();
        let fresh = directory.join(format!("probe.{}", std::process::id()));
        let done = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&fresh)
            .arg(&source)
            .status()
            .expect("cc compiles the probe");
        assert!(done.success(), "cc {}: {done}", source.display());
        let probe = directory.join("probe");
        std::fs::rename(&fresh, &probe).unwrap();
        probe
    })
}

/// A directory that is removed at the end of the test.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("pidone-test.{}.{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                // Left by a run that was killed and had the same process id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.unwrap();
                    return Self(path);
                }
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these contents and this mode.
    pub fn file(&self, name: &str, contents: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Lets every user read it.
    pub fn open_to_all(&self) {
        use std::os::unix::fs::PermissionsExt;
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&self.0, all).unwrap();
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether pidone can run as PID 1 here. If not, reports the test as skipped.
pub fn can_be_init(test: &str) -> bool {
    start::init_wrapper().is_some() || skipped(test, "this machine permits no PID namespace")
}

/// Whether the tests run as root. If not, reports the test as skipped.
pub fn is_root(test: &str) -> bool {
    nix::unistd::geteuid().is_root() || skipped(test, "it needs root")
}

/// Whether a program is in PATH. If not, reports the test as skipped, with the Debian package to
/// install.
pub fn is_installed(test: &str, program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        || skipped(test, &format!("no {program} here (Debian: {package})"))
}

/// Reports it where the test harness does not capture it, and in the file of `PIDONE_TEST_SKIPPED`.
pub fn skipped(test: &str, why: &str) -> bool {
    let line = format!("SKIPPED {test}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PIDONE_TEST_SKIPPED") {
        let file = File::options().append(true).create(true).open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
    false
}

/// Waits for other tests that load the whole machine or measure its speed.
pub fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Vec<OsString> {
    words
        .into_iter()
        .map(|word| word.as_ref().to_owned())
        .collect()
}
