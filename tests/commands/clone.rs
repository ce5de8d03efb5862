//! The README's first command, in a clone of what is committed.

use std::process::{Command, Stdio};

use crate::harness::markdown::Page;
use crate::harness::{TempDir, keep, root, scaled, skipped};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

/// $1: the command, which ends with a server. $2: where to ask it. Prints the answer, then the status after Ctrl-C, which the
/// kernel would send to the whole group.
const SCRIPT: &str = r#"
    ip link set lo up
    set -m
    (eval "$1") >&2 &
    until curl --silent --max-time 10 "$2"; do
        kill -0 $! || exit
        sleep 0.1
    done
    kill -INT -- -$!
    status=0
    wait $! || status=$?
    echo "status $status"
"#;

/// What stands between two texts.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end)
}

/// `curl ADDRESS` answers `ANSWER…`, and Ctrl-C ends it with status STATUS
fn promised(prose: &str) -> Option<(&str, &str, &str)> {
    let (address, rest) = between(prose, "`curl ", "` answers `")?;
    let (answer, rest) = rest.split_once("…`")?;
    let (_, rest) = rest.split_once("Ctrl-C ends it with status ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some((address, answer, &rest[..digits]))
}

#[test]
fn a_clone_is_built_and_serves_as_the_readme_promises() {
    const TEST: &str = "a_clone_is_built_and_serves_as_the_readme_promises";
    let directory = TempDir::new();
    let clone = directory.path("clone");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(root()).arg(&clone);
    if !git
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|done| done.success())
    {
        skipped(TEST, "it needs git, and a repository");
        return;
    }
    // The dependencies are built once for all.
    symlink(keep().parent().unwrap(), clone.join("target")).unwrap();
    let text = fs::read_to_string(clone.join("README.md")).unwrap();
    let page = Page::parse("README.md", &text);
    let commands: Vec<_> = page
        .blocks
        .iter()
        .filter_map(|block| block.commands())
        .collect();
    let command = commands
        .iter()
        .find(|command| command.starts_with("cargo build"));
    let command = command.expect("a block with `cargo build`");
    let (address, answer, status) =
        promised(&page.prose).expect("what the command's app answers, and its status");

    let limit = scaled(Duration::from_secs(600)).as_secs().to_string();
    let mut shell = Command::new("timeout");
    shell.args([
        "--kill-after=10",
        &limit,
        "unshare",
        "-rn",
        "--",
        "bash",
        "-euc",
        SCRIPT,
    ]);
    shell.args(["bash", command, address]).current_dir(&clone);
    shell
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTFLAGS");
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let ended = printed.lines().last().unwrap_or_default();
    let is_so = printed.starts_with(answer) && ended == format!("status {status}");
    assert!(
        is_so,
        "{answer}… and status {status} are promised for {command}: {output:?}"
    );
}
