//! What is known of commands by their names: which cannot be workers with Node.js' channel, and
//! what to run instead.
//!
//! A worker's channel is a descriptor and a variable that the first Node.js of a command takes for
//! itself. When that is npm or a watcher, the app behind it has none, and would never be ready.

pub mod inspector;
mod line;
mod meant;
mod packages;
#[cfg(test)]
mod tests;
mod tools;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use line::{base_name, has, is_node, shown};
pub use line::{interpreter, node_options_at};
pub use meant::meant;

/// Reads a text file in the working directory; `None`: it does not exist.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What pidone knows of a command that can be a worker.
#[derive(Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its kind.
    pub known: Known,
    /// A warning about it.
    pub warning: Option<String>,
    /// A word that must follow the command for it to be a worker.
    pub appended: Option<String>,
}

/// The kind of a command, judged by its name.
#[derive(Debug, PartialEq, Eq)]
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

/// Why a command cannot be a worker, and one step towards a command that can.
struct Obstacle {
    why: String,
    instead: Instead,
}

enum Instead {
    /// Run this; it may be an obstacle itself.
    Run(Vec<String>),
    /// Advice that is not a command.
    Advice(String),
}

/// The limit for scripts that start each other in a cycle.
const STEPS_MAX: usize = 8;

const GENERAL_ADVICE: &str = "run Node.js and the script itself instead, as in: node server.js";

/// Interpreters and servers of other languages; their names may end with a version.
const OTHER_LANGUAGES: &str =
    "python pypy uvicorn gunicorn hypercorn ruby puma perl php php-fpm java dotnet nginx";

/// Examines a command: its program and its arguments.
///
/// # Errors
/// When it cannot be a worker with a channel: why, and what to run instead, as one sentence.
pub fn examine(words: &[String], read_file: ReadFile<'_>) -> Result<Launch, String> {
    let Obstacle { why, mut instead } = match look(words, read_file) {
        Ok(launch) => return Ok(launch),
        Err(obstacle) => obstacle,
    };
    for _ in 0..STEPS_MAX {
        let Instead::Run(words) = &instead else { break };
        instead = match look(words, read_file) {
            Ok(_) => Instead::Advice(format!("run {} instead", shown(words))),
            Err(obstacle) => obstacle.instead,
        };
    }
    let advice = match &instead {
        Instead::Advice(advice) => advice,
        Instead::Run(_) => GENERAL_ADVICE,
    };
    // A script may have several lines; the message must be one line.
    Err(format!("{why}; {advice}").replace(char::is_control, " "))
}

/// One step: examines the program and its arguments.
fn look(words: &[String], read_file: ReadFile<'_>) -> Result<Launch, Obstacle> {
    let [program, args @ ..] = words else {
        return accepted(Known::Nothing);
    };
    match base_name(program) {
        name if is_node(name) => look_at_node(args, read_file),
        "bun" | "bunx" => accepted(Known::OtherRuntime("bun")),
        "deno" => accepted(Known::OtherRuntime("deno")),
        "env" => look_through_env(args, read_file),
        name if has("sh dash ash bash ksh zsh", name) => look_through_shell(name, args, read_file),
        name => {
            tools::check(name, args, read_file)?;
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            let other = OTHER_LANGUAGES.split(' ').find(|other| *other == name);
            accepted(other.map_or(Known::Nothing, Known::OtherLanguage))
        }
    }
}

