//! The options given so far. When all were read, sets the defaults, also those of `-i`, and rejects
//! combinations without effect.

#![forbid(unsafe_code)]

mod channel;
mod naming;
mod restarts;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::error::CliError;
use super::options::OptionSpec;
use super::values;
use crate::address::{ListenAddress, UnixName};
use crate::config::{
    Balance, Boot, Command, Config, Control, Instances, KillMode, Logging, MemoryLimit, PortEnv,
    Readiness, RestartPolicy, StopMode, Surge, WorkerRules,
};
use crate::launch::{ReadFile, inspector};
use crate::text::HumanDuration;
use channel::ChannelChoice;

/// The default grace period and ready timeout of workers.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The default of `--unresponsive-after`.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(5);

/// The ready timeout of a worker that waits for a debugger: a year.
const DEBUGGER_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// The given options. `None`: not given, so that a default can depend on other options.
#[derive(Debug)]
pub(super) struct Draft {
    /// Options whose defaults do not depend on other options.
    pub(super) config: Config,
    pub(super) restart: Option<RestartPolicy>,
    pub(super) instances: Option<Instances>,
    pub(super) channel: Option<bool>,
    pub(super) port_env: Option<String>,
    pub(super) balance: Option<Balance>,
    pub(super) ready: Option<Readiness>,
    pub(super) ready_timeout: Option<Duration>,
    pub(super) boot: Option<Boot>,
    pub(super) surge: Option<Surge>,
    pub(super) spares: Option<u16>,
    pub(super) stop: Option<StopMode>,
    pub(super) kill_mode: Option<KillMode>,
    pub(super) http_drain: Option<Duration>,
    pub(super) drain_delay: Option<Duration>,
    pub(super) max_memory: Option<MemoryLimit>,
    pub(super) max_age: Option<Duration>,
    pub(super) hang_timeout: Option<Duration>,
    pub(super) unresponsive_after: Option<Duration>,
}

/// An option that was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) option: &'static OptionSpec,
    /// Given as its variable, not on the command line.
    pub(super) variable: bool,
}

/// The options as given, and the environment.
pub(super) struct Surroundings<'a> {
    pub(super) given: &'a [Given],
    pub(super) environment: &'a [(OsString, OsString)],
    pub(super) read_file: ReadFile<'a>,
}

impl Surroundings<'_> {
    /// The name under which an option was given: its own or that of its variable.
    fn name(&self, long: &str) -> String {
        let given = self.given.iter().find(|given| given.option.long == long);
        match given {
            Some(given) if given.variable => given.option.variable(),
            _ => format!("--{long}"),
        }
    }

    fn is_given(&self, long: &str) -> bool {
        self.given.iter().any(|given| given.option.long == long)
    }

    fn unusable<T>(&self, long: &str, why: impl Into<String>) -> Result<T, CliError> {
        Err(CliError::Unusable {
            name: self.name(long),
            why: why.into(),
        })
    }

    /// A variable of the environment, if it is not empty.
    fn variable(&self, name: &str) -> Option<&OsString> {
        let mut all = self.environment.iter();
        let (_, value) = all.find(|(known, _)| known == name)?;
        Some(value).filter(|value| !value.is_empty())
    }
}

impl Draft {
    /// A draft without options.
    pub(super) fn new(command: Command, filter: String) -> Self {
        Self {
            config: Config {
                logging: Logging {
                    filter,
                    ..Logging::default()
                },
                ..Config::of(command)
            },
            restart: None,
            instances: None,
            channel: None,
            port_env: None,
            balance: None,
            ready: None,
            ready_timeout: None,
            boot: None,
            surge: None,
            spares: None,
            stop: None,
            kill_mode: None,
            http_drain: None,
            drain_delay: None,
            max_memory: None,
            max_age: None,
            hang_timeout: None,
            unresponsive_after: None,
        }
    }

