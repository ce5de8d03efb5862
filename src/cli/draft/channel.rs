//! Decides whether workers have Node.js' channel, and rejects options that need one without it.

#![forbid(unsafe_code)]

use std::ffi::OsString;

use super::{Draft, Surroundings};
use crate::cli::error::CliError;
use crate::config::{Balance, Readiness, StopMode};
use crate::launch::{self, Known};

/// Whether there is a channel, and if not, the option or command that disables it.
pub(super) enum ChannelChoice {
    On,
    Off(String),
}

impl Draft {
    /// Whether the workers have a channel: as the option says, or else by the command.
    pub(super) fn find_channel(
        &mut self,
        around: &Surroundings<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<ChannelChoice, CliError> {
        if self.channel == Some(false) {
            let name = around.name("channel");
            let equals = if name.starts_with('-') { ' ' } else { '=' };
            return Ok(ChannelChoice::Off(format!("{name}{equals}off")));
        }
        let words = self.config.command.words();
        let launch = launch::examine(&words, around.read_file).map_err(CliError::Command)?;
        warnings.extend(launch.warning);
        self.config
            .command
            .args
            .extend(launch.appended.map(OsString::from));
        match launch.known {
            Known::NodeJs | Known::Nothing => Ok(ChannelChoice::On),
            Known::OtherLanguage(_) if self.channel == Some(true) => Ok(ChannelChoice::On),
            Known::OtherLanguage(name) => Err(CliError::Unusable {
                name: name.to_owned(),
                why: "not Node.js, so it does not use the cluster channel; add --channel off, \
                      and --listen ADDR or --port-env NAME if it listens"
                    .to_owned(),
            }),
            Known::OtherRuntime(name) if self.channel == Some(true) => around.unusable(
                "channel",
                format!("{name} does not use Node.js' channel; use off, or leave it out"),
            ),
            Known::OtherRuntime(name) => Ok(ChannelChoice::Off(format!("{name} as the command"))),
        }
    }

    /// A warning that only the first worker can bind a port; all others get EADDRINUSE at each restart.
    /// Not an error: workers may bind no port, as `--ready` can indicate, or use `reusePort`.
    pub(super) fn unshared_port_warning(&self, why: &str) -> Option<String> {
        let shares = !self.config.listen.is_empty() || self.port_env.is_some();
        (!shares && self.ready.is_none()).then(|| {
            format!(
                "with {why}, workers that listen on one port get EADDRINUSE; \
                 add --listen ADDR or --port-env NAME, or --ready none if they share no port"
            )
        })
    }

    /// Rejects options that need a channel.
    pub(super) fn check_without_channel(
        &self,
        why: &str,
        around: &Surroundings<'_>,
    ) -> Result<(), CliError> {
        let needs = |long: &str, what: &str, instead: &str| {
            let why = format!("{what}, which {why} rules out; {instead}");
            around.unusable(long, why)
        };
        match self.ready {
            Some(Readiness::Listen) => {
                let instead = "give notify, port or none";
                return needs("ready", "listen is reported on the channel", instead);
            }
            Some(Readiness::Message) => {
                let instead = "give notify, port or none";
                return needs("ready", "message is sent on the channel", instead);
            }
            _ => {}
        }
        if self.stop == Some(StopMode::Drain) {
            return needs("stop", "drain is requested on the channel", "give signal");
        }
        if self.http_drain.is_some() {
            let what = "the disconnect is announced on the channel";
            return needs("http-drain", what, "leave it out");
        }
        if self.config.relay {
            let what = "messages are passed on over the channel";
            return needs("relay", what, "leave it out");
        }
        if self.config.app_metrics {
            let what = "workers are asked for metrics on the channel";
            return needs("app-metrics", what, "leave it out");
        }
        if self.hang_timeout.is_some() {
            let what = "event loops answer on the channel";
            return needs("hang-timeout", what, "leave it out");
        }
        if self.unresponsive_after.is_some() {
            let what = "event loops answer on the channel";
            return needs("unresponsive-after", what, "leave it out");
        }
        if self.spares.is_some_and(|spares| spares > 0) {
            let what = "spares are held back on the channel";
            return needs("spares", what, "leave it out");
        }
        if self.balance == Some(Balance::RoundRobin) {
            let what = "round-robin hands connections over the channel";
            return needs("balance", what, "give reuseport, shared or source-ip");
        }
        if self.balance.is_some() && self.config.listen.is_empty() {
            let what = "pidone opens sockets only for --listen or on request over the channel";
            return needs("balance", what, "add --listen, or leave it out");
        }
        Ok(())
    }
}