/// Node.js itself: it needs a script, and must run it in its own process.
fn look_at_node(args: &[String], read_file: ReadFile<'_>) -> Result<Launch, Obstacle> {
    let options: Vec<_> = line::node_options(args).collect();
    let names: Vec<_> = options.iter().map(|option| option.name.clone()).collect();
    tools::check("node", &names, read_file)?;
    let mut blobs = options
        .iter()
        .filter(|option| option.name == "--snapshot-blob");
    let blob = blobs.find_map(|option| option.value);
    let end = options.last().map_or(0, |option| option.end);
    let rest = args.get(end..).unwrap_or_default();
    match rest.strip_prefix(&["--".into()]).unwrap_or(rest) {
        [script, args @ ..] if script != "-" => {
            // As in `node node_modules/.bin/nodemon server.js`. The app's own scripts may be called node or env.
            tools::check(base_name(script), args, read_file)?;
            accepted(Known::NodeJs)
        }
        // The app is in the snapshot. Node.js makes a process a cluster worker only if it has a
        // `process.argv[1]` (`initializeClusterIPC` in lib/internal/process/pre_execution.js).
        [] if blob.is_some() => {
            let mut launch = accepted(Known::NodeJs)?;
            launch.appended = blob.map(String::from);
            Ok(launch)
        }
        _ => rejected("node", "no script to run", Instead::general()),
    }
}

/// env(1), which execs its command.
fn look_through_env(args: &[String], read_file: ReadFile<'_>) -> Result<Launch, Obstacle> {
    let Some((own, command)) = line::env_words(args).and_then(|count| args.split_at_checked(count))
    else {
        return accepted(Known::Nothing);
    };
    // The package.json of another directory is not read.
    let is_here = |word: &String| !word.starts_with("-C") && !word.starts_with("--chdir");
    let read_here = |path: &str| read_file(path).filter(|_| own.iter().all(is_here));
    look(command, &read_here).map_err(|obstacle| Obstacle {
        instead: obstacle.instead.within_env(own),
        ..obstacle
    })
}

/// A shell: the last command of a script after `-c` that can be parsed, or an unknown command.
fn look_through_shell(
    shell: &str,
    args: &[String],
    read_file: ReadFile<'_>,
) -> Result<Launch, Obstacle> {
    let is_option = |word: &&String| word.starts_with('-') && !word.starts_with("--");
    let mut options = args.iter().take_while(is_option);
    let at = options.position(|word| word.contains('c'));
    let script = at.and_then(|at| line::split(args.get(at + 1)?));
    let Some([others @ .., last]) = script.as_deref() else {
        return accepted(Known::Nothing);
    };
    let begin = last.iter().position(|word| !line::is_assignment(word));
    let (assigned, command) = last.split_at(begin.unwrap_or_default());
    let execs = command.first().is_some_and(|word| word == "exec");
    let command = command.get(usize::from(execs)..).unwrap_or_default();
    let launch = look(command, read_file).map_err(|obstacle| Obstacle {
        instead: match others {
            [] => obstacle.instead.within_env(assigned),
            _ => Instead::advice(
                "end the script with exec and the Node.js command itself instead, \
                 as in: exec node server.js",
            ),
        },
        ..obstacle
    })?;
    // bash, ash and others exec the last command of a script; dash does not, and sh may be dash.
    if launch.known != Known::NodeJs || execs || !has("sh dash", shell) {
        return Ok(launch);
    }
    let command = shown(command).replace(char::is_control, " ");
    let warning = Some(format!(
        "{shell} -c may remain the parent of Node.js and not pass signals on; \
         write exec before the command, as in: {shell} -c 'exec {command}'",
    ));
    Ok(Launch { warning, ..launch })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(String::from).collect()
}

fn accepted(known: Known) -> Result<Launch, Obstacle> {
    Ok(Launch {
        known,
        warning: None,
        appended: None,
    })
}

fn rejected<T>(what: &str, why: &str, instead: Instead) -> Result<T, Obstacle> {
    let why = format!("{}: {why}", what.trim_end());
    Err(Obstacle { why, instead })
}

impl Instead {
    /// Adds what an `env` or a shell sets, as arguments of env(1).
    fn within_env(mut self, own: &[String]) -> Self {
        if let Self::Run(words) = &mut self
            && !own.is_empty()
        {
            let is_env = usize::from(words.first().is_some_and(|word| word == "env"));
            words.splice(..is_env, [&["env".into()], own].concat());
        }
        self
    }

    fn advice(text: &str) -> Self {
        Self::Advice(text.into())
    }

    fn general() -> Self {
        Self::advice(GENERAL_ADVICE)
    }
}
