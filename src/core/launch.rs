//! What is known of commands by their names: which cannot be workers with Node.js' channel, and
//! what to run instead.
//!
//! A worker's channel is a descriptor and a variable that the first Node.js of a command takes for
//! itself. When that is npm or a watcher, the app behind it has none, and would never be ready.

pub mod inspector;
mod meant;
mod node;
pub mod options;
mod packages;
mod shell;
#[cfg(test)]
mod tests;
mod tools;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use meant::meant;

/// Reads a text file in the working directory; `None`: it does not exist.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What pidone knows of a command that can be a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Its kind.
    pub known: Known,
    /// A warning about it.
    pub warning: Option<String>,
    /// A word that must follow the command for it to be a worker.
    pub appended: Option<String>,
}

/// The kind of a command, judged by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Node.js.
    NodeJs,
    /// A runtime that does not use Node.js' channel, by its name.
    OtherRuntime(&'static str),
    /// An interpreter or a server of another language, by its name; it could still run Node.js.
    OtherLanguage(&'static str),
    /// Unknown, such as a script that runs Node.js.
    Nothing,
}

/// A command that cannot be a worker: why, and what to run instead, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A command that cannot be a worker, and one step towards a command that can.
#[derive(Debug)]
struct Obstacle {
    /// The relevant words of the command.
    what: String,
    why: String,
    instead: Instead,
    /// Other commands that it runs, which the user must run before.
    before: Vec<String>,
}

/// What to do about an obstacle.
#[derive(Debug)]
enum Instead {
    /// Run this; it may be an obstacle itself.
    Run(Vec<String>),
    /// Advice that is not a command.
    Advice(String),
}

/// The limit for scripts that start each other in a cycle.
const STEPS_MAX: usize = 8;

const GENERAL_ADVICE: &str = "run Node.js and the script itself instead, as in: node server.js";

/// Examines a command: its program and its arguments.
///
/// # Errors
/// When it cannot be a worker with a channel.
pub fn examine(words: &[String], read_file: ReadFile<'_>) -> Result<Launch, Refusal> {
    let first = match look(words, read_file) {
        Ok(launch) => return Ok(launch),
        Err(obstacle) => obstacle,
    };
    let mut before = first.before;
    let mut instead = first.instead;
    for _ in 0..STEPS_MAX {
        let Instead::Run(words) = &instead else { break };
        let Err(obstacle) = look(words, read_file) else {
            break;
        };
        before.extend(obstacle.before);
        instead = obstacle.instead;
    }
    let mut sentence = format!("{}: {}; ", first.what, first.why);
    match instead {
        Instead::Run(words) if look(&words, read_file).is_ok() => {
            sentence.push_str(&format!("run {} instead", shell::shown(&words)));
            if !before.is_empty() {
                let before = before.join(" && ");
                let line = format!(", and before that, as in a RUN line: {before}");
                sentence.push_str(&line);
            }
        }
        Instead::Run(_) => sentence.push_str(GENERAL_ADVICE),
        Instead::Advice(advice) => sentence.push_str(&advice),
    }
    // A script may have several lines; the message must be one line.
    Err(Refusal(sentence.replace(char::is_control, " ")))
}

/// One step: examines the program and its arguments.
fn look(words: &[String], read_file: ReadFile<'_>) -> Result<Launch, Obstacle> {
    let [program, args @ ..] = words else {
        return Ok(Launch::of(Known::Nothing));
    };
    match base_name(program) {
        name if options::is_node(name) => node::look(program, args, read_file),
        "bun" | "bunx" => Ok(Launch::of(Known::OtherRuntime("bun"))),
        "deno" => Ok(Launch::of(Known::OtherRuntime("deno"))),
        "env" => shell::look_through_env(args, read_file),
        name @ ("sh" | "dash" | "ash" | "bash" | "ksh" | "zsh") => {
            shell::look(name, args, read_file)
        }
        name if packages::MANAGERS.contains(&name) => {
            Err(packages::obstacle(name, args, read_file))
        }
        name => match (tools::obstacle(name, args), other_language(name)) {
            (Some(obstacle), _) => Err(obstacle),
            (None, Some(other)) => Ok(Launch::of(Known::OtherLanguage(other))),
            (None, None) => Ok(Launch::of(Known::Nothing)),
        },
    }
}

/// Interpreters and servers of other languages, with or without a version, as in python3.12.
fn other_language(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 13] = [
        "python",
        "pypy",
        "uvicorn",
        "gunicorn",
        "hypercorn",
        "ruby",
        "puma",
        "perl",
        "php",
        "php-fpm",
        "java",
        "dotnet",
        "nginx",
    ];
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    NAMES.into_iter().find(|known| *known == name)
}

/// The file name of a program.
fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(String::from).collect()
}

impl Launch {
    fn of(known: Known) -> Self {
        Self {
            known,
            warning: None,
            appended: None,
        }
    }
}

impl Obstacle {
    fn new(what: impl Into<String>, why: impl Into<String>, instead: Instead) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            instead,
            before: Vec::new(),
        }
    }
}

impl Instead {
    fn advice(text: impl Into<String>) -> Self {
        Self::Advice(text.into())
    }

    /// The default advice.
    fn general() -> Self {
        Self::advice(GENERAL_ADVICE)
    }

    /// Adds the variables that an `env` or a shell sets, as arguments of env(1).
    fn within(self, env: &[String]) -> Self {
        match self {
            Self::Run(words) => {
                let inner = match words.as_slice() {
                    [first, inner @ ..] if first == "env" => inner,
                    all => all,
                };
                Self::Run([env, inner].concat())
            }
            advice @ Self::Advice(_) => advice,
        }
    }
}