    /// The complete configuration, and warnings.
    pub(super) fn finish(
        mut self,
        around: &Surroundings<'_>,
    ) -> Result<(Config, Vec<String>), CliError> {
        let mut warnings = Vec::new();
        let workers = self.instances.is_some();
        self.config.restart.policy = self.restart.unwrap_or(if workers {
            RestartPolicy::Always
        } else {
            RestartPolicy::Never
        });
        self.check_restarts(around, &mut warnings)?;
        self.check_admin(around)?;
        match self.instances {
            Some(instances) => {
                self.config.grace.get_or_insert(DEFAULT_TIMEOUT);
                let rules = self.workers(instances, around, &mut warnings)?;
                self.check_instance_var(&rules, around)?;
                self.check_otel_instance(around, &mut warnings);
                self.config.workers = Some(rules);
            }
            None => {
                if let Some(given) = around.given.iter().find(|given| given.option.for_workers) {
                    let why = "needs workers: add -i N";
                    return around.unusable(given.option.long, why);
                }
            }
        }
        Ok((self.config, warnings))
    }

    /// Metrics need an endpoint, and the app's sockets must not have its address.
    fn check_admin(&self, around: &Surroundings<'_>) -> Result<(), CliError> {
        let config = &self.config;
        if config.app_metrics && config.http.is_none() {
            let why = "the metrics are served by --http; add --http ADDR, or leave it out";
            return around.unusable("app-metrics", why);
        }
        let is_taken = |address: &&ListenAddress| match (address, config.http, &config.control) {
            (ListenAddress::Tcp(app), Some(http), _) => http.port != 0 && http == *app,
            (ListenAddress::Unix(UnixName::Path(app)), _, Control::Path(own)) => {
                app == own.as_os_str().as_bytes()
            }
            _ => false,
        };
        let Some(address) = config.listen.iter().find(is_taken) else {
            return Ok(());
        };
        let (long, what) = match address {
            ListenAddress::Unix(_) => ("control", "path"),
            _ => ("http", "address"),
        };
        let listen = around.name("listen");
        let why = format!("{address} is already used by {listen}; use another {what}");
        around.unusable(long, why)
    }

