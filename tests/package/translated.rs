//! The ecosystem files in the manual: beside each stands what `pidone-from-pm2` prints for it.

use std::fmt::Write;
use std::process::Command;

use crate::files::add_scripts;
use crate::harness::markdown::Page;
use crate::harness::{TempDir, root};
use crate::printed::{Printed, parse};

const PAGES: [&str; 2] = ["docs/migrate-from-pm2.md", "docs/ecosystem-files.md"];

/// An ecosystem file in the manual, the program's arguments there, and the blocks beside it, with their
/// languages.
struct Translation {
    file: String,
    args: Vec<String>,
    beside: Vec<(String, String)>,
}

impl Translation {
    /// What the program prints for it.
    fn printed(&self, directory: &TempDir) -> Vec<Printed> {
        directory.file("ecosystem.config.js", &self.file, 0o644);
        let program = root().join("release/npm/pidone-from-pm2/bin/pidone-from-pm2.js");
        let mut command = Command::new("node");
        command.arg(program).args(&self.args);
        let output = command.current_dir(directory.path("")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        parse("the manual", &String::from_utf8(output.stdout).unwrap())
    }
}

/// A translation goes from the block with the file to the next heading.
fn translations() -> Vec<Translation> {
    let mut all = Vec::new();
    for page in PAGES.map(Page::read) {
        let is_heading = |(_, line): &(usize, &str)| line.starts_with('#');
        let headings = page.prose.lines().enumerate().filter(is_heading);
        let headings: Vec<usize> = headings.map(|(index, _)| index + 1).collect();
        for (index, file) in page.blocks.iter().enumerate() {
            if !file.text.starts_with("module.exports = ") {
                continue;
            }
            let end = headings.iter().find(|heading| **heading > file.line);
            let inside = file.line..end.copied().unwrap_or(usize::MAX);
            let beside = &page.blocks[index + 1..];
            let beside = beside
                .iter()
                .take_while(|block| inside.contains(&block.line));
            let code = page.code().into_iter();
            let mut code = code.filter(|(line, _)| inside.contains(line));
            let args =
                code.find_map(|(_, code)| Some(code.strip_prefix("pidone-from-pm2")?.to_owned()));
            let args = args.unwrap_or_default();
            all.push(Translation {
                file: file.text.clone(),
                args: args.split_whitespace().map(String::from).collect(),
                beside: beside
                    .map(|block| (block.language.clone(), block.text.clone()))
                    .collect(),
            });
        }
    }
    all
}

/// The Dockerfile of each app, one compose file for all, and the remarks.
fn blocks(apps: &[Printed]) -> Vec<(String, String)> {
    let text = |lines: &[String]| {
        lines
            .iter()
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
    };
    let mut blocks = Vec::new();
    let mut compose = "services:\n".to_owned();
    let mut remarks = String::new();
    for app in apps {
        blocks.push(("dockerfile".to_owned(), text(app.dockerfile())));
        compose += &text(&app.part("compose.yaml")[1..]);
        let titles = ["No equivalent", "Check", "Not needed"];
        let mut titles = titles
            .into_iter()
            .filter(|title| !app.part(title).is_empty())
            .peekable();
        if apps.len() > 1 && titles.peek().is_some() {
            writeln!(remarks, "# {}", app.name).unwrap();
        }
        for title in titles {
            writeln!(remarks, "{title}:").unwrap();
            for line in app.part(title) {
                writeln!(remarks, "  {line}").unwrap();
            }
        }
    }
    blocks.push(("yaml".to_owned(), compose));
    if !remarks.is_empty() {
        blocks.push(("text".to_owned(), remarks));
    }
    blocks
}

#[test]
fn the_manual_shows_what_is_printed() {
    let translations = translations();
    assert_eq!(translations.len(), 3);
    for translation in translations {
        let apps = translation.printed(&TempDir::new());
        assert_eq!(translation.beside, blocks(&apps), "{}", translation.file);
    }
}

/// All but those that need a package or fixed ports.
#[test]
fn the_translated_apps_run() {
    let translations = translations();
    let scripts = ["dist/server.js", "web.js", "mailer.js", "jobs/report.js"];
    for translation in &translations[..2] {
        let directory = TempDir::new();
        add_scripts(&directory, &scripts);
        for app in translation.printed(&directory) {
            app.runs(&directory);
        }
    }
    let first = &translations[0].printed(&TempDir::new())[0];
    assert!(first.command().contains("--ready message"));
}
