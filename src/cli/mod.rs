//! What the user can say, on the command line and in the environment, and what it means.
//!
//! First all that was said is collected, word by word; then it is given a meaning, option by
//! option: the command line's words, or else the variable's; at last what depends on the rest is
//! settled (`draft`). Knows nothing of processes.

#![forbid(unsafe_code)]

mod ctl;
mod draft;
mod error;
mod help;
mod options;
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

/// What pidone is asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// Run a command.
    Run {
        /// How.
        config: Box<Config>,
        /// Things that are worth a warning once the log is set up.
        warnings: Vec<String>,
    },
    /// Ask a pidone that runs for something.
    Control(ControlCommand),
    /// Print a text on standard output.
    Print(String),
}

/// Something that was said: an option and its value, if it takes one.
#[derive(Debug)]
struct Said {
    option: &'static OptionSpec,
    value: Option<OsString>,
}

/// Reads the command line and the environment, and with `read_file` what the command may be: a
/// package.json.
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
    // Only as the very first word: `pidone -- ctl` runs a program of that name.
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
                return Ok(Invocation::Print(include_str!("../../LICENSE").to_owned()));
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
    // `docker run --init` where the engine's init is pidone, and the image has one too: the variables
    // are for the one that the app is the child of, but for those about the log.
    let is_outer = command.as_ref().is_some_and(Command::is_pidone);
    let prefix: &[u8] = if is_outer { b"PIDONE_LOG" } else { b"PIDONE_" };
    let own = |(name, value): &&(OsString, OsString)| {
        name.as_encoded_bytes().starts_with(prefix) && !value.is_empty()
    };
    let variables: Vec<_> = environment.iter().filter(own).cloned().collect();
    let mut draft = Draft::new(command.ok_or(CliError::NoCommand)?, level(&variables)?);
    draft.config.own_variables = own_variables(&variables);
    let given = give_meaning(&said, &variables, &mut draft)?;
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

/// Sets each option from the command line, or else from its variable. Returns which.
fn give_meaning(
    said: &[Said],
    environment: &[(OsString, OsString)],
    draft: &mut Draft,
) -> Result<Vec<Given>, CliError> {
    let mut all_given = Vec::new();
    let is_said = |long: &str| said.iter().any(|said| said.option.long == long);
    if is_said("group") && is_said("single-child") {
        return Err(CliError::Conflict("--group (-g)", "--single-child (-c)"));
    }
    for (name, list) in environment {
        let option = options::all().find(|option| *name == *option.variable());
        let Some(option) = option.filter(|option| !is_said(option.long)) else {
            continue;
        };
        // A contradiction across the border is none: the command line wins.
        if matches!(option.long, "group" | "single-child")
            && (is_said("group") || is_said("single-child"))
        {
            continue;
        }
        let bad = |wrong| CliError::bad(option.variable(), list.clone(), wrong);
        let text = list
            .to_str()
            .ok_or_else(|| bad(values::Wrong::Give("UTF-8")))?;
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
            .ok_or_else(|| bad(values::Wrong::Give("UTF-8")))?;
        (option.set)(draft, text).map_err(bad)?;
        all_given.push(Given {
            option,
            variable: false,
        });
    }
    Ok(all_given)
}

/// Those of a pidone's variables that a nested one must not take for its own: it would run workers of
/// each worker, open the same admin endpoints, or be told of workers that it does not have.
fn own_variables(variables: &[(OsString, OsString)]) -> Vec<String> {
    let is_own = |option: &&OptionSpec| {
        option.for_workers || matches!(option.long, "instances" | "control" | "http" | "user")
    };
    let names = options::all().filter(is_own).map(OptionSpec::variable);
    let is_set = |name: &String| variables.iter().any(|(known, _)| *known == **name);
    names.filter(is_set).collect()
}

/// The level of the log before `-v` has its say.
fn level(environment: &[(OsString, OsString)]) -> Result<String, CliError> {
    let Some((name, value)) = environment.iter().find(|(name, _)| name == LOG_VARIABLE) else {
        return Ok("info".to_owned());
    };
    let text = value.to_string_lossy();
    values::filter(&text)
        .map_err(|wrong| CliError::bad(name.to_string_lossy().into_owned(), value.clone(), wrong))
}

/// Variables that are none of pidone's, but look as if they were meant to be. No error: Kubernetes
/// and others make variables of their own from names.
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
            "{name} is not a variable pidone knows; did you mean PIDONE_{nearest}?"
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

/// What lexopt itself can find wrong between two options: a switch that was given a value.
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
