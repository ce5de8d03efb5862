//! What the user asked for, typed: all that the rest of the house knows of the command line.
//!
//! Every value in here is valid; `cli` has already refused what is not.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::{Endpoint, ListenAddress};
use crate::protocol::control::Request;
use crate::rules::RunRules;
pub use crate::rules::{
    Balance, Boot, Inspector, Instances, KillMode, MemoryLimit, PortEnv, Readiness, RestartPolicy,
    RestartRules, SignalRules, StopMode, WorkerRules,
};
use crate::signal::Signal;

/// A whole run of pidone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The program to run, and its arguments.
    pub command: Command,
    /// What becomes of a signal on its way to the child.
    pub signals: SignalRules,
    /// How long a stop may take before SIGKILL (`--grace`); `None`, in single mode only: the
    /// container runtime's own deadline rules.
    pub grace: Option<Duration>,
    /// Sockets that are bound before anything starts, and inherited by children (`--listen`).
    pub listen: Vec<ListenAddress>,
    /// What happens when a child ends by itself.
    pub restart: RestartRules,
    /// N workers (`--instances`); `None`: single mode, a transparent init.
    pub workers: Option<WorkerRules>,
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
    /// Where `pidone ctl` finds it (`--control`).
    pub control: Control,
    /// Where probes and metrics are served (`--http`); `None`: nowhere.
    pub http: Option<Endpoint>,
    /// How pidone itself speaks.
    pub logging: Logging,
    /// Variables that mean this pidone, and would be in the way of another one that runs below it: its
    /// children do not get them.
    pub own_variables: Vec<String>,
}

impl Config {
    /// Nothing said but the command.
    #[must_use]
    pub fn of(command: Command) -> Self {
        Self {
            command,
            signals: SignalRules::default(),
            grace: None,
            listen: Vec::new(),
            restart: RestartRules::default(),
            workers: None,
            subreaper: false,
            parent_death: None,
            expected: Vec::new(),
            user: None,
            warn_on_reap: false,
            control: Control::default(),
            http: None,
            logging: Logging::default(),
            own_variables: Vec::new(),
        }
    }
}

impl Config {
    /// What the supervisor goes by.
    #[must_use]
    pub fn rules(&self) -> RunRules {
        RunRules {
            signals: self.signals.clone(),
            grace: self.grace,
            restart: self.restart.clone(),
            workers: self.workers.clone(),
            expected: self.expected.clone(),
            listens: !self.listen.is_empty(),
        }
    }
}

/// Where `pidone ctl` finds pidone (`--control`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Control {
    /// At the usual places, with `-i` only.
    #[default]
    Default,
    /// At this path, in single mode too.
    Path(PathBuf),
    /// Nowhere.
    Off,
}

/// A program and its arguments, as the user wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// A path, or a name to look for in `PATH`.
    pub program: OsString,
    /// Everything after the program.
    pub args: Vec<OsString>,
}

impl Command {
    /// Program and arguments, as far as they are text.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = std::iter::once(&self.program).chain(&self.args);
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// Whether it is a pidone in its turn, going by its name.
    #[must_use]
    pub fn is_pidone(&self) -> bool {
        std::path::Path::new(&self.program).file_name() == Some("pidone".as_ref())
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// What `pidone ctl` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlCommand {
    /// Where a pidone may be found, the likeliest place first.
    pub places: Vec<PathBuf>,
    /// What to ask it for.
    pub request: Request,
    /// How often `top` looks; `None`: until somebody has seen enough.
    pub count: Option<u32>,
}
