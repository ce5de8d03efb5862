//! Suggestions for a command that cannot be started: a script without Node.js, commands of
//! pm2 and of `pidone ctl`, a program of an installed package.

use super::shell::shown;
use super::tools::script_of;
use super::{ReadFile, words};
use crate::admin::control::Request;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// What to run instead, as the end of a sentence; `None`: no suggestion.
#[must_use]
pub fn meant(command: &[String], read_file: ReadFile<'_>) -> Option<String> {
    let [program, args @ ..] = command else {
        return None;
    };
    if is_configuration(program) {
        return Some(
            "pidone reads no configuration file; \
             give it the command of the app in that file, as in: node server.js"
                .to_owned(),
        );
    }
    if is_script(program) {
        let node = [&words(&["node"]), command].concat();
        return Some(did_you_mean(&node));
    }
    if program.contains('/') {
        return None;
    }
    let installed = format!("node_modules/.bin/{program}");
    if read_file(&installed).is_some() {
        return Some(did_you_mean(&[&[installed], args].concat()));
    }
    let own = match program.as_str() {
        "help" => "pidone --help",
        "version" => "pidone --version",
        "list" | "ls" | "jlist" => "pidone ctl status",
        "monit" => "pidone ctl top",
        "start" | "run" | "exec" | "restart" | "reload"
            if args.iter().any(|arg| is_script(arg)) =>
        {
            let app = script_of(args).unwrap_or_else(|| words(&["node", "server.js"]));
            return Some(format!(
                "pidone takes the command itself, as in: pidone -- {}",
                shown(&app)
            ));
        }
        "start" | "run" | "exec" => {
            return Some("pidone takes the command itself, as in: pidone -- node server.js".into());
        }
        verb if Request::VERBS.contains(&verb) => {
            let whole = [&words(&["pidone", "ctl"]), command].concat();
            return Some(did_you_mean(&whole));
        }
        _ => return None,
    };
    Some(format!("did you mean {own}?"))
}

fn did_you_mean(command: &[String]) -> String {
    // The message must be one line.
    format!("did you mean {}?", shown(command)).replace(char::is_control, " ")
}

/// Whether Node.js could run this file, judged by its name.
fn is_script(word: &str) -> bool {
    let ends = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"];
    ends.iter().any(|end| word.ends_with(end))
}

/// Configuration files of pm2: `ecosystem.config.js`, and JSON and YAML files.
fn is_configuration(word: &str) -> bool {
    let name = super::base_name(word);
    let begins = ["ecosystem.", "pm2.", "process."];
    let ends = [".json", ".yml", ".yaml"];
    (name.contains(".config.") && is_script(name))
        || (begins.iter().any(|begin| name.starts_with(begin))
            && ends.iter().any(|end| name.ends_with(end)))
}
