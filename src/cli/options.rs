//! Each option once: its names, what it takes, and what it does. Help, variables and parser read
//! this table and nothing else.

#![forbid(unsafe_code)]

use super::values::{self, Wrong};
use crate::config::{Config, LogFormat};

/// One option.
#[derive(Debug)]
pub(super) struct OptionSpec {
    /// The letter after one dash.
    pub(super) short: Option<char>,
    /// The name after two dashes.
    pub(super) long: &'static str,
    /// What the value stands for in the help; `None`: a switch.
    pub(super) value: Option<&'static str>,
    /// May be given more than once; its variable holds a list with commas.
    pub(super) repeatable: bool,
    /// The help's lines.
    pub(super) help: &'static [&'static str],
    /// What giving it means.
    pub(super) set: fn(&mut Config, &str) -> Result<(), Wrong>,
}

/// A chapter of the help.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) title: &'static str,
    pub(super) options: &'static [OptionSpec],
}

/// An option's place in the table when nothing more is said of it.
const SWITCH: OptionSpec = OptionSpec {
    short: None,
    long: "",
    value: None,
    repeatable: false,
    help: &[],
    set: |_, _| Ok(()),
};

pub(super) static CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Signals",
        options: &[
            OptionSpec {
                short: Some('g'),
                long: "group",
                help: &["Send signals to the child's whole process group."],
                set: |config, value| {
                    config.signals.to_group = values::switch(value)?;
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                short: Some('c'),
                long: "single-child",
                help: &["Send signals to the child alone (the default)."],
                set: |config, value| {
                    config.signals.to_group = !values::switch(value)?;
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                short: Some('r'),
                long: "rewrite",
                value: Some("FROM:TO"),
                repeatable: true,
                help: &[
                    "Send TO when FROM is received; 0 as TO drops it.",
                    "Names or numbers: TERM:QUIT, SIGHUP:0, 15:3. Repeatable.",
                ],
                set: |config, value| {
                    let (from, to) = values::rewrite(value)?;
                    let rules = &mut config.signals.rewrites;
                    rules.retain(|(earlier, _)| *earlier != from);
                    rules.push((from, to));
                    Ok(())
                },
            },
            OptionSpec {
                long: "stop-signal",
                value: Some("SIG"),
                help: &[
                    "What the child gets when TERM, INT or QUIT asks to stop",
                    "(default: the signal that was received).",
                ],
                set: |config, value| {
                    config.signals.stop = Some(values::signal(value)?);
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                long: "grace",
                value: Some("TIME"),
                help: &[
                    "SIGKILL for a child that has not ended this long after it",
                    "was asked to, and for what it leaves behind (default: the",
                    "child's end is never forced; what it leaves has 2s).",
                ],
                set: |config, value| {
                    config.grace = Some(values::duration(value)?);
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                short: Some('p'),
                long: "parent-death",
                value: Some("SIG"),
                help: &["Receive SIG when pidone's own parent dies."],
                set: |config, value| {
                    config.parent_death = Some(values::signal(value)?);
                    Ok(())
                },
                ..SWITCH
            },
        ],
    },
    Chapter {
        title: "Processes",
        options: &[
            OptionSpec {
                short: Some('u'),
                long: "user",
                value: Some("USER[:GROUP]"),
                help: &[
                    "Run the child as somebody else, names or numbers of",
                    "/etc/passwd and /etc/group, with no_new_privs.",
                ],
                set: |config, value| {
                    config.user = Some(values::user(value)?);
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                short: Some('e'),
                long: "expect",
                value: Some("CODE"),
                repeatable: true,
                help: &["Leave with 0 when the status would be CODE. Repeatable."],
                set: |config, value| {
                    config.expected.push(values::exit_code(value)?);
                    Ok(())
                },
            },
            OptionSpec {
                short: Some('s'),
                long: "subreaper",
                help: &[
                    "Insist on adopting orphans (done by itself where pidone is",
                    "not PID 1; with this, it is an error if that fails).",
                ],
                set: |config, value| {
                    config.subreaper = values::switch(value)?;
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                short: Some('w'),
                long: "warn-on-reap",
                help: &["Log a warning for each orphan that is reaped."],
                set: |config, value| {
                    config.warn_on_reap = values::switch(value)?;
                    Ok(())
                },
                ..SWITCH
            },
        ],
    },
    Chapter {
        title: "Log (on standard error)",
        options: &[
            OptionSpec {
                short: Some('v'),
                long: "verbose",
                repeatable: true,
                help: &["Say what is done; -vv: say everything."],
                set: |config, value| {
                    let step = values::verbosity(value)?;
                    let filter = &mut config.logging.filter;
                    let so_far = match filter.as_str() {
                        "debug" => 1,
                        "trace" => 2,
                        _ => 0,
                    };
                    match so_far + step {
                        0 => {}
                        1 => "debug".clone_into(filter),
                        _ => "trace".clone_into(filter),
                    }
                    Ok(())
                },
                ..SWITCH
            },
            OptionSpec {
                long: "log-format",
                value: Some("text|json"),
                help: &["Lines for people, or NDJSON in the shape of Pino's (default: text)."],
                set: |config, value| {
                    config.logging.format = match value {
                        "text" => LogFormat::Text,
                        "json" => LogFormat::Json,
                        _ => return Err(Wrong("text or json")),
                    };
                    Ok(())
                },
                ..SWITCH
            },
        ],
    },
];

/// Every option there is.
pub(super) fn all() -> impl Iterator<Item = &'static OptionSpec> {
    CHAPTERS.iter().flat_map(|chapter| chapter.options)
}

impl OptionSpec {
    /// The environment variable that stands for the option.
    pub(super) fn variable(&self) -> String {
        let name = self.long.to_ascii_uppercase().replace('-', "_");
        format!("PIDONE_{name}")
    }
}
