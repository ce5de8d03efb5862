//! Preparing the run, and starting workers.

#![forbid(unsafe_code)]

use std::env;
use std::fs::File;
use std::io::{IsTerminal, stdin};
use std::mem;
use std::os::fd::{AsFd, OwnedFd};

use super::drain_module;
use super::environment::{self, Variables};
use super::error::RunError;
use super::notices;
use super::ports::Ports;
use crate::config::{Balance, Config, MemoryLimit, Readiness};
use crate::launch::inspector;
use crate::ports::BindRights;
use crate::supervisor::Start;
use crate::sys::channel::Channel;
use crate::sys::directory::StartDirectory;
use crate::sys::environment::Environment;
use crate::sys::identity::Identity;
use crate::sys::notify::NotifySocket;
use crate::sys::process::{Inheritance, PreparedCommand, Setup};
use crate::sys::{activation, cgroup, host, leftovers, prctl};

/// Prepares the process, and binds the addresses of `--listen`.
pub(super) fn prepare(config: &Config) -> Result<Ports, RunError> {
    if let Some(signal) = config.parent_death {
        prctl::signal_on_parent_death(signal).map_err(RunError::ParentDeath)?;
    }
    if !leftovers::is_init()
        && let Err(error) = prctl::become_subreaper()
    {
        if config.subreaper {
            return Err(RunError::Subreaper(error));
        }
        notices::no_subreaper(&error);
    }
    let balance = match &config.workers {
        // With --port-env each port belongs to one worker.
        Some(workers) if workers.port_env.is_none() => workers.balance,
        _ => Balance::Shared,
    };
    let rights = match config.user {
        None => BindRights::Own,
        Some(_) => BindRights::Less {
            ports_from: host::unprivileged_ports_from(),
        },
    };
    let mut ports = Ports::new(balance, rights);
    ports.open(balance, &config.listen, activation::take()?)?;
    Ok(ports)
}

/// `--max-memory` in bytes.
pub(super) fn max_memory(config: &Config) -> Result<Option<u64>, RunError> {
    let workers = config.workers.as_ref();
    match workers.and_then(|workers| workers.max_memory) {
        None => Ok(None),
        Some(MemoryLimit::Bytes(bytes)) => Ok(Some(bytes)),
        Some(MemoryLimit::Percent(percent)) => match cgroup::memory_limit() {
            Some(limit) => Ok(Some(limit / 100 * u64::from(percent))),
            None => Err(RunError::NoMemoryLimit(percent)),
        },
    }
}

/// Where workers send `READY=1` with `--ready notify`.
pub(super) fn notify_socket(config: &Config) -> Result<Option<NotifySocket>, RunError> {
    let workers = config.workers.as_ref();
    let wanted = workers.is_some_and(|workers| workers.ready == Readiness::Notify);
    let socket = wanted.then(NotifySocket::open).transpose();
    socket.map_err(RunError::System)
}

/// Workers get /dev/null instead of a terminal as standard input: they are in the background, where the
/// kernel stops a process that reads from the terminal (SIGTTIN, termios(3)). Several programs could
/// not share it anyway.
fn stdin_of_workers(config: &Config) -> Option<OwnedFd> {
    if config.workers.is_none() || !stdin().is_terminal() {
        return None;
    }
    match File::open("/dev/null") {
        Ok(null) => {
            notices::terminal_replaced();
            Some(null.into())
        }
        Err(error) => {
            notices::terminal_not_replaced(&error);
            None
        }
    }
}

/// The base of the children's environments; `None`: pidone's own, unchanged.
fn inherited(config: &Config) -> Option<Environment> {
    if config.workers.is_none() && config.own_variables.is_empty() {
        return None;
    }
    let mut environment = Environment::own();
    for name in &config.own_variables {
        environment.remove(name);
    }
    Some(environment)
}

/// Starts the command.
#[derive(Debug)]
pub(super) struct Starter<'a> {
    config: &'a Config,
    program: PreparedCommand,
    setup: Setup,
    /// The base of the children's environments; `None`: pidone's own.
    environment: Option<Environment>,
    /// The host's name, for `--otel-instance`.
    otel_host: Option<String>,
    /// `NOTIFY_SOCKET`.
    notify: Option<Vec<u8>>,
    /// The module of `--http-drain` is to be loaded, and that is not in the command itself.
    loads_drain_module: bool,
    /// The position of the inspector's port in the command, if it is known to run Node.js.
    inspector_at: Option<usize>,
    directory: Option<StartDirectory>,
    /// The last start found no directory at its path, and the log says so.
    is_directory_missing: bool,
}

