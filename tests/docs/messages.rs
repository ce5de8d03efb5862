//! Each message that a page shows is one that pidone's sources can print.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::markdown::Page;
use crate::harness::root;
use crate::none_of;

/// What remains of a line when the sources' pieces are taken out: names, numbers, paths. Longer, and it is a text that
/// the sources do not have.
const LONGEST_VALUE: usize = 12;

/// A piece of a string literal that counts: shorter ones are in every text, but for ` (pid `.
const SHORTEST_PIECE: usize = 8;

/// The string literals of Rust sources: continued lines joined, escapes undone.
fn literals(source: &str, found: &mut Vec<String>) {
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            // A character; otherwise a lifetime.
            '\'' => {
                let mut ahead = chars.clone();
                if ahead.next() == Some('\\') {
                    chars.nth(1);
                    chars.by_ref().find(|c| *c == '\'');
                } else if ahead.next() == Some('\'') {
                    chars.nth(1);
                }
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    if c != '\\' {
                        text.push(c);
                        continue;
                    }
                    match chars.next() {
                        Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                        Some('n') => text.push('\n'),
                        Some(c) => text.push(c),
                        None => {}
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
}

/// What stands between the placeholders.
fn pieces(literal: &str, found: &mut BTreeSet<String>) {
    let literal = literal.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let parts = literal.split(['{', '}', '\n']);
    for part in parts {
        let part = part.replace('\u{1}', "{").replace('\u{2}', "}");
        if part.len() >= SHORTEST_PIECE || part.starts_with(" (") {
            found.insert(part);
        }
    }
}

fn read(under: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let mut all = Vec::new();
            literals(source, &mut all);
            all.iter().for_each(|literal| pieces(literal, found));
        }
    }
}

/// The sources' pieces, longest first.
fn sources() -> Vec<String> {
    let mut found = BTreeSet::new();
    read(&root().join("src"), &mut found);
    let mut all: Vec<_> = found.into_iter().collect();
    all.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    all
}

/// The kernel's words.
const OF_THE_SYSTEM: &[&str] = &[
    "SIGTERM",
    "SIGKILL",
    "SIGABRT",
    "Permission denied",
    "No such file or directory",
];

/// Marks what is no longer looked at.
const GONE: char = '\u{1}';

/// The first part of a message that no source has. `…` stands for what a page leaves out.
fn foreign(message: &str, sources: &[String]) -> Option<String> {
    // What is quoted is a name, or the source's own word.
    let quoted = message.split('"').enumerate();
    let names_gone = quoted.map(|(index, text)| match index % 2 {
        0 => text.to_owned(),
        _ => format!("\"{GONE}\""),
    });
    let names_gone: String = names_gone.collect();
    foreign_in(message, sources).and(foreign_in(&names_gone, sources))
}

fn foreign_in(message: &str, sources: &[String]) -> Option<String> {
    let shown: Vec<_> = message.split('…').collect();
    for (index, part) in shown.iter().enumerate() {
        let mut rest = (*part).to_owned();
        // Where it is cut, a piece is cut, too.
        if index + 1 < shown.len() {
            let cut = rest.char_indices().map(|(at, _)| at).find(|at| {
                let end = &rest[*at..];
                end.len() >= SHORTEST_PIECE && sources.iter().any(|piece| piece.starts_with(end))
            });
            rest.truncate(cut.unwrap_or(rest.len()));
        }
        for piece in sources {
            rest = rest.replace(piece, &GONE.to_string());
        }
        for word in OF_THE_SYSTEM {
            rest = rest.replace(word, &GONE.to_string());
        }
        let is_value = |c: char| c == GONE || c.is_ascii_digit();
        let left = rest.split(is_value).map(str::trim);
        if let Some(foreign) = left.max_by_key(|left| left.len())
            && foreign.len() > LONGEST_VALUE
        {
            return Some(foreign.to_owned());
        }
    }
    None
}

#[test]
fn each_message_of_a_page_is_in_the_sources() {
    let sources = sources();
    let (mut foreigners, mut count) = (Vec::new(), 0);
    for page in Page::manual() {
        let indented = page.prose.lines().enumerate();
        let indented = indented
            .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("    ")?.to_owned())));
        let blocks = page.blocks.iter().flat_map(|block| block.lines());
        let blocks = blocks.map(|(number, line)| (number, line.to_owned()));
        for (number, line) in blocks.chain(page.code()).chain(indented) {
            let Some(message) = line.strip_prefix("pidone: ") else {
                continue;
            };
            count += 1;
            let levels = ["error: ", "warning: ", "debug: ", "trace: "];
            let text = levels
                .iter()
                .find_map(|level| message.strip_prefix(level))
                .unwrap_or(message);
            if let Some(part) = foreign(text, &sources) {
                foreigners.push(format!("{}:{number}: {part:?} of: {line}", page.name));
            }
        }
    }
    assert!(count > 15, "{count} messages");
    none_of(&foreigners);
}

#[test]
fn a_message_that_no_source_has_is_found() {
    let sources = sources();
    let known = [
        "worker 0 (pid 3630) was killed by SIGKILL (not sent by pidone) after 2.1 s; restarting",
        "worker 0 (pid 5831) was not ready within 30 s (--ready-timeout); stopping it. …",
        "npm start: npm starts Node.js as its own child, so the app does not get the cluster channel; run node server.js instead",
    ];
    for message in known {
        assert_eq!(foreign(message, &sources), None, "{message}");
    }
    for message in [
        "worker 0 (pid 3630) was killed by SIGKILL; it did not come from pidone",
        "worker 0 (pid 5831) was not ready in the time that it has; stopping it. …",
        "npm starts Node.js as a child of its own, so that the app lacks the channel",
        "slot 0: worker 0 (pid 13373) is the one that serves",
    ] {
        assert!(foreign(message, &sources).is_some(), "{message}");
    }
}
