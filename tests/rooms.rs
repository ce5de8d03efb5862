//! Module boundaries that the compiler does not check: names that a module's sources must not
//! contain. The core's boundary is its own crate (src/core/lib.rs).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The code lines of a source outside its tests, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn offences(modules: &[&str], words: &[&str]) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut offences = Vec::new();
    for module in modules {
        let mut files = Vec::new();
        if src.join(module).is_dir() {
            sources(&src.join(module), &mut files);
        }
        // A module's own file lies beside its directory.
        files.extend(Some(src.join(format!("{module}.rs"))).filter(|file| file.is_file()));
        assert!(!files.is_empty(), "no sources in {module}");
        files.retain(|file| file.file_name().is_none_or(|name| name != "tests.rs"));
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in code(&text) {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    offences.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    offences
}

#[test]
fn only_sys_uses_unsafe_and_libc() {
    let others = ["runtime", "ctl", "cli", "logging", "main"];
    assert_eq!(
        offences(&others, &["unsafe ", "libc::"]),
        Vec::<String>::new()
    );
}

/// The time of day may be changed while workers drain: no deadline may depend on it. Waits in the
/// kernel use CLOCK_MONOTONIC (poll(2)), as `Instant` does.
#[test]
fn only_logs_and_metrics_use_the_time_of_day() {
    let clocks = [
        "SystemTime",
        "UNIX_EPOCH",
        "REALTIME",
        "gettimeofday",
        "timerfd",
        "setitimer",
    ];
    let lines = offences(&[""], &clocks);
    let others: Vec<_> = lines
        .iter()
        .filter(|line| !line.contains("/src/logging.rs:"))
        // Metrics contain the start times of pidone and its workers.
        .filter(|line| !line.contains("/src/sys/host.rs:"))
        .collect();
    assert_eq!(others, Vec::<&String>::new());
    assert!(!lines.is_empty(), "the search finds nothing");
}

/// The client learns all it shows from the other pidone's replies.
#[test]
fn the_client_uses_no_supervision_code() {
    let inside = ["supervisor", "runtime", "cli::", "cgroup", "procfs"];
    assert_eq!(offences(&["ctl"], &inside), Vec::<String>::new());
}

/// The lines with `unsafe` that have no justification: a comment above the statement (`//
/// SAFETY:`), or the callers' duties above a function (`# Safety`).
fn unexplained(text: &str) -> Vec<usize> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_comment = |line: &str| line.starts_with("//");
    let explains = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    let is_unsafe = |line: &str| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        !is_comment(line) && !line.starts_with('#') && words.any(|word| word == "unsafe")
    };
    let is_explained = |at: usize| {
        let above = lines.iter().take(at).rev();
        // The rest of its statement, attributes, and the comment.
        let mut near = above.take_while(|line| {
            is_comment(line) || line.starts_with('#') || !line.ends_with([';', '}', '{', ','])
        });
        near.any(|line| is_comment(line) && explains(line))
    };
    (0..lines.len())
        .filter(|&at| is_unsafe(lines.get(at).unwrap()) && !is_explained(at))
        .map(|at| at + 1)
        .collect()
}

#[test]
fn each_unsafe_has_a_safety_comment() {
    let explained = "// SAFETY: it is.\nlet x =\n    unsafe { y() };\n";
    assert_eq!(unexplained(explained), []);
    assert_eq!(unexplained("a();\nlet x = unsafe { y() };\n"), [2]);
    assert_eq!(unexplained(&format!("{explained}unsafe {{ z() }}")), [4]);

    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut lines = Vec::new();
    for file in &files {
        for line in unexplained(&fs::read_to_string(file).unwrap()) {
            lines.push(format!("{}:{line}", file.display()));
        }
    }
    assert_eq!(lines, Vec::<String>::new());
}

/// Every test that SECURITY.md names exists.
#[test]
fn tests_named_in_security_md_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let code: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let text = read("SECURITY.md");
    // A test's name contains underscores; an option's does not.
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| {
        word.contains('_')
            && word
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c == b'_' || c.is_ascii_digit())
    };
    let names: Vec<_> = quoted.filter(is_name).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(
            code.contains(&format!("fn {name}(")),
            "there is no test {name}"
        );
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn architecture_md_names_every_module() {
    let page = read("ARCHITECTURE.md");
    let mut modules = 0;
    for list in ["src/lib.rs", "src/core/lib.rs"] {
        let text = read(list);
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod "));
        for name in names.map(|name| name.trim_end_matches(';')) {
            let is_row = |line: &str| line.starts_with('|') && line.contains(&format!("`{name}`"));
            assert!(page.lines().any(is_row), "{name} of {list}");
            modules += 1;
        }
    }
    assert!(modules > 20, "{modules}");
}

/// The transitions of a drain are compared in src/core/supervisor/drain/tests/diagram.rs.
#[test]
fn architecture_md_has_the_states_of_a_worker() {
    let source = read("src/core/supervisor/worker.rs");
    let (_, body) = source.split_once("enum State {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    // Four spaces, and a name.
    let variant = |line: &str| {
        let name = line.strip_prefix("    ")?;
        let is_name = name.starts_with(|first: char| first.is_ascii_uppercase());
        let end = |c: char| !c.is_alphanumeric();
        is_name.then(|| name.split(end).next().unwrap().to_owned())
    };
    let states: BTreeSet<_> = body.lines().filter_map(variant).collect();
    let page = read("ARCHITECTURE.md");
    let mut blocks = page.split("```").filter(|block| block.contains("Held -->"));
    let lines = blocks.next().unwrap().lines();
    let edges = lines.filter_map(|line| line.split(" : ").next()?.split_once(" --> "));
    let drawn: BTreeSet<_> = edges
        .flat_map(|(from, to)| [from.trim().to_owned(), to.trim().to_owned()])
        .filter(|state| state != "[*]")
        .collect();
    assert_eq!(drawn, states);
    assert!(states.len() >= 4, "{states:?}");
}
