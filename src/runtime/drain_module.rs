//! The module that `--http-drain` puts into workers (`drain.mjs`), as Node.js takes it: a `data:` URL.

#![forbid(unsafe_code)]

use std::ffi::OsString;

use crate::config::Command;
use crate::launch::options::{interpreter, node_options_at};
use crate::sys::process::Script;

const SOURCE: &str = include_str!("drain.mjs");

/// The URL: without the comments and the white space of the source. It needs no quotes, neither on a
/// command line nor in `NODE_OPTIONS`, which takes spaces, double quotes and backslashes for its own.
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
                // Two words need it.
                ' ' if !(before.as_ref().is_some_and(is_word)
                    && characters.peek().is_some_and(is_word)) => {}
                ' ' | '"' | '#' | '%' | '?' | '\\' => {
                    url.push_str(&format!("%{:02X}", u32::from(character)));
                }
                plain => url.push(plain),
            }
            before = Some(character);
        }
        // Not all statements need a semicolon at the end of their line.
        url.push_str("%0A");
    }
    url
}

/// The command with the module among Node.js' own options: there it takes nothing away, while a
/// `NODE_OPTIONS` in the environment replaces that of `--env-file` and node.config.json. A script whose
/// first line names Node.js is run as the kernel would. `None`: what runs is not known to be Node.js.
#[must_use]
pub fn added_to(command: &Command, script: Option<&Script>, url: &str) -> Option<Command> {
    let mut words = vec![command.program.clone()];
    words.extend(command.args.iter().cloned());
    let at = place(&words).or_else(|| {
        let script = script?;
        let interpreter = interpreter(&script.beginning)?;
        let path = [script.path.clone()];
        words.splice(..1, interpreter.into_iter().map(OsString::from).chain(path));
        place(&words)
    })?;
    // One word: Node.js looks for `--env-file` among all words up to the first that is no option.
    words.insert(at, format!("--import={url}").into());
    let program = words.remove(0);
    Some(Command {
        program,
        args: words,
    })
}

/// What to say when a worker asks to listen, and the module has not been loaded.
pub(super) fn missing(instance: usize) -> String {
    format!(
        "--http-drain has no effect in worker {instance}: it did not load the drain module, as single executables and \
         --snapshot-blob apps do not; keep-alive clients may get resets in a reload. Run the script with node, or \
         use --stop signal with a handler in the app"
    )
}

/// What to say when Node.js has ended for an option that it does not know.
pub(super) fn refused(instance: usize) -> String {
    format!(
        "--http-drain: worker {instance} exited with status 9, an invalid option, before it loaded the drain module, which \
         needs Node.js 18.19 or newer; update Node.js, or leave --http-drain out"
    )
}

fn place(words: &[OsString]) -> Option<usize> {
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    node_options_at(&words.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Command {
        let (program, args) = words.split_first().unwrap();
        Command {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
        }
    }

    #[test]
    fn the_module_goes_where_options_of_node_go() {
        let added = added_to(&command(&["node", "--a", "x.js", "b"]), None, "data:x");
        let expected = command(&["node", "--import=data:x", "--a", "x.js", "b"]);
        assert_eq!(added, Some(expected));
        assert_eq!(added_to(&command(&["start.sh"]), None, "data:x"), None);
    }

    #[test]
    fn a_script_that_names_node_is_run_as_the_kernel_would() {
        let script = |line: &str| Script {
            path: "/bin/app".into(),
            beginning: line.into(),
        };
        let app = command(&["app", "a"]);
        let node = script("#!/usr/bin/env node\n");
        let added = added_to(&app, Some(&node), "data:x");
        let line = ["/usr/bin/env", "node", "--import=data:x", "/bin/app", "a"];
        assert_eq!(added, Some(command(&line)));
        let shell = script("#!/bin/sh\n");
        let shim = added_to(&command(&["node", "x.js"]), Some(&shell), "data:x");
        let line = ["node", "--import=data:x", "x.js"];
        assert_eq!(shim, Some(command(&line)));
        assert_eq!(added_to(&app, Some(&shell), "data:x"), None);
    }

    #[test]
    fn the_module_needs_no_quotes() {
        let url = url();
        let special = [' ', '"', '?', '#', '\\', '\n', '\t'];
        assert!(url.is_ascii() && !url.contains(special), "{url}");
        assert!(!url.contains("//"), "{url}");
        assert!(url.ends_with("%0A"), "{url}");
    }
}
