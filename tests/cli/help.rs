//! `--help` and `--version`.

use std::fs::File;

use crate::harness::{End, Pidone};
use crate::variable;

pub fn printed(option: &str) -> String {
    let end: End = Pidone::new([option]).run();
    end.code(0).quiet().text()
}

#[test]
fn the_version_is_one_line() {
    let line = format!("pidone {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed("--version"), line);
    assert_eq!(printed("-V"), line);
}

#[test]
fn the_help_is_a_page_for_a_terminal() {
    let help = printed("--help");
    assert_eq!(printed("-h"), help);
    assert!(
        help.contains("Usage: pidone [OPTIONS] [--] COMMAND [ARG]..."),
        "{help}"
    );
    assert!(
        help.contains("pidone -i auto [OPTIONS] [--] COMMAND [ARG]..."),
        "{help}"
    );
    for line in help.lines() {
        assert!(
            line.chars().count() <= 100 && !line.ends_with(' ') && !line.contains('\t'),
            "{line:?}"
        );
    }
}

/// An option as the help spells it.
pub struct Spelled {
    pub short: Option<char>,
    pub long: String,
    pub value: Option<String>,
}

pub fn spelled(help: &str) -> Vec<Spelled> {
    let lines = help
        .lines()
        .filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    lines
        .map(|line| {
            let (before, after) = line.split_once("--").unwrap();
            let end = after.find("  ").unwrap_or(after.len());
            let (long, value) = match after[..end].split_once(' ') {
                Some((long, value)) => (long, Some(value.to_owned())),
                None => (&after[..end], None),
            };
            Spelled {
                short: before
                    .trim()
                    .strip_prefix('-')
                    .and_then(|s| s.chars().next()),
                long: long.to_owned(),
                value,
            }
        })
        .collect()
}

/// Each option of the page is one that pidone knows, takes a value if the page says so, and has the
/// short form that stands before it.
#[test]
fn the_help_tells_the_truth() {
    let help = printed("--help");
    let options = spelled(&help);
    let (information, options): (Vec<_>, Vec<_>) = options
        .iter()
        .partition(|option| ["help", "version", "license"].contains(&option.long.as_str()));
    assert_eq!(information.len(), 3, "{help}");
    for option in &options {
        let long = format!("--{}", option.long);
        let short = option.short.map(|short| format!("-{short}"));
        for name in short.iter().chain([&long]) {
            let end = Pidone::new([name]).run();
            let wanted = if option.value.is_some() {
                "needs a value"
            } else {
                "no command"
            };
            end.code(125).says(&[wanted]);
        }
        let name = variable(&long);
        let end = Pidone::plain().env(&name, ":").command(["true"]).run();
        end.code(125).says(&[&name, "is not accepted"]);
    }
    assert!(options.len() >= 32, "{} options in {help}", options.len());
}

#[test]
fn help_that_cannot_be_printed_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    Pidone::new(["--help"]).stdout(full).run().code(125);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Pidone::new(["--version"]).stdout(writer).run().code(125);
}
