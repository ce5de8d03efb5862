//! What the man pages and completions take from the table of options and from the help pages.

use std::error::Error;

use pidone::cli::options::{CHAPTERS, OptionSpec};
use pidone::cli::{self, Invocation};

/// A term of a help page and what it says about it.
pub struct Definition {
    pub term: String,
    pub text: String,
}

/// A part of a help page between empty lines.
pub enum Block {
    Paragraph(String),
    /// Lines that are indented, and stay as they are.
    Verbatim(Vec<String>),
    Definitions(Vec<Definition>),
}

/// A help page as it is printed.
pub struct Page {
    pub blocks: Vec<Block>,
}

impl Page {
    /// What `pidone ARGS` prints.
    pub fn of(args: &[&str]) -> Result<Self, Box<dyn Error>> {
        let args = args.iter().map(Into::into).collect();
        let Invocation::Print(text) =
            cli::read(args, std::iter::empty(), &|_| None).map_err(|error| error.to_string())?
        else {
            return Err("no help page".into());
        };
        let blocks = text.split("\n\n").map(block).collect();
        Ok(Self { blocks })
    }

    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Definitions(all) => all.as_slice(),
            _ => &[],
        })
    }

    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Paragraph(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub fn examples(&self) -> impl Iterator<Item = &String> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Verbatim(lines) => lines.as_slice(),
            _ => &[],
        })
    }

    /// Its command lines, without the program's name.
    pub fn usage(&self) -> Vec<&str> {
        let text = self
            .paragraphs()
            .find_map(|text| text.strip_prefix("Usage: "));
        let lines = text.into_iter().flat_map(|text| text.split("pidone "));
        lines
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect()
    }
}

fn block(text: &str) -> Block {
    let lines = || text.lines().filter(|line| !line.is_empty());
    if text.starts_with("Usage: ") || !lines().skip(1).chain(lines().take(1)).any(is_indented) {
        return Block::Paragraph(lines().map(str::trim).collect::<Vec<_>>().join(" "));
    }
    // What is code begins with a capital: ENTRYPOINT, CMD.
    let indented = || lines().filter(|line| is_indented(line)).map(str::trim_end);
    let is_code = |line: &str| {
        line.trim_start()
            .starts_with(|c: char| c.is_ascii_uppercase())
    };
    if indented().next().is_some_and(is_code) {
        return Block::Verbatim(indented().map(|line| line.trim().to_owned()).collect());
    }
    let mut all: Vec<Definition> = Vec::new();
    for line in indented() {
        let continued = line.starts_with("          ");
        match all.last_mut() {
            Some(last) if continued => {
                last.text.push(' ');
                last.text.push_str(line.trim());
            }
            _ => {
                let line = line.trim();
                let (term, text) = line.split_once("  ").unwrap_or((line, ""));
                all.push(Definition {
                    term: term.to_owned(),
                    text: text.trim().to_owned(),
                });
            }
        }
    }
    Block::Definitions(all)
}

fn is_indented(line: &str) -> bool {
    line.starts_with("  ")
}

/// Those that no chapter has: long, short, and what they print.
pub const INFORMATION: [(&str, char, &str); 3] = [
    ("help", 'h', "This page."),
    ("version", 'V', "The version."),
    ("license", 'l', "The license."),
];

pub fn options() -> impl Iterator<Item = &'static OptionSpec> {
    CHAPTERS.iter().flat_map(|chapter| chapter.options)
}

/// What a value may be.
pub enum Value {
    Words(Vec<&'static str>),
    File,
    Signal,
    User,
    /// Only the user knows.
    Other,
}

/// The words that the option's placeholder names, or its help behind `HOW` and `WHEN`, if the option takes them.
pub fn value_of(option: &'static OptionSpec) -> Option<Value> {
    let placeholder = option.value?;
    let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
    let words: Vec<_> = match placeholder {
        "HOW" | "WHEN" => {
            let lines = option.help.iter();
            lines.flat_map(|line| line.split(|c| !is_word(c))).collect()
        }
        _ => placeholder
            .split('|')
            .filter(|word| word.chars().all(is_word))
            .collect(),
    };
    let mut taken = Vec::new();
    for word in words {
        if !taken.contains(&word) && option.takes(word) {
            taken.push(word);
        }
    }
    Some(match placeholder.split(['|', '[']).next() {
        Some("PATH") => Value::File,
        Some("SIG") => Value::Signal,
        Some("USER") => Value::User,
        _ if !taken.is_empty() => Value::Words(taken),
        _ => Value::Other,
    })
}

/// The beginning of an option's help, for a list of completions.
pub fn summary(text: &str) -> &str {
    let ends = [". ", "; ", " (default"];
    let ends = ends.iter().filter_map(|end| text.find(end));
    text[..ends.min().unwrap_or(text.len())].trim_end_matches('.')
}

/// The requests of `pidone ctl`: the word, what it does, and its options, which a colon follows: `--json:`, `--count N:`.
pub fn requests(ctl: &Page) -> Vec<(&str, &str, Vec<&str>)> {
    let requests = ctl.definitions().filter(|one| !one.term.starts_with('-'));
    requests
        .map(|one| {
            let word = one.term.split(' ').next().unwrap_or_default();
            let tokens: Vec<_> = one.text.split(' ').collect();
            let pairs = tokens.windows(2).filter_map(|pair| match pair {
                [option, value] if option.starts_with("--") => {
                    let bare = option.strip_suffix(':');
                    let is_value = value.ends_with(':') && value.starts_with(char::is_uppercase);
                    bare.or_else(|| is_value.then_some(*option))
                }
                _ => None,
            });
            (word, summary(&one.text), pairs.collect())
        })
        .collect()
}
