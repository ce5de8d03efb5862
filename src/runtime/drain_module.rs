//! The drain module that `--http-drain` loads into workers (`drain.mjs`), as a `data:` URL for Node.js.

#![forbid(unsafe_code)]

use std::ffi::OsString;

use crate::config::Command;
use crate::launch::{interpreter, node_options_at};
use crate::sys::process::Script;

const SOURCE: &str = include_str!("drain.mjs");

/// The variable with the module's URL, which the module removes.
pub const VARIABLE: &str = "NODE_PIDONE_MODULE";

/// The URL of what Node.js is told to import: the module, in a short form for ps(1), `systemctl status`
/// and other lists of command lines. Worker threads get the option too, but not the variable.
pub const LOADER: &str = "data:text/javascript,process.env.NODE_PIDONE_MODULE&&await(import(process.env.NODE_PIDONE_MODULE))";

/// The module's URL, without the source's comments and white space. It needs no quotes, neither on a command
/// line nor in `NODE_OPTIONS`, where spaces, double quotes and backslashes are special.
#[must_use]
pub fn url() -> String {
    let mut url = "data:text/javascript,".to_owned();
    let lines = SOURCE.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let mut before = None;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
            match character {
                // Two words need a space between them.
                ' ' if !(before.as_ref().is_some_and(is_word)
                    && characters.peek().is_some_and(is_word)) => {}
                ' ' | '"' | '#' | '%' | '?' | '\\' => {
                    url.push_str(&format!("%{:02X}", u32::from(character)));
                }
                plain => url.push(plain),
            }
            before = Some(character);
        }
        // Not every statement ends with a semicolon.
        url.push_str("%0A");
    }
    url
}

/// The command with the loader among Node.js' own options. There it overrides nothing, while a
/// `NODE_OPTIONS` in the environment overrides that of `--env-file` and node.config.json. A script
/// whose first line names Node.js is run as the kernel would run it. `None`: the command is not known
/// to run Node.js.
#[must_use]
pub fn added_to(command: &Command, script: Option<&Script>) -> Option<Command> {
    let mut words = vec![command.program.clone()];
    words.extend(command.args.iter().cloned());
    let at = place(&words).or_else(|| {
        let script = script?;
        let interpreter = interpreter(&script.beginning)?;
        let path = [script.path.clone()];
        words.splice(..1, interpreter.into_iter().map(OsString::from).chain(path));
        place(&words)
    })?;
    // One word: Node.js looks for `--env-file` among all words up to the first that is not an option.
    words.insert(at, format!("--import={LOADER}").into());
    let program = words.remove(0);
    Some(Command {
        program,
        args: words,
    })
}

fn place(words: &[OsString]) -> Option<usize> {
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    node_options_at(&words.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static IMPORT: LazyLock<String> = LazyLock::new(|| format!("--import={LOADER}"));

    fn command(words: &[&str]) -> Command {
        let (program, args) = words.split_first().unwrap();
        Command {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
        }
    }

    #[test]
    fn the_module_is_added_among_the_options_of_node() {
        let added = added_to(&command(&["node", "--a", "x.js", "b"]), None);
        let expected = command(&["node", &IMPORT, "--a", "x.js", "b"]);
        assert_eq!(added, Some(expected));
        assert_eq!(added_to(&command(&["start.sh"]), None), None);
    }

    #[test]
    fn a_script_for_node_runs_as_the_kernel_runs_it() {
        let script = |line: &str| Script {
            path: "/bin/app".into(),
            beginning: line.into(),
        };
        let app = command(&["app", "a"]);
        let node = script("#!/usr/bin/env node\n");
        let added = added_to(&app, Some(&node));
        let line = ["/usr/bin/env", "node", &IMPORT, "/bin/app", "a"];
        assert_eq!(added, Some(command(&line)));
        let shell = script("#!/bin/sh\n");
        let shim = added_to(&command(&["node", "x.js"]), Some(&shell));
        let line = ["node", &IMPORT, "x.js"];
        assert_eq!(shim, Some(command(&line)));
        assert_eq!(added_to(&app, Some(&shell)), None);
    }

    #[test]
    fn the_module_needs_no_quotes() {
        let special = [' ', '"', '?', '#', '\\', '\n', '\t'];
        for url in [&*url(), LOADER] {
            assert!(url.is_ascii() && !url.contains(special), "{url}");
            assert!(!url.contains("//"), "{url}");
        }
        assert!(url().ends_with("%0A"), "{}", url());
        assert!(LOADER.contains(VARIABLE) && LOADER.len() < 120);
    }
}
