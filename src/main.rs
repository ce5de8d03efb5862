//! The door: reads what the user said, sets up the log, runs. Here alone an error becomes a line
//! and an exit status.

#![no_main]

use std::ffi::OsString;
use std::fs::read_to_string;
use std::io::{self, Write};

use pidone::cli::{self, Invocation};
use pidone::config::Config;
use pidone::sys::signal::SignalQueue;
use pidone::{logging, runtime};

pidone::entry!(run);

/// pidone's own failure, as `docker run` numbers it.
const OWN_ERROR: u8 = 125;

fn run(args: Vec<OsString>) -> u8 {
    // First of all, so that no signal is lost from here on.
    let signals = SignalQueue::open();
    match cli::read(args, std::env::vars_os(), &|path| read_to_string(path).ok()) {
        Ok(Invocation::Run { config, warnings }) => supervise(&config, &warnings, signals),
        Ok(Invocation::Print(text)) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => 0,
            Err(_) => OWN_ERROR,
        },
        Err(error) => refuse(&error),
    }
}

fn supervise(config: &Config, warnings: &[String], signals: io::Result<SignalQueue>) -> u8 {
    logging::init(&config.logging);
    for warning in warnings {
        log::warn!("{warning}");
    }
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("cannot receive signals: {error}");
            return OWN_ERROR;
        }
    };
    match runtime::run(config, signals) {
        Ok(status) => status,
        Err(error) => {
            log::error!("{error}");
            error.status()
        }
    }
}

/// The log is not set up yet, and PIDONE_LOG shall not silence this.
fn refuse(error: &cli::CliError) -> u8 {
    let _ = writeln!(io::stderr(), "pidone: error: {error}");
    OWN_ERROR
}
