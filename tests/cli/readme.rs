//! What the README says is so.

use std::fs;
use std::path::Path;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
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
