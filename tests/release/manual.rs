//! The man pages.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::harness::{is_installed, keep, root};

/// The directory with what `cargo manual` makes; made once.
pub fn manual() -> &'static Path {
    static MADE: OnceLock<std::path::PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = keep().join("manual");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap());
        command.args(["run", "--locked", "--quiet", "--example", "manual"]);
        command.arg(&directory).arg("2026-01-31");
        assert!(command.current_dir(root()).status().unwrap().success());
        directory
    })
}

pub fn output(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// What the help says, word by word, hyphenation and page breaks aside.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn rendered(page: &str) -> String {
    let mut command = Command::new("man");
    command
        .args(["--warnings", "--local-file"])
        .arg(manual().join(page));
    let output = output(command.envs([("LC_ALL", "C.UTF-8"), ("MANWIDTH", "80")]));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn man_renders_both_pages_without_warnings() {
    if !is_installed("man pages", "man", "man-db") {
        return;
    }
    for (page, args) in [
        ("pidone.1", &["--help"][..]),
        ("pidone-ctl.1", &["ctl", "--help"]),
    ] {
        let (text, help) = (
            rendered(page),
            crate::harness::Pidone::new(args).run().code(0).text(),
        );
        let shown = words(&text);
        // Each word of the help is there, as options and their explanations are.
        for word in words(&help) {
            let word = word.trim_end_matches([',', ':', '.']);
            let is_there = shown.iter().any(|one| one.contains(word));
            assert!(
                is_there || ["Usage", "Information", "Exit", "status"].contains(&word),
                "{page}: {word}"
            );
        }
    }
}

#[test]
fn mandoc_has_nothing_to_say_about_the_pages() {
    if !is_installed("man pages by mandoc", "mandoc", "mandoc") {
        return;
    }
    for page in ["pidone.1", "pidone-ctl.1"] {
        let mut command = Command::new("mandoc");
        let output = output(
            command
                .args(["-T", "lint", "-W", "style"])
                .arg(manual().join(page)),
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
}

#[test]
fn nothing_is_left_of_a_template() {
    for entry in fs::read_dir(manual()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("@OPTIONS@") && !text.contains("@REQUESTS@"),
            "{path:?}"
        );
        let ends = text.lines().find(|line| line.ends_with(' '));
        assert_eq!(ends, None, "{path:?}");
    }
}
