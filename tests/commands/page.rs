//! A page is run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::markdown::{Block, Mark, Page, shell_call};
use crate::harness::packages::node_modules;
use crate::harness::{Pidone, TempDir, binary, is_installed, root, skipped};

const SHELL: &str = include_str!("shell.sh");
/// Of the app that has the server.
const PACKAGE: &str = r#"{ "scripts": { "start": "node server.js" } }"#;

/// Processes, mounts and a network of its own: as root, or as root of a user namespace.
const NAMESPACES: &[&[&str]] = &[
    &[
        "unshare",
        "-rmnpu",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ],
    &[
        "unshare",
        "-mnpu",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ],
];

/// The first that is permitted here. If none is, reports the test as skipped.
fn namespaces(test: &str) -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Result<&'static [&'static str], String>> = OnceLock::new();
    const TRIAL: &str =
        "ip link set lo up && mount -t tmpfs tmpfs /run && mount -o remount,bind,ro /";
    let found = FOUND.get_or_init(|| {
        let mut why = String::new();
        for wrapper in NAMESPACES {
            let mut command = Command::new(wrapper[0]);
            let trial = command
                .args(&wrapper[1..])
                .args(["sh", "-c", TRIAL])
                .output();
            match trial {
                Ok(output) if output.status.success() => return Ok(*wrapper),
                Ok(output) => why = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => why = format!("unshare: {error}"),
            }
        }
        Err(why)
    });
    match found {
        Ok(wrapper) => Some(wrapper),
        Err(why) => {
            skipped(test, &format!("no namespaces of its own: {why}"));
            None
        }
    }
}

/// Whether this is run here. Commands of cargo are for a clone: tests/commands/clone.rs and .ci/run.
pub fn is_run(block: &Block) -> bool {
    let is_ours = !matches!(block.mark, Mark::Docker(_) | Mark::Skip(_));
    let commands = block.commands().filter(|_| is_ours);
    commands.is_some_and(|commands| !commands.trim_start().starts_with("cargo "))
}

/// The functions of shell.sh that this page is.
fn script(page: &Page) -> String {
    let mut script = SHELL.to_owned();
    let mut call = |function: &str, text: &str| script.push_str(&shell_call(function, text));
    // A page may show a command before the file that it reads.
    for block in &page.blocks {
        if let Mark::File(name) = &block.mark {
            call(&format!("page_file '{name}'"), &block.text);
        }
    }
    for block in &page.blocks {
        let Some(commands) = block.commands().filter(|_| is_run(block)) else {
            continue;
        };
        call(&format!("page_at {}", block.line), "");
        let function = match &block.mark {
            Mark::Serves(port) => format!("page_serves {port}"),
            Mark::Runs => "page_runs".to_owned(),
            Mark::Fails(status) => format!("page_fails {status}"),
            _ => "page_block".to_owned(),
        };
        call(&function, &commands);
    }
    script + "page_at 0\npage_stop\n"
}

