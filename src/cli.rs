//! The command line and the environment: parses and validates options.
//!
//! First, all arguments are collected. Then each option is set, from the command line or else from its
//! variable. Last, `draft` sets defaults that depend on other options, and checks combinations.
//! This code knows nothing of processes.

#![forbid(unsafe_code)]

mod ctl;
mod draft;
mod error;
mod help;
pub mod options;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::{OsStr, OsString};

use lexopt::Arg;

use crate::config::{Command, Config, ControlCommand};
use crate::launch::ReadFile;
use draft::{Draft, Given, Surroundings};
pub use error::CliError;
use options::OptionSpec;

/// The variable that sets the level of the log.
const LOG_VARIABLE: &str = "PIDONE_LOG";

/// What pidone is to do.
#[derive(Debug)]
pub enum Invocation {
    /// Run a command.
    Run {
        /// The configuration.
        config: Box<Config>,
        /// Warnings to log once the log is set up.
        warnings: Vec<String>,
    },
    /// Send a request to a running pidone.
    Control(ControlCommand),
    /// Print a text on standard output.
    Print(String),
}

/// An option from the command line and its value, if it takes one.
#[derive(Debug)]
struct Said {
    option: &'static OptionSpec,
    value: Option<OsString>,
}

/// Parses the command line and the environment. `read_file` reads the package.json that the
/// command may depend on.
///
/// # Errors
/// What is wrong, as one sentence.
pub fn read(
    args: Vec<OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
) -> Result<Invocation, CliError> {
    let environment: Vec<_> = environment.collect();
    let mut said = Vec::new();
    let mut command = None;
    // Only as the first word: `pidone -- ctl` runs a program of that name.
    let is_control = args.first().is_some_and(|word| word == "ctl");
    let mut parser = lexopt::Parser::from_args(args.into_iter().skip(is_control.into()));
    if is_control {
        return ctl::read(&mut parser, &environment);
    }
    while let Some(arg) = parser.next().map_err(unexpected)? {
        let option = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Invocation::Print(help::page())),
            Arg::Short('V') | Arg::Long("version") => {
                let version = concat!("pidone ", env!("CARGO_PKG_VERSION"), "\n");
                return Ok(Invocation::Print(version.to_owned()));
            }
            Arg::Short('l') | Arg::Long("license") => {
                let license = concat!(
                    include_str!("../LICENSE"),
                    include_str!("cli/linked-in.txt")
                );
                return Ok(Invocation::Print(license.to_owned()));
            }
            Arg::Short(short) => options::all().find(|option| option.short == Some(short)),
            Arg::Long(long) => options::all().find(|option| option.long == long),
            Arg::Value(program) => {
                let args = parser.raw_args().map_err(unexpected)?.collect();
                command = Some(Command { program, args });
                break;
            }
        };
        let Some(option) = option else {
            return Err(unknown(&arg));
        };
        let written = written(&arg);
        let value = match option.value {
            Some(value) => Some(parser.value().map_err(|_| CliError::MissingValue {
                option: written,
                value,
            })?),
            None => None,
        };
        said.push(Said { option, value });
    }
    let command = command.filter(|command| !command.program.is_empty());
    // With `docker run --init`, the engine's init can be pidone, and the image's entry point too. Then the
    // variables are for the inner pidone, the app's parent, except those about the log.
    let is_outer = command.as_ref().is_some_and(Command::is_pidone);
    let prefix: &[u8] = if is_outer { b"PIDONE_LOG" } else { b"PIDONE_" };
    let own = |(name, value): &&(OsString, OsString)| {
        name.as_encoded_bytes().starts_with(prefix) && !value.is_empty()
    };
    let variables: Vec<_> = environment.iter().filter(own).cloned().collect();
    let mut draft = Draft::new(command.ok_or(CliError::NoCommand)?, level(&variables)?);
    draft.config.own_variables = own_variables(&variables);
    let given = set_options(
        &said,
        &variables,
        turn_workers_off(&environment),
        &mut draft,
    )?;
    let (config, mut warnings) = draft.finish(&Surroundings {
        given: &given,
        environment: &environment,
        read_file,
    })?;
    warnings.extend(misspelled(&variables));
    Ok(Invocation::Run {
        config: Box::new(config),
        warnings,
    })
}

/// Whether the variables turn the workers of an image off, for a migration for example.
fn turn_workers_off(environment: &[(OsString, OsString)]) -> bool {
    let mut variables = environment.iter();
    variables.any(|(name, value)| name == "PIDONE_INSTANCES" && value.is_empty())
}

