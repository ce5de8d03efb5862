//! Options and variables.

use std::collections::BTreeSet;
use std::fs;

use pidone::cli::options::OptionSpec;

use crate::generator::{self, PLACE};
use crate::harness::markdown::Page;
use crate::harness::root;
use crate::help::{self, INFORMATION};
use crate::none_of;

#[test]
fn the_page_of_options_is_what_the_table_makes() {
    let wanted = generator::page(&help::Page::of(&["--help"]).unwrap());
    let page = fs::read_to_string(root().join(PLACE)).unwrap_or_default();
    assert!(
        page == wanted,
        "{PLACE} is not what the table of options makes; `cargo manual` makes it again"
    );
    // All of the help's words are in it.
    let page = Page::parse(PLACE, &page);
    let anchors = page.anchors();
    for option in help::options() {
        assert!(
            anchors.iter().any(|anchor| anchor == option.long),
            "{}",
            option.long
        );
        let bare = |text: &str| {
            text.replace('`', "")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let text = option.help.join(" ");
        assert!(bare(&page.prose).contains(&bare(&text)), "{text}");
    }
    let distinct: BTreeSet<_> = anchors.iter().collect();
    assert_eq!(distinct.len(), anchors.len(), "{anchors:?}");
}

/// Those of `pidone ctl`.
const CTL: &[&str] = &["control", "count", "json", "no-wait", "help"];

/// Programs and options before a word `pidone` that is their value: an image, a package, a name.
const OTHERS: &[&str] = &[
    "install", "-t", "--tag", "--name", "-x", "-C", "pull", "push", "run", "add", "status", "-u",
    "FROM", "pidof", "cd",
];

/// What ends a command on its line.
const ENDS: &[&str] = &[
    " | ", " || ", " & ", " && ", "; ", ")", " # ", " > ", " >> ", " 2>",
];

/// The first option of a line's `pidone` that pidone does not have.
fn unknown(line: &str) -> Option<String> {
    let ends = ENDS
        .iter()
        .filter_map(|end| Some((line.find(end)?, end.len())));
    match ends.min() {
        Some((at, length)) => unknown_in(&line[..at]).or_else(|| unknown(&line[at + length..])),
        None => unknown_in(line),
    }
}

/// The same of one command.
fn unknown_in(line: &str) -> Option<String> {
    let is_mark = |c: char| c.is_whitespace() || "\"'`,[]()|;&".contains(c);
    // `N|auto` is one word, as are values with brackets.
    let words: Vec<_> = line
        .split(is_mark)
        .filter(|word| !word.is_empty())
        .collect();
    let starts = words.iter().enumerate().filter(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let is_pidone = **word == "pidone" || word.ends_with("/pidone");
        is_pidone && !before.is_some_and(|before| OTHERS.contains(before))
    });
    starts.into_iter().find_map(|(at, _)| {
        let rest = &words[at + 1..];
        match rest.first() {
            Some(&"ctl") => unknown_of_ctl(&rest[1..]),
            _ => unknown_of_pidone(rest),
        }
    })
}

fn unknown_of_ctl(words: &[&str]) -> Option<String> {
    let mut options = words.iter().filter_map(|word| word.strip_prefix("--"));
    let unknown = options.find(|name| {
        let name = name.split('=').next().unwrap();
        !CTL.contains(&name)
    });
    unknown.map(|name| format!("pidone ctl has no --{name}"))
}

fn is_short(option: &OptionSpec, word: &str) -> bool {
    option.short.is_some_and(|short| word.starts_with(short))
}

fn unknown_of_pidone(words: &[&str]) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let found = if let Some(long) = word.strip_prefix("--") {
            let (long, value) = long
                .split_once('=')
                .map_or((long, false), |(long, _)| (long, true));
            if long.is_empty() || INFORMATION.iter().any(|(known, ..)| *known == long) {
                return None;
            }
            let option = help::options().find(|option| option.long == long);
            option.map(|option| option.value.is_some() && !value)
        } else if let Some(short) = word.strip_prefix('-') {
            if INFORMATION
                .iter()
                .any(|(_, known, _)| short.starts_with(*known))
            {
                return None;
            }
            let option = help::options().find(|option| is_short(option, short));
            option.map(|option| option.value.is_some() && short.len() == 1)
        } else {
            return None;
        };
        let Some(takes_next) = found else {
            return Some(format!("pidone has no {word}"));
        };
        if takes_next {
            words.next();
        }
    }
    None
}

