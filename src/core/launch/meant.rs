//! Suggestions for a command that cannot be started: a script without Node.js, commands of
//! pm2 and of `pidone ctl`, a program of an installed package.

use super::line::{base_name, shown};
use super::tools::script_of;
use super::{ReadFile, words};
use crate::admin::control::ControlRequest;
use alloc::format;
use alloc::string::String;

/// What to run instead, as the end of a sentence; `None`: no suggestion.
#[must_use]
pub fn meant(command: &[String], read_file: ReadFile<'_>) -> Option<String> {
    let [program, args @ ..] = command else {
        return None;
    };
    let installed = format!("node_modules/.bin/{program}");
    let suggested = match program.as_str() {
        program if is_configuration(program) => {
            return Some(
                "pidone reads no configuration file; \
                 give it the command of an app in that file: npx pidone-from-pm2 prints it"
                    .into(),
            );
        }
        program if is_script(program) => [&words(&["node"]), command].concat(),
        program if program.contains('/') => return None,
        _ if read_file(&installed).is_some() => [&[installed], args].concat(),
        "help" => words(&["pidone", "--help"]),
        "version" => words(&["pidone", "--version"]),
        "list" | "ls" | "jlist" => words(&["pidone", "ctl", "status"]),
        "monit" => words(&["pidone", "ctl", "top"]),
        verb @ ("start" | "run" | "exec" | "restart" | "reload")
            if !ControlRequest::VERBS.contains(&verb) || args.iter().any(|arg| is_script(arg)) =>
        {
            let app = script_of(args).unwrap_or_else(|| words(&["node", "server.js"]));
            let app = shown(&app);
            return Some(format!(
                "pidone takes the command itself, as in: pidone -- {app}"
            ));
        }
        verb if ControlRequest::VERBS.contains(&verb) => {
            [&words(&["pidone", "ctl"]), command].concat()
        }
        _ => return None,
    };
    // The message must be one line.
    let suggested = shown(&suggested).replace(char::is_control, " ");
    Some(format!("did you mean {suggested}?"))
}

/// Whether Node.js could run this file, judged by its name.
fn is_script(word: &str) -> bool {
    let ends = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"];
    ends.iter().any(|end| word.ends_with(end))
}

/// Configuration files of pm2: `ecosystem.config.js`, and JSON and YAML files.
fn is_configuration(word: &str) -> bool {
    let name = base_name(word);
    let begins = ["ecosystem.", "pm2.", "process."];
    let ends = [".json", ".yml", ".yaml"];
    (name.contains(".config.") && is_script(name))
        || (begins.iter().any(|begin| name.starts_with(begin))
            && ends.iter().any(|end| name.ends_with(end)))
}
