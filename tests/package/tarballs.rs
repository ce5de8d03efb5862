//! The tarballs that `release/npm/pack` makes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::npm::{binaries, pack, tarballs};
use crate::harness::{TempDir, root};

#[test]
fn tarballs_are_the_same_byte_for_byte_wherever_they_are_made() {
    let Some(first) = tarballs("reproducible tarballs") else {
        return;
    };
    let other = TempDir::new();
    let binaries = binaries(&other.path(""));
    let directory = other.path("another place");
    // Another umask, and another time.
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0077; exec \"$0\" \"$@\""]);
    command.arg(root().join("release/npm/pack")).args(&binaries);
    command.arg(&directory).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for path in [&first.pidone, &first.from_pm2] {
        let second = directory.join(path.file_name().unwrap());
        assert!(
            fs::read(path).unwrap() == fs::read(second).unwrap(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn binaries_of_the_wrong_architecture_are_refused() {
    let directory = TempDir::new();
    if tarballs("wrong binaries").is_none() {
        return;
    }
    let [x64, arm64]: [PathBuf; 2] = binaries(&directory.path(""));
    let script = directory.file("script", "#!/bin/sh\n", 0o755);
    for wrong in [
        [arm64.clone(), x64.clone()],
        [x64, script.clone()],
        [script, arm64],
    ] {
        let output = pack(&wrong, &directory.path("out")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("error: ") && said.lines().count() == 1,
            "{said}"
        );
        assert!(!directory.path("out").exists());
    }
}