#[test]
fn options_of_pidone_in_the_manual_exist() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in Page::manual() {
        let blocks = page
            .blocks
            .iter()
            .map(|block| (block.line, block.text.replace("\\\n", " ")));
        let all = blocks.chain(page.code());
        for (number, text) in all {
            for line in text.lines().filter(|line| !line.starts_with("pidone: ")) {
                count += usize::from(line.contains("pidone "));
                let why = unknown(line);
                wrong.extend(why.map(|why| format!("{}:{number}: {why}: {line}", page.name)));
            }
        }
    }
    assert!(count > 30, "{count} lines");
    none_of(&wrong);
}

/// Options in code of their own are pidone's, or of another program that the manual speaks of.
#[test]
fn options_in_code_are_known() {
    let foreign: Vec<_> = FOREIGN.split_whitespace().collect();
    let mut wrong = Vec::new();
    for page in Page::manual() {
        for (number, code) in page.code() {
            let Some(name) = code.strip_prefix("--") else {
                continue;
            };
            let name = name.split([' ', '=', '|', '…']).next().unwrap();
            let is_own = help::options().any(|option| option.long == name)
                || INFORMATION.iter().any(|(known, ..)| *known == name)
                || CTL.contains(&name);
            if !name.is_empty() && !is_own && !foreign.contains(&name) {
                wrong.push(format!(
                    "{}:{number}: --{name}: not an option of pidone, nor in FOREIGN",
                    page.name
                ));
            }
        }
    }
    none_of(&wrong);
}

/// Of Node.js, npm, pm2, engines and other programs.
const FOREIGN: &str = "
    cap-drop cpus env env-file format import init init-path inspect inspect-brk inspect-port inspect-wait instances
    no-daemon platform read-only require run secure-heap snapshot-blob sysctl tmpfs unstable-net update-env
    option only web rate no-port-switching enable-source-maps max-old-space-size max-http-header-size watch test network entrypoint stop-timeout
";

/// The log's level, and those of the tests.
const VARIABLES: &[&str] = &[
    "",
    "LOG",
    "SIM_SEEDS",
    "SOAK",
    "TEST_NODES",
    "TEST_PATIENCE",
];

#[test]
fn variables_of_pidone_in_the_manual_exist() {
    let mut wrong = Vec::new();
    for page in Page::manual() {
        for (index, line) in page.text.lines().enumerate() {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for name in words.filter_map(|word| word.strip_prefix("PIDONE_")) {
                let mut options = help::options();
                let is_option = options.any(|option| option.variable() == format!("PIDONE_{name}"));
                if !is_option && !VARIABLES.contains(&name) {
                    wrong.push(format!("{}:{}: PIDONE_{name}", page.name, index + 1));
                }
            }
        }
    }
    none_of(&wrong);
}

#[test]
fn an_option_that_does_not_exist_is_found() {
    for line in [
        "pidone -i auto --http 9100 -- node --inspect server.js",
        "docker run --init -p 1:1 web /pidone -vv --grace=1s node --x",
        "ENTRYPOINT [\"/pidone\", \"-i\", \"auto\", \"--\"]",
        "docker build -t pidone -f docker/Dockerfile .",
        "docker exec web /pidone ctl status --json",
        "COPY --from=pidone /pidone /pidone",
        "pidone ctl reload & curl -s --rate 200/s localhost | sort --numeric",
    ] {
        assert_eq!(unknown(line), None, "{line}");
    }
    for line in [
        "pidone -i auto --htpp 9100 -- node server.js",
        "PORT=1 /pidone -i 2 -x node",
        "ENTRYPOINT [\"/pidone\", \"--graceful\", \"1s\"]",
        "docker exec web /pidone ctl status --xml",
        "cd app && pidone --graceful 1s node",
    ] {
        assert!(unknown(line).is_some(), "{line}");
    }
}