/// What the page's directory begins with: the app of the manual, or the example whose page it is.
fn begin(page: &Page, directory: &TempDir) {
    for part in ["bin", "page"] {
        fs::create_dir(directory.path(part)).unwrap();
    }
    copy(&binary(), &directory.path("bin/pidone"));
    // The packages are there already.
    directory.file("bin/npm", "#!/bin/sh\n[ \"$1\" = ci ]\n", 0o755);
    directory.file("page/package.json", PACKAGE, 0o644);
    let server = root().join("examples/http/server.js");
    copy(&server, &directory.path("page/server.js"));
    if page.name.starts_with("examples/") {
        for entry in fs::read_dir(root().join(page.directory())).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap();
                copy(&path, &directory.path("page").join(name));
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Runs all of its blocks; fails with the output of all, whose last lines say where it has failed.
#[track_caller]
pub fn run(name: &str) {
    if !is_installed(name, "curl", "curl") {
        return;
    }
    let Some(namespaces) = namespaces(name) else {
        return;
    };
    let page = Page::read(name);
    let directory = TempDir::new();
    begin(&page, &directory);
    let project = page.directory().to_str().unwrap();
    let has_packages = root().join(project).join("package-lock.json").exists();
    let packages = has_packages.then(|| node_modules(project));
    let script = directory.file("script", &script(&page), 0o644);
    let mut line: Vec<OsString> = namespaces.iter().map(Into::into).collect();
    line.extend(["bash".into(), script.into(), directory.path("").into()]);
    line.push(packages.unwrap_or_default().into());
    let end = Pidone::program(line).run();
    end.code(0);
    let text = end.text();
    let printed = by_block(&text);
    let by_servers: Vec<_> = end.stderr.lines().collect();
    let mut wrong = Vec::new();
    for block in page
        .blocks
        .iter()
        .filter(|block| is_run(block) && block.mark != Mark::Sample)
    {
        let printed = match block.mark {
            Mark::Serves(_) | Mark::Runs => &by_servers,
            _ => printed.get(&block.line).unwrap(),
        };
        wrong.extend(block.printed().iter().filter_map(|(number, shown)| {
            let is_there = printed.iter().any(|line| fits(shown, line));
            (!is_there).then(|| format!("{name}:{number}: this was not printed: {shown}"))
        }));
    }
    assert!(wrong.is_empty(), "\n{}\n{end:#?}", wrong.join("\n"));
}

/// The lines that were printed, by the line of the block.
fn by_block(text: &str) -> BTreeMap<usize, Vec<&str>> {
    let mut found: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let mut here = 0;
    for line in text.lines() {
        match line.strip_prefix("--- ").map(str::parse) {
            Some(Ok(number)) => {
                here = number;
                found.entry(here).or_default();
            }
            _ => found.entry(here).or_default().push(line),
        }
    }
    found
}

/// A line without what differs from run to run: numbers with their units, and how wide columns are.
fn masked(line: &str) -> String {
    const UNITS: &[&str] = &["ms", "s", "min", "h", "KiB", "MiB", "GiB"];
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let mut masked = String::new();
        for c in word.chars() {
            if !c.is_ascii_digit() {
                masked.push(c);
            } else if !masked.ends_with('#') {
                masked.push('#');
            }
        }
        let masked = masked.replace("#.#", "#");
        let is_number = ["#", "-"].contains(&masked.as_str());
        let is_unit = UNITS.contains(&masked.trim_end_matches([',', ';', ':', ')']));
        // Several in a row are one: `3 min 5 s`, or columns.
        if !words.last().is_some_and(|last| last.ends_with('#')) || !(is_number || is_unit) {
            words.push(if is_number { "#".to_owned() } else { masked });
        }
    }
    words.join(" ")
}

/// Whether a page's line is this one. `…` stands for what the page leaves out.
fn fits(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (masked(shown), masked(printed));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first.trim_end()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        last = Some(part.trim());
        let Some((_, after)) = rest.split_once(part.trim()) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty() || last == Some("")
}

#[test]
fn a_printed_line_fits_but_for_its_numbers() {
    for (shown, printed) in [
        ("done in 2.3 s", "done in 889 ms"),
        (
            "1 of 2: slot 0: worker 0 (pid 31) serves now",
            "1 of 2: slot 0: worker 0 (pid 7) serves now",
        ),
        (
            "0  ready  4  10 s  1  41 ms  42.5 MiB  0.7 ms  0  -",
            "0 ready 123 3 min 5 s 0 1 s 44 MiB - 0 -",
        ),
        ("hello from pid …", "hello from pid 12"),
        ("pidone … up 3 s", "pidone 0.1.0, pid 1, up 10.2 s"),
    ] {
        assert!(fits(shown, printed), "{shown}\n{printed}");
    }
    assert!(!fits("done: 3 workers serve", "3 workers serve"));
    assert!(!fits("hello … you", "hello from pid 12"));
    assert!(!fits("done", "done in 3 s"));
}