impl<'a> Starter<'a> {
    /// `foreground`: the child gets the terminal. `open_files`: its soft limit, if pidone has changed
    /// its own.
    pub(super) fn new(
        config: &'a Config,
        foreground: bool,
        notify: Option<&NotifySocket>,
        open_files: Option<u64>,
    ) -> Result<Self, RunError> {
        let identity = config.user.as_ref().map(Identity::look_up).transpose()?;
        let workers = config.workers.as_ref();
        let http_drain = workers.and_then(|workers| workers.http_drain);
        let path = env::var_os("PATH");
        let mut loads_drain_module = http_drain.is_some();
        let look_up = |command| {
            PreparedCommand::new(command, path.as_deref())
                .map_err(|error| RunError::of_command(&config.command, error))
        };
        let mut program = look_up(&config.command)?;
        let mut inspector_at = inspector::place(&config.command.words());
        if loads_drain_module
            && let script = program.script()
            && let Some(command) = drain_module::added_to(&config.command, script.as_ref())
        {
            let with_module = look_up(&command)?;
            // Without Node.js in PATH, the error must name the user's own command.
            if with_module.exists() {
                program = with_module;
                inspector_at = inspector::place(&command.words());
                loads_drain_module = false;
            }
        }
        let mut environment = inherited(config);
        if let Some(environment) = environment.as_mut().filter(|_| http_drain.is_some()) {
            environment.set(drain_module::VARIABLE, drain_module::url());
        }
        Ok(Self {
            config,
            program,
            setup: Setup {
                foreground,
                identity,
                open_files,
                stdin: stdin_of_workers(config),
            },
            otel_host: config.otel_instance.then(host::name),
            notify: notify.map(|socket| socket.name().to_owned()),
            loads_drain_module,
            inspector_at,
            environment,
            directory: StartDirectory::find(),
            is_directory_missing: false,
        })
    }

    /// Follows the path of the directory to start in, which may be a link to another release now.
    fn follow_directory(&mut self) {
        let Some(directory) = &mut self.directory else {
            return;
        };
        let followed = directory.follow();
        let was_missing = mem::replace(&mut self.is_directory_missing, followed.is_err());
        if let Err(error) = followed
            && !was_missing
        {
            notices::no_start_directory(directory.path(), &error);
        }
    }

    /// The user of the workers, if it is not pidone's own.
    pub(super) fn user(&self) -> Option<u32> {
        self.setup.identity.as_ref().map(|identity| identity.uid)
    }

    /// The port of an instance with `--port-env`.
    pub(super) fn port(&self, instance: usize) -> Option<u16> {
        let port_env = self.config.workers.as_ref()?.port_env.as_ref()?;
        port_env.port_of(instance)
    }

    /// The port for the inspector of a new worker. `is_taken`: another worker uses it.
    pub(super) fn inspect_port(
        &self,
        start: &Start,
        is_taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let asked = self.config.workers.as_ref()?.inspector?;
        Some(inspector::port(asked.base, start.instance, is_taken))
    }

    /// Starts a worker. Returns its process id, and the channel if it has one.
    pub(super) fn start(
        &mut self,
        start: &Start,
        inspect_port: Option<u16>,
        ports: &Ports,
    ) -> Result<(i32, Option<Channel>), RunError> {
        self.follow_directory();
        let sockets = ports.inherited_by(start.member);
        let (mut descriptors, names): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        let workers = self.config.workers.as_ref();
        let channel = match workers {
            Some(workers) if workers.channel => Some(Channel::pair().map_err(RunError::Channel)?),
            _ => None,
        };
        // After the sockets, whose numbers are fixed.
        descriptors.extend(channel.as_ref().map(|(_, theirs)| theirs.as_fd()));
        let environment = match &self.environment {
            Some(own) if workers.is_some() => {
                let variables = Variables {
                    worker: start.worker,
                    instance: start.instance,
                    sockets: &names,
                    has_channel: channel.is_some(),
                    instance_var: self.config.instance_var.as_deref(),
                    otel_host: self.otel_host.as_deref(),
                    port_env: workers.and_then(|workers| workers.port_env.as_ref()),
                    notify_socket: self.notify.as_deref(),
                    loads_drain_module: self.loads_drain_module,
                    inspect_port: inspect_port.filter(|_| self.inspector_at.is_none()),
                };
                Some(variables.added_to(own))
            }
            own if names.is_empty() => own.clone(),
            own => {
                let own = own.clone().unwrap_or_else(Environment::own);
                Some(environment::with_sockets(own, &names))
            }
        };
        let inheritance = Inheritance {
            descriptors: &descriptors,
            environment: environment.as_ref(),
            directory: self.directory.as_ref().map(StartDirectory::directory),
        };
        let with_port = inspect_port.zip(self.inspector_at);
        let spawned = match with_port {
            Some((port, at)) => self
                .program
                .with_word(at, &inspector::option(port))
                .and_then(|program| program.spawn(&self.setup, inheritance)),
            None => self.program.spawn(&self.setup, inheritance),
        };
        let pid = spawned.map_err(|error| RunError::of_command(&self.config.command, error))?;
        Ok((pid, channel.map(|(ours, _)| ours)))
    }
}
