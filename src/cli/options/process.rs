//! Options of both modes: signals, processes and the log.

#![forbid(unsafe_code)]

use super::{Chapter, OptionSpec, SWITCH};
use crate::cli::values::{self, InvalidValue};
use crate::config::LogFormat;

pub(super) const SIGNALS: Chapter = Chapter {
    title: "Signals",
    options: &[
        OptionSpec {
            short: Some('g'),
            long: "group",
            help: &["Send signals to the child's whole process group."],
            set: |draft, value| {
                draft.config.signals.to_group = values::switch(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            short: Some('c'),
            long: "single-child",
            help: &["Send signals to the child alone (the default)."],
            set: |draft, value| {
                draft.config.signals.to_group = !values::switch(value)?;
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
            set: |draft, value| {
                let (from, to) = values::rewrite(value)?;
                let rules = &mut draft.config.signals.rewrites;
                rules.retain(|(earlier, _)| *earlier != from);
                rules.push((from, to));
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            short: Some('p'),
            long: "parent-death",
            value: Some("SIG"),
            help: &["Receive SIG when pidone's own parent dies."],
            set: |draft, value| {
                draft.config.parent_death = Some(values::signal(value)?);
                Ok(())
            },
            ..SWITCH
        },
    ],
};

pub(super) const PROCESSES: Chapter = Chapter {
    title: "Processes",
    options: &[
        OptionSpec {
            short: Some('u'),
            long: "user",
            value: Some("USER[:GROUP]"),
            help: &[
                "Run the child as another user, with no_new_privs; names or",
                "numbers, from /etc/passwd and /etc/group.",
            ],
            set: |draft, value| {
                draft.config.user = Some(values::user(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            short: Some('e'),
            long: "expect",
            value: Some("CODE"),
            repeatable: true,
            help: &["Exit with 0 instead of CODE. Repeatable."],
            set: |draft, value| {
                draft.config.expected.push(values::exit_code(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            short: Some('s'),
            long: "subreaper",
            help: &[
                "Fail if pidone cannot be a subreaper (without this option, it",
                "tries to be one when it is not PID 1).",
            ],
            set: |draft, value| {
                draft.config.subreaper = values::switch(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            short: Some('w'),
            long: "warn-on-reap",
            help: &["Log a warning for each orphan that is reaped."],
            set: |draft, value| {
                draft.config.warn_on_reap = values::switch(value)?;
                Ok(())
            },
            ..SWITCH
        },
    ],
};

pub(super) const LOG: Chapter = Chapter {
    title: "Log (on standard error)",
    options: &[
        OptionSpec {
            short: Some('v'),
            long: "verbose",
            repeatable: true,
            help: &["Log at debug level; -vv: trace."],
            set: |draft, value| {
                let step = values::verbosity(value)?;
                let filter = &mut draft.config.logging.filter;
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
            help: &["Plain text, or NDJSON as Pino writes it (default: text)."],
            set: |draft, value| {
                draft.config.logging.format = match value {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err(InvalidValue::Give("text or json")),
                };
                Ok(())
            },
            ..SWITCH
        },
    ],
};
