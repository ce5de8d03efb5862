//! Options of restarts, stops and limits.

#![forbid(unsafe_code)]

use super::{Chapter, FOR_WORKERS, OptionSpec, SWITCH};
use crate::cli::values::{self, InvalidValue};
use crate::config::{KillMode, RestartPolicy, StopMode};

pub(super) const RESTART: Chapter = Chapter {
    title: "Restarts",
    options: &[
        OptionSpec {
            long: "restart",
            value: Some("WHEN"),
            help: &[
                "Restart a child that has exited: always, on-failure, never",
                "(default: always with -i, else never).",
            ],
            set: |draft, value| {
                let words = [
                    ("always", RestartPolicy::Always),
                    ("on-failure", RestartPolicy::OnFailure),
                    ("never", RestartPolicy::Never),
                ];
                let accepted = InvalidValue::Give("always, on-failure or never");
                draft.restart = Some(values::one_of(value, &words, accepted)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "backoff",
            value: Some("MIN..MAX"),
            help: &[
                "The delay between restarts in a row doubles from MIN to MAX",
                "(default: 100ms..30s); the first one is immediate.",
            ],
            set: |draft, value| {
                let rules = &mut draft.config.restart;
                (rules.min_delay, rules.max_delay) = values::backoff(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "min-uptime",
            value: Some("TIME"),
            help: &["A run of at least TIME resets the delay (default: 10s)."],
            set: |draft, value| {
                draft.config.restart.min_uptime = values::duration(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "max-restarts",
            value: Some("N/WINDOW"),
            help: &[
                "More than N restarts of one worker within WINDOW, or more than",
                "N failed starts in a row, are a crash loop: stop all and exit",
                "with its status (default: 10/60s). Until a worker has been",
                "ready, 5 failed starts in a row are enough.",
            ],
            set: |draft, value| {
                let rules = &mut draft.config.restart;
                (rules.max_restarts, rules.window) = values::rate(value)?;
                Ok(())
            },
            ..SWITCH
        },
    ],
};

pub(super) const STOPPING: Chapter = Chapter {
    title: "Stopping",
    options: &[
        OptionSpec {
            long: "grace",
            value: Some("TIME"),
            help: &[
                "Send SIGKILL to a child that has not exited TIME after the",
                "request to stop, and to processes it leaves behind; 0: at once",
                "(default: 30s with -i; without -i, never to the child, as the",
                "engine has its own deadline, and after 2s to what it leaves).",
            ],
            set: |draft, value| {
                draft.config.grace = Some(values::duration(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "stop-signal",
            value: Some("SIG"),
            help: &[
                "The signal for the child when pidone gets TERM, INT or QUIT",
                "(default: the one it got), and for a worker that is replaced",
                "(default: TERM).",
            ],
            set: |draft, value| {
                draft.config.signals.stop = Some(values::signal(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "stop",
            value: Some("drain|signal"),
            help: &[
                "drain: workers finish their requests and exit; an app's handler",
                "of the stop signal is called with --http-drain only. signal:",
                "workers get the signal first; only for apps that handle it",
                "(default: drain; with --channel off: signal). Needs -i.",
            ],
            set: |draft, value| {
                let words = [("drain", StopMode::Drain), ("signal", StopMode::Signal)];
                draft.stop = Some(values::one_of(
                    value,
                    &words,
                    InvalidValue::Give("drain or signal"),
                )?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "kill-mode",
            value: Some("group|process"),
            help: &[
                "group: processes that a worker leaves in its process group when",
                "it exits get SIGTERM, and SIGKILL after 2 s (those with a session",
                "of their own stay); process: they keep running (default:",
                "group). Needs -i.",
            ],
            set: |draft, value| {
                let words = [("group", KillMode::Group), ("process", KillMode::Process)];
                let accepted = InvalidValue::Give("group or process");
                draft.kill_mode = Some(values::one_of(value, &words, accepted)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "http-drain",
            value: Some("TIME"),
            help: &[
                "Answer with Connection: close for TIME before a worker closes",
                "its connections, so that keep-alive clients lose no request;",
                "5s, Node.js' own keep-alive timeout, is enough (default: off).",
                "Needs Node.js 18.19 or newer, and -i.",
            ],
            set: |draft, value| {
                draft.http_drain = Some(values::some_time(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "drain-delay",
            value: Some("TIME"),
            help: &[
                "Keep serving for TIME after a request to stop, until load",
                "balancers stop sending traffic (default: 0). Needs -i.",
            ],
            set: |draft, value| {
                draft.drain_delay = Some(values::duration(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
    ],
};

pub(super) const RECYCLING: Chapter = Chapter {
    title: "Limits (all of these with -i)",
    options: &[
        OptionSpec {
            long: "max-memory",
            value: Some("SIZE"),
            help: &[
                "Replace a worker that uses more memory, successor first:",
                "300M, 1G, or 40% of the container's limit (default: off).",
            ],
            set: |draft, value| {
                draft.max_memory = Some(values::memory(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "max-age",
            value: Some("TIME"),
            help: &[
                "Replace a worker that has run for TIME (10% more or less),",
                "successor first (default: off).",
            ],
            set: |draft, value| {
                draft.max_age = Some(values::some_time(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "hang-timeout",
            value: Some("TIME"),
            help: &[
                "Kill and replace a worker whose event loop is blocked for TIME,",
                "at least 1s (default: off).",
            ],
            set: |draft, value| {
                draft.hang_timeout = Some(values::hang(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "unresponsive-after",
            value: Some("TIME"),
            help: &[
                "Not ready when every worker's event loop has left a check (by",
                "probes, ready or status) unanswered for TIME, at least 1s",
                "(default: 5s).",
            ],
            set: |draft, value| {
                draft.unresponsive_after = Some(values::hang(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
    ],
};
