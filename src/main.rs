//! The entry point: parses the command line, sets up the log, and runs, or sends a request to a running pidone.
//! Only here, an error becomes a message and an exit status.

#![no_main]

use std::ffi::OsString;
use std::fs::read_to_string;
use std::io;

use pidone::cause::Cause;
use pidone::cli::{self, Invocation};
use pidone::config::{Config, ControlCommand};
use pidone::ctl::{self, CtlError};
use pidone::sys::signal::SignalQueue;
use pidone::{logging, runtime};

pidone::entry!(run);

/// The exit status of pidone's own errors, as in `docker run`.
const OWN_ERROR: u8 = 125;

/// The exit status if `pidone ctl` gets no answer. A HEALTHCHECK knows only 0 and 1, and must fail then.
const NO_ANSWER: u8 = 1;

fn run(args: Vec<OsString>) -> u8 {
    // First, so that no later signal is lost.
    let signals = SignalQueue::open();
    match cli::read(args, std::env::vars_os(), &|path| read_to_string(path).ok()) {
        Ok(Invocation::Run { config, warnings }) => supervise(&config, &warnings, signals),
        Ok(Invocation::Control(command)) => ask(&command, signals),
        Ok(Invocation::Print(text)) => match ctl::print(&text, signals.ok().as_mut()) {
            Ok(()) => 0,
            Err(error) => {
                ctl::print_error(&error);
                OWN_ERROR
            }
        },
        Err(error) => {
            ctl::print_error(&error);
            OWN_ERROR
        }
    }
}

fn supervise(config: &Config, warnings: &[String], signals: io::Result<SignalQueue>) -> u8 {
    let log = logging::init(&config.logging);
    for warning in warnings {
        log::warn!("{warning}");
    }
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("cannot receive signals: {}", Cause(&error));
            return OWN_ERROR;
        }
    };
    let status = match runtime::run(config, signals) {
        Ok(status) => status,
        Err(error) => {
            log::error!("{error}");
            error.status()
        }
    };
    log.close();
    status
}

fn ask(command: &ControlCommand, signals: io::Result<SignalQueue>) -> u8 {
    let signals = signals.map_err(CtlError::System);
    match signals.and_then(|signals| ctl::run(command, signals)) {
        Ok(status) => status,
        Err(error) => {
            ctl::print_error(&error);
            NO_ANSWER
        }
    }
}
