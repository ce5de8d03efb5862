//! The table of options: names, values and effects. Help, variables, parser, man page and
//! completions (release/manual) all use this table only.

#![forbid(unsafe_code)]

mod admin;
mod life;
mod process;
mod workers;

use super::draft::Draft;
use super::values::InvalidValue;
use crate::config::Command;

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// The letter after one dash.
    pub short: Option<char>,
    /// The name after two dashes.
    pub long: &'static str,
    /// The value's placeholder in the help; `None`: a switch.
    pub value: Option<&'static str>,
    /// May be given more than once; its variable holds a list with commas.
    pub repeatable: bool,
    /// The help's lines.
    pub help: &'static [&'static str],
    /// Needs workers (`-i`).
    pub for_workers: bool,
    /// Sets it.
    pub(super) set: fn(&mut Draft, &str) -> Result<(), InvalidValue>,
}

/// A chapter of the help.
#[derive(Debug)]
pub struct Chapter {
    /// Its title.
    pub title: &'static str,
    /// Its options, in order.
    pub options: &'static [OptionSpec],
}

/// The defaults of an option's fields.
const SWITCH: OptionSpec = OptionSpec {
    short: None,
    long: "",
    value: None,
    repeatable: false,
    help: &[],
    for_workers: false,
    set: |_, _| Ok(()),
};

/// The same for workers.
const FOR_WORKERS: OptionSpec = OptionSpec {
    for_workers: true,
    ..SWITCH
};

/// The chapters, in the help's order.
pub static CHAPTERS: &[Chapter] = &[
    workers::WORKERS,
    workers::SOCKETS,
    life::RESTART,
    life::STOPPING,
    life::RECYCLING,
    process::SIGNALS,
    process::PROCESSES,
    admin::ADMIN,
    process::LOG,
];

/// All options.
pub(super) fn all() -> impl Iterator<Item = &'static OptionSpec> {
    CHAPTERS.iter().flat_map(|chapter| chapter.options)
}

impl OptionSpec {
    /// The option's environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        let name = self.long.to_ascii_uppercase().replace('-', "_");
        format!("PIDONE_{name}")
    }
    /// Whether the value is valid for this option; other options are not considered.
    #[must_use]
    pub fn takes(&self, value: &str) -> bool {
        let command = Command {
            program: "node".into(),
            args: Vec::new(),
        };
        (self.set)(&mut Draft::new(command, String::new()), value).is_ok()
    }
}
