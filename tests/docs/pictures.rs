//! The pictures that the README and the manual show.

use std::fs;
use std::path::Path;

use super::none_of;

/// A page must not wait for its pictures.
const MOST: usize = 300_000;

/// Paths and contents.
fn pictures() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pictures = Vec::new();
    for directory in ["docs/images", "benches"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "svg") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                pictures.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(pictures.len() > 10, "{}", pictures.len());
    pictures
}

/// Why a text is not well-formed XML, as far as SVGs need it.
fn flaw(text: &str) -> Option<String> {
    let (mut open, mut rest) = (Vec::new(), text.trim_end());
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        if before.split('&').skip(1).any(|part| !is_reference(part)) {
            return Some(format!("a bare ampersand: {before}"));
        }
        if let Some(comment) = tag.strip_prefix("<!--") {
            let Some((_, after)) = comment.split_once("-->") else {
                return Some("a comment without an end".to_owned());
            };
            rest = after;
            continue;
        }
        let Some((tag, after)) = tag[1..].split_once('>') else {
            return Some(format!("a tag without an end: {tag}"));
        };
        rest = after;
        let name = tag
            .trim_matches('/')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> ends another element"));
            }
        } else if tag.matches('"').count() % 2 > 0 || tag.contains('&') {
            return Some(format!("the attributes of <{tag}>"));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        if open.is_empty() && !rest.is_empty() {
            return Some(format!("something after the picture: {rest}"));
        }
    }
    (!open.is_empty() || !rest.is_empty()).then(|| format!("{open:?} stay open"))
}

fn is_reference(after_ampersand: &str) -> bool {
    ["amp;", "lt;", "gt;", "quot;", "apos;", "#"]
        .iter()
        .any(|name| after_ampersand.starts_with(name))
}

#[test]
fn pictures_are_well_formed() {
    let mut found = Vec::new();
    for (path, text) in pictures() {
        found.extend(flaw(&text).map(|flaw| format!("{path}: {flaw}")));
        if !text.starts_with("<svg ") || text.len() >= MOST {
            found.push(format!("{path}: not an SVG, or too long: {}", text.len()));
        }
    }
    none_of(&found);
    for wrong in [
        "<svg><g></svg>",
        "<svg>&</svg>",
        "<svg",
        "<svg a=\"></svg>",
        "<svg/>x",
    ] {
        assert!(flaw(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn pictures_have_a_title() {
    let has_title = |text: &str| {
        let title = text
            .split_once("<title")
            .and_then(|(_, rest)| rest.split_once('>'));
        let title = title.and_then(|(_, rest)| rest.split_once("</title>"));
        title.is_some_and(|(title, _)| !title.trim().is_empty())
    };
    let untitled = pictures().into_iter().filter(|(_, text)| !has_title(text));
    none_of(&untitled.map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn pictures_need_nothing_from_elsewhere() {
    const FOREIGN: &[&str] = &[
        "://",
        "<script",
        "javascript:",
        " onload=",
        "<image",
        "<foreignObject",
        "@import",
        "href=",
    ];
    // Of the machine that they were made on.
    const PRIVATE: &[&str] = &["/root/", "/home/", "/tmp/"];
    let mut found = Vec::new();
    for (path, text) in pictures() {
        // The only address in them is the name of the format.
        let text = text.replacen("xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
        let parts = FOREIGN
            .iter()
            .chain(PRIVATE)
            .filter(|part| text.contains(**part));
        found.extend(parts.map(|part| format!("{path}: {part}")));
    }
    none_of(&found);
}

#[test]
fn pictures_are_for_light_and_dark_pages() {
    let is_for_both = |text: &str| {
        text.contains("prefers-color-scheme:dark") || text.contains("class=\"ground\"")
    };
    let others = pictures()
        .into_iter()
        .filter(|(_, text)| !is_for_both(text));
    none_of(&others.map(|(path, _)| path).collect::<Vec<_>>());
}