/// Sets each option from the command line, or else from its variable. Returns the options set.
///
/// Where the variables turn the workers off, and the command line has no workers either, the image's other
/// variables for workers are no error, and have no effect.
fn set_options(
    said: &[Said],
    environment: &[(OsString, OsString)],
    workers_turned_off: bool,
    draft: &mut Draft,
) -> Result<Vec<Given>, CliError> {
    let mut all_given = Vec::new();
    let is_on_command_line = |long: &str| said.iter().any(|said| said.option.long == long);
    let has_no_workers = workers_turned_off && !is_on_command_line("instances");
    let is_overruled = |option: &OptionSpec| {
        is_on_command_line(option.long) || (has_no_workers && option.for_workers)
    };
    if is_on_command_line("group") && is_on_command_line("single-child") {
        return Err(CliError::Conflict("--group (-g)", "--single-child (-c)"));
    }
    for (name, list) in environment {
        let option = options::all().find(|option| *name == *option.variable());
        let Some(option) = option.filter(|option| !is_overruled(option)) else {
            continue;
        };
        // The command line wins over a contradicting variable.
        if matches!(option.long, "group" | "single-child")
            && (is_on_command_line("group") || is_on_command_line("single-child"))
        {
            continue;
        }
        let bad = |wrong| CliError::bad(option.variable(), list.clone(), wrong);
        let text = list
            .to_str()
            .ok_or_else(|| bad(values::InvalidValue::Give("UTF-8")))?;
        if option.repeatable {
            for part in text.split(',') {
                (option.set)(draft, part.trim()).map_err(bad)?;
            }
        } else {
            (option.set)(draft, text).map_err(bad)?;
        }
        all_given.push(Given {
            option,
            variable: true,
        });
    }
    for Said { option, value } in said {
        let given = value.as_deref().unwrap_or(OsStr::new("1"));
        let bad = |wrong| CliError::bad(format!("--{}", option.long), given.to_owned(), wrong);
        let text = given
            .to_str()
            .ok_or_else(|| bad(values::InvalidValue::Give("UTF-8")))?;
        (option.set)(draft, text).map_err(bad)?;
        all_given.push(Given {
            option,
            variable: false,
        });
    }
    Ok(all_given)
}

/// The variables that a nested pidone must not inherit: it would run workers for
/// each worker, open the same admin endpoints, or get options for workers that it does not have.
fn own_variables(variables: &[(OsString, OsString)]) -> Vec<String> {
    let is_own = |option: &&OptionSpec| {
        option.for_workers || matches!(option.long, "instances" | "control" | "http" | "user")
    };
    let names = options::all().filter(is_own).map(OptionSpec::variable);
    let is_set = |name: &String| variables.iter().any(|(known, _)| *known == **name);
    names.filter(is_set).collect()
}

/// The log level before `-v` is applied.
fn level(environment: &[(OsString, OsString)]) -> Result<String, CliError> {
    let Some((name, value)) = environment.iter().find(|(name, _)| name == LOG_VARIABLE) else {
        return Ok("info".to_owned());
    };
    let text = value.to_string_lossy();
    values::filter(&text)
        .map_err(|wrong| CliError::bad(name.to_string_lossy().into_owned(), value.clone(), wrong))
}

/// Warnings about variables that look like misspelled ones of pidone. Not errors: Kubernetes
/// and others derive variables from service names.
fn misspelled(environment: &[(OsString, OsString)]) -> Vec<String> {
    let known = || {
        options::all()
            .map(OptionSpec::variable)
            .chain(std::iter::once(LOG_VARIABLE.to_owned()))
    };
    let warn = |(name, _): &(OsString, OsString)| {
        let name = name.to_str()?;
        if known().any(|variable| variable == name) {
            return None;
        }
        let suffix = name.strip_prefix("PIDONE_")?;
        let mut suffixes =
            known().filter_map(|name| Some(name.strip_prefix("PIDONE_")?.to_owned()));
        let nearest = error::nearest(suffix, &mut suffixes)?;
        Some(format!(
            "{name} is not a variable of pidone; did you mean PIDONE_{nearest}?"
        ))
    };
    environment.iter().filter_map(warn).collect()
}

fn written(arg: &Arg<'_>) -> String {
    match arg {
        Arg::Short(short) => format!("-{short}"),
        Arg::Long(long) => format!("--{long}"),
        Arg::Value(value) => value.to_string_lossy().into_owned(),
    }
}

fn unknown(arg: &Arg<'_>) -> CliError {
    let nearest = match arg {
        Arg::Long(long) => {
            let fixed = ["help", "version", "license"].map(String::from);
            let names = options::all().map(|option| option.long.to_owned());
            error::nearest(long, &mut names.chain(fixed))
        }
        _ => None,
    };
    CliError::Unknown {
        option: written(arg),
        nearest: nearest.map(|name| format!("--{name}")),
    }
}

/// An error that lexopt itself finds: a switch with a value.
fn unexpected(error: lexopt::Error) -> CliError {
    match error {
        lexopt::Error::UnexpectedValue { option, value } => {
            CliError::UnexpectedValue { option, value }
        }
        other => CliError::Unknown {
            option: other.to_string(),
            nearest: None,
        },
    }
}
