//! What the pages show of files that are shipped, and of what `.ci/run` runs.

use std::fs;

use crate::harness::markdown::Page;
use crate::harness::root;
use crate::none_of;

/// The last lines before a block.
fn introduction(page: &Page, line: usize) -> String {
    let before: Vec<_> = page.prose.lines().take(line - 1).collect();
    let lines = before
        .iter()
        .rev()
        .skip_while(|line| line.trim().is_empty());
    let mut paragraph: Vec<_> = lines
        .take_while(|line| !line.trim().is_empty())
        .copied()
        .collect();
    paragraph.reverse();
    paragraph.join("\n")
}

/// A block below a paragraph that ends with a link to a file, and a colon, is from that file.
#[test]
fn blocks_from_a_file_are_in_it() {
    const LANGUAGES: &[&str] = &["dockerfile", "yaml", "ini", "js", "json"];
    let mut wrong = Vec::new();
    for page in Page::manual() {
        let blocks = page.blocks.iter();
        for block in blocks.filter(|block| LANGUAGES.contains(&block.language.as_str())) {
            let text = introduction(&page, block.line);
            let Some((_, target)) = text
                .strip_suffix("):")
                .and_then(|text| text.rsplit_once("]("))
            else {
                continue;
            };
            let Ok(file) = fs::read_to_string(root().join(page.directory()).join(target)) else {
                continue;
            };
            if !file.contains(&block.text) {
                wrong.push(format!(
                    "{}:{}: not in {target}:\n{}",
                    page.name, block.line, block.text
                ));
            }
        }
    }
    none_of(&wrong);
}

/// `.ci/run` takes its command from there; tests/commands runs the other one in a clone.
#[test]
fn the_readme_has_the_two_commands() {
    let page = Page::read("README.md");
    for command in ["cargo build --release", "cargo test"] {
        let blocks = page.blocks.iter().filter(|block| block.language == "sh");
        let found = blocks.filter(|block| block.text.starts_with(command));
        assert_eq!(found.count(), 1, "{command}");
    }
}
