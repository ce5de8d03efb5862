//! The configuration, typed: all that the other modules know of the command line.
//!
//! Every value is valid; `cli` has already rejected invalid ones.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::{Endpoint, ListenAddress};
use crate::admin::control::ControlRequest;
use crate::rules::RunRules;
pub use crate::rules::{
    Balance, Boot, Inspector, Instances, KillMode, MemoryLimit, PortEnv, Readiness, RestartPolicy,
    RestartRules, SignalRules, StopMode, Surge, WorkerRules,
};
use crate::signal::Signal;

/// The configuration of a run of pidone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The program to run, and its arguments.
    pub command: Command,
    /// How signals are passed to the child.
    pub signals: SignalRules,
    /// How long a stop may take before SIGKILL (`--grace`); `None`, in single mode only: the
    /// container runtime's own timeout applies.
    pub grace: Option<Duration>,
    /// Sockets that are bound before the first child starts, and inherited by children (`--listen`).
    pub listen: Vec<ListenAddress>,
    /// What happens when a child exits by itself.
    pub restart: RestartRules,
    /// N workers (`--instances`); `None`: single mode, a transparent init.
    pub workers: Option<WorkerRules>,
    /// Follow the container's limits while it lives (`--follow-limits`).
    pub follow_limits: bool,
    /// Another variable for the number in `NODE_APP_INSTANCE` (`--instance-var`).
    pub instance_var: Option<String>,
    /// Tell workers apart for OpenTelemetry (`--otel-instance`).
    pub otel_instance: bool,
    /// Pass on all messages of workers to other workers (`--relay`).
    pub relay: bool,
    /// Fail unless pidone can be a subreaper (`--subreaper`).
    pub subreaper: bool,
    /// The signal that pidone gets when its own parent dies (`--parent-death`).
    pub parent_death: Option<Signal>,
    /// Exit statuses that are reported as 0 (`--expect`).
    pub expected: Vec<u8>,
    /// The user the child runs as (`--user`); `None`: pidone's own.
    pub user: Option<UserSpec>,
    /// Log each orphan that is reaped (`--warn-on-reap`).
    pub warn_on_reap: bool,
    /// The control socket (`--control`).
    pub control: Control,
    /// The address for probes and metrics (`--http`); `None`: off.
    pub http: Option<Endpoint>,
    /// Serve the live page and the status there, too (`--http-page`).
    pub http_page: bool,
    /// Add the app's own metrics (`--app-metrics`).
    pub app_metrics: bool,
    /// pidone's own log.
    pub logging: Logging,
    /// Variables for this pidone that its children do not inherit, as a nested pidone would
    /// apply them too.
    pub own_variables: Vec<String>,
}

impl Config {
    /// A configuration without options.
    #[must_use]
    pub fn of(command: Command) -> Self {
        Self {
            command,
            signals: SignalRules::default(),
            grace: None,
            listen: Vec::new(),
            restart: RestartRules::default(),
            workers: None,
            follow_limits: true,
            instance_var: None,
            otel_instance: false,
            relay: false,
            subreaper: false,
            parent_death: None,
            expected: Vec::new(),
            user: None,
            warn_on_reap: false,
            control: Control::default(),
            http: None,
            http_page: true,
            app_metrics: false,
            logging: Logging::default(),
            own_variables: Vec::new(),
        }
    }
}

impl Config {
    /// The rules of the supervisor.
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

/// The control socket (`--control`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Control {
    /// At the default paths, with `-i` only.
    #[default]
    Default,
    /// At this path, also in single mode.
    Path(PathBuf),
    /// None.
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
    /// Program and arguments as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = std::iter::once(&self.program).chain(&self.args);
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// Whether it is a nested pidone, judged by its name.
    #[must_use]
    pub fn is_pidone(&self) -> bool {
        std::path::Path::new(&self.program).file_name() == Some("pidone".as_ref())
    }
}

/// `USER[:GROUP]`, names or numbers, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// A name in /etc/passwd, or a number.
    pub user: String,
    /// A name in /etc/group, or a number; `None`: the user's own group.
    pub group: Option<String>,
}

/// pidone's own log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `--log-format`.
    pub format: LogFormat,
    /// A filter in `env_logger`'s form, from `PIDONE_LOG` or `-v`.
    pub filter: String,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// NDJSON in the shape of Pino's lines.
    Json,
}

/// A command of `pidone ctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlCommand {
    /// The paths to try for the control socket, in order.
    pub places: Vec<PathBuf>,
    /// The request.
    pub request: ControlRequest,
    /// The number of updates of `top`; `None`: until the user quits.
    pub count: Option<u32>,
}
