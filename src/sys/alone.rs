//! Unit tests that close sockets and see what the kernel then does.
//!
//! Tests are threads of one process. A child that another test starts has copies of every socket between its
//! clone(2) and its execve(2), so that none of them is closed yet. Such a test runs in a process of its own.

use std::env;
use std::process::Command;

const MARK: &str = "PIDONE_TEST_ALONE";

/// Runs the calling test again in a process of its own, and checks that it passes. Whether the caller is to go on
/// itself: it is in that process, or the tests run one at a time.
#[track_caller]
pub fn is_alone() -> bool {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| name.contains("::"));
    let (Some(name), None) = (name, env::var_os(MARK)) else {
        return true;
    };
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", name, "--nocapture"]).env(MARK, "1");
    let done = again.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{done:?}");
    assert!(said.contains("1 passed"), "{said}");
    false
}