    fn workers(
        &mut self,
        instances: Instances,
        around: &Surroundings<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<WorkerRules, CliError> {
        let instances = resolve(instances, around)?;
        let channel = self.find_channel(around, warnings)?;
        if let ChannelChoice::Off(why) = &channel {
            self.check_without_channel(why, around)?;
            warnings.extend(self.unshared_port_warning(why));
        }
        let channel = matches!(channel, ChannelChoice::On);
        let port_env = match &self.port_env {
            Some(name) => Some(find_ports(name, instances, around)?),
            None => None,
        };
        self.check_readiness(around)?;
        self.check_spares(around)?;
        self.check_http_drain(around)?;
        let node_options = around
            .variable("NODE_OPTIONS")
            .map(|text| text.to_string_lossy());
        let inspector = inspector::asked_for(
            &self.config.command.words(),
            node_options.as_deref().unwrap_or_default(),
        );
        let ready = self.ready.unwrap_or(match (channel, &port_env) {
            (true, _) => Readiness::Listen,
            (false, Some(_)) => Readiness::Port,
            (false, None) => Readiness::None,
        });
        if self.boot == Some(Boot::First) && ready == Readiness::None {
            let why = "first waits until a worker is ready, which needs a readiness check; \
                       give --ready listen, message, notify or port, or leave it out";
            return around.unusable("boot", why);
        }
        Ok(WorkerRules {
            instances,
            channel,
            balance: self.balance.unwrap_or(Balance::Auto),
            ready,
            port_env,
            ready_timeout: match inspector {
                Some(inspector) if inspector.waits => DEBUGGER_TIMEOUT,
                _ => self.ready_timeout.unwrap_or(DEFAULT_TIMEOUT),
            },
            inspector,
            boot: self.boot.unwrap_or(Boot::Together),
            surge: self.surge.unwrap_or_default(),
            spares: self.spares.unwrap_or(0),
            stop: self.stop.unwrap_or(if channel {
                StopMode::Drain
            } else {
                StopMode::Signal
            }),
            kill_mode: self.kill_mode.unwrap_or(KillMode::Group),
            http_drain: self.http_drain,
            drain_delay: self.drain_delay.unwrap_or(Duration::ZERO),
            max_memory: self.max_memory,
            max_age: self.max_age,
            hang_timeout: self.hang_timeout,
            unresponsive_after: self.unresponsive_after.unwrap_or(UNRESPONSIVE_AFTER),
        })
    }

    fn check_readiness(&self, around: &Surroundings<'_>) -> Result<(), CliError> {
        if self.ready == Some(Readiness::Port) && self.port_env.is_none() {
            let why = "port connects to each worker's own port; add --port-env NAME, or use another value";
            return around.unusable("ready", why);
        }
        if self.ready == Some(Readiness::None) && self.ready_timeout.is_some() {
            let ready = around.name("ready");
            let why = format!("with none as {ready}, a worker is ready at once; leave one out");
            return around.unusable("ready-timeout", why);
        }
        Ok(())
    }

    fn check_spares(&self, around: &Surroundings<'_>) -> Result<(), CliError> {
        if self.spares.unwrap_or(0) == 0 {
            return Ok(());
        }
        if self.port_env.is_some() {
            let other = around.name("port-env");
            let why =
                format!("a spare needs its port before it knows its slot; leave it or {other} out");
            return around.unusable("spares", why);
        }
        if self.config.restart.policy == RestartPolicy::Never {
            let other = around.name("restart");
            let why = format!("a spare replaces a worker that exited; leave it or {other} out");
            return around.unusable("spares", why);
        }
        Ok(())
    }

    /// The announcement must be shorter than the part of the grace period before the signal.
    fn check_http_drain(&self, around: &Surroundings<'_>) -> Result<(), CliError> {
        let (Some(announced), Some(grace)) = (self.http_drain, self.config.grace) else {
            return Ok(());
        };
        let before_signal = grace / 5 * 4;
        if announced < before_signal {
            return Ok(());
        }
        let [announced, grace, before_signal] =
            [announced, grace, before_signal].map(HumanDuration);
        let why = format!(
            "{announced} is too long for a --grace of {grace}, \
             four fifths of which come before the stop signal; \
             give less than {before_signal}, or a longer --grace"
        );
        around.unusable("http-drain", why)
    }
}

/// Resolves `auto` if a variable sets the number.
fn resolve(instances: Instances, around: &Surroundings<'_>) -> Result<Instances, CliError> {
    const NAME: &str = "WEB_CONCURRENCY";
    match (instances, around.variable(NAME)) {
        (Instances::Auto, Some(value)) => values::concurrency(&value.to_string_lossy())
            .map(Instances::Count)
            .map_err(|wrong| CliError::bad(NAME.to_owned(), value.clone(), wrong)),
        _ => Ok(instances),
    }
}

/// The workers' ports, which begin at the variable's value.
fn find_ports(
    name: &str,
    instances: Instances,
    around: &Surroundings<'_>,
) -> Result<PortEnv, CliError> {
    let Some(value) = around.variable(name) else {
        let why = format!(
            "{name} is not set for pidone itself; set it to the first worker's port, \
             as in {name}=3000"
        );
        return around.unusable("port-env", why);
    };
    let value = value.to_string_lossy();
    let Some(base) = values::port(&value) else {
        let why = format!("{name} is \"{value}\", not a port; set it to a number from 1 to 65535");
        return around.unusable("port-env", why);
    };
    if let Instances::Count(count) = instances
        && u32::from(base) + u32::from(count) - 1 > u32::from(u16::MAX)
    {
        let why = format!(
            "{count} workers from port {base} on need ports above 65535; \
             set {name} to {} or less",
            u32::from(u16::MAX) + 1 - u32::from(count)
        );
        return around.unusable("port-env", why);
    }
    Ok(PortEnv {
        name: name.to_owned(),
        base,
    })
}
