//! What the README says is so.

use std::fs;
use std::path::Path;

use crate::help::{Spelled, printed, spelled};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The first column of the table of options, as the README writes it.
fn row(option: &Spelled) -> String {
    let long = match &option.value {
        // A bar would end the column.
        Some(value) => format!("`--{} {}`", option.long, value.replace('|', "\\|")),
        None => format!("`--{}`", option.long),
    };
    match option.short {
        Some(short) => format!("| `-{short}`, {long} |"),
        None => format!("| {long} |"),
    }
}

#[test]
fn the_readme_has_the_options_of_the_help_and_no_others() {
    let (help, readme) = (printed("--help"), file("README.md"));
    let wanted: Vec<_> = spelled(&help).iter().map(row).collect();
    let is_row = |line: &&str| line.starts_with("| `-") && line.contains("`--");
    let rows: Vec<_> = readme.lines().filter(is_row).collect();
    for option in &wanted {
        assert!(
            rows.iter().any(|row| row.starts_with(option)),
            "{option} is not in {rows:#?}"
        );
    }
    assert_eq!(rows.len(), wanted.len(), "{rows:#?}");
    // Nor does it speak of others elsewhere.
    let words = readme.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    let variables = words.filter_map(|word| word.strip_prefix("PIDONE_"));
    // The log's level, and those of the tests.
    const OTHERS: [&str; 6] = [
        "",
        "LOG",
        "SIM_SEEDS",
        "SOAK",
        "TEST_NODES",
        "TEST_PATIENCE",
    ];
    for name in variables.filter(|name| !OTHERS.contains(name)) {
        let long = name.to_lowercase().replace('_', "-");
        assert!(help.contains(&format!("--{long} ")), "PIDONE_{name}");
    }
}

#[test]
fn the_readme_shows_the_files_as_they_are_shipped() {
    let readme = file("README.md");
    for (kind, name) in [
        ("dockerfile", "examples/http/Dockerfile"),
        ("yaml", "examples/http/compose.yaml"),
    ] {
        let block = format!("```{kind}\n{}```\n", file(name));
        assert!(readme.contains(&block), "{name}:\n{block}");
        assert!(readme.contains(&format!("({name})")), "{name}");
    }
}

/// `.ci/run` takes its commands from there.
#[test]
fn the_readme_has_the_two_commands() {
    let readme = file("README.md");
    for command in ["cargo build --release", "cargo test"] {
        let begin = format!("```sh\n{command}");
        assert_eq!(readme.matches(&begin).count(), 1, "{command}");
    }
}
