//! The table of options: names, values and effects. Help, variables and parser all use
//! this table only.

#![forbid(unsafe_code)]

mod admin;
mod life;
mod process;
mod workers;

use super::draft::Draft;
use super::values::InvalidValue;

/// One option.
#[derive(Debug)]
pub(super) struct OptionSpec {
    /// The letter after one dash.
    pub(super) short: Option<char>,
    /// The name after two dashes.
    pub(super) long: &'static str,
    /// The value's placeholder in the help; `None`: a switch.
    pub(super) value: Option<&'static str>,
    /// May be given more than once; its variable holds a list with commas.
    pub(super) repeatable: bool,
    /// The help's lines.
    pub(super) help: &'static [&'static str],
    /// Needs workers (`-i`).
    pub(super) for_workers: bool,
    /// Sets it.
    pub(super) set: fn(&mut Draft, &str) -> Result<(), InvalidValue>,
}

/// A chapter of the help.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) title: &'static str,
    pub(super) options: &'static [OptionSpec],
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

pub(super) static CHAPTERS: &[Chapter] = &[
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
    pub(super) fn variable(&self) -> String {
        let name = self.long.to_ascii_uppercase().replace('-', "_");
        format!("PIDONE_{name}")
    }
}
