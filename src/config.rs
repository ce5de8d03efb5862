//! What the user asked for, typed: all that the rest of the house knows of the command line.
//!
//! Every value in here is valid; `cli` has already refused what is not.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::time::Duration;

use crate::signal::Signal;

/// A whole run of pidone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The program to run, and its arguments.
    pub command: Command,
    /// What becomes of a signal on its way to the child.
    pub signals: SignalRules,
    /// How long a stop may take before SIGKILL (`--grace`); `None`: the container runtime's own
    /// deadline rules.
    pub grace: Option<Duration>,
    /// Insist on being a subreaper (`--subreaper`): failing to become one is an error.
    pub subreaper: bool,
    /// The signal that pidone gets when its own parent dies (`--parent-death`).
    pub parent_death: Option<Signal>,
    /// Exit statuses that are reported as 0 (`--expect`).
    pub expected: Vec<u8>,
    /// Who the child runs as (`--user`); `None`: as pidone itself.
    pub user: Option<UserSpec>,
    /// Log each orphan that is reaped (`--warn-on-reap`).
    pub warn_on_reap: bool,
    /// How pidone itself speaks.
    pub logging: Logging,
}

/// A program and its arguments, as the user wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// A path, or a name to look for in `PATH`.
    pub program: OsString,
    /// Everything after the program.
    pub args: Vec<OsString>,
}

/// What becomes of a signal on its way to the child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalRules {
    /// Send to the child's process group (`--group`), not to the child alone.
    pub to_group: bool,
    /// `--rewrite FROM:TO`, at most one per FROM; `None`: the signal is dropped.
    pub rewrites: Vec<(Signal, Option<Signal>)>,
    /// What the child gets when TERM, INT or QUIT asks to stop (`--stop-signal`); `None`: the
    /// signal that was received.
    pub stop: Option<Signal>,
}

/// `USER[:GROUP]`, names or numbers, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// A name of /etc/passwd, or a number.
    pub user: String,
    /// A name of /etc/group, or a number; `None`: the user's own group.
    pub group: Option<String>,
}

/// How pidone itself speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `--log-format`.
    pub format: LogFormat,
    /// A filter in `env_logger`'s form: `PIDONE_LOG`, or what `-v` asks for.
    pub filter: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// NDJSON in the shape of Pino's lines.
    Json,
}
