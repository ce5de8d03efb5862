//! The ecosystem files in the manual: beside each stands what `pidone-from-pm2` prints for it.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::files::add_scripts;
use crate::harness::{TempDir, root};
use crate::printed::{Printed, parse};

const PAGES: &[&str] = &["migrate-from-pm2.md", "ecosystem-files.md"];

/// An ecosystem file in the manual, the program's arguments there, and what stands beside it, by the fences'
/// languages.
#[derive(Default)]
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

/// A translation goes from the fence with the file to the next heading.
fn translations() -> Vec<Translation> {
    let mut all: Vec<Translation> = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
        let mut lines = text.lines();
        let mut is_open = false;
        while let Some(line) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let content: String = lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .flat_map(|line| [line, "\n"])
                    .collect();
                if content.starts_with("module.exports = ") {
                    is_open = true;
                    let file = content;
                    all.push(Translation {
                        file,
                        ..Translation::default()
                    });
                } else if is_open {
                    let translation = all.last_mut().unwrap();
                    translation.beside.push((language.to_owned(), content));
                }
            } else if line.starts_with('#') {
                is_open = false;
            } else if let (true, Some(rest)) = (is_open, line.strip_prefix("`pidone-from-pm2")) {
                let args = rest.split('`').next().unwrap();
                all.last_mut().unwrap().args = args.split_whitespace().map(String::from).collect();
            }
        }
    }
    all
}

/// The Dockerfile of each app, one compose file for all, and the remarks.
fn fences(apps: &[Printed]) -> Vec<(String, String)> {
    let text = |lines: &[String]| {
        lines
            .iter()
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
    };
    let mut fences = Vec::new();
    let mut compose = "services:\n".to_owned();
    let mut remarks = String::new();
    for app in apps {
        fences.push(("dockerfile".to_owned(), text(app.dockerfile())));
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
    fences.push(("yaml".to_owned(), compose));
    if !remarks.is_empty() {
        fences.push(("text".to_owned(), remarks));
    }
    fences
}

#[test]
fn the_manual_shows_what_is_printed() {
    let translations = translations();
    assert_eq!(translations.len(), 3);
    for translation in translations {
        let apps = translation.printed(&TempDir::new());
        assert_eq!(translation.beside, fences(&apps), "{}", translation.file);
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
