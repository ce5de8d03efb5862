//! The position of Node.js' own options in a command.

use super::base_name;
use super::shell::{env_words, split};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The index after the word that runs Node.js, if there is one; env(1) may precede it.
#[must_use]
pub fn node_options_at(words: &[String]) -> Option<usize> {
    let [program, args @ ..] = words else {
        return None;
    };
    match base_name(program) {
        "env" => {
            let env = env_words(args).filter(|env| env.clears.is_none())?;
            let at = node_options_at(args.get(env.count..)?)?;
            Some(1 + env.count + at)
        }
        name if is_node(name) => Some(1),
        _ => None,
    }
}

/// Also accepts names with a version, such as node-20 and node22.
pub(super) fn is_node(name: &str) -> bool {
    let version = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.');
    matches!(name.trim_end_matches(version), "node" | "nodejs")
}

/// The words that the kernel puts before the path of a script: its interpreter, and the rest of the
/// first line as one argument (execve(2)). The argument of `env -S` is split as env(1) does, unless
/// it has quotes, escapes or variables.
#[must_use]
pub fn interpreter(beginning: &[u8]) -> Option<Vec<String>> {
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let line = beginning.strip_prefix(b"#!")?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    let line = str::from_utf8(line.get(..end)?)
        .ok()?
        .trim_matches(is_space);
    let (program, argument) = line.split_once(is_space).unwrap_or((line, ""));
    let argument = argument.trim_start_matches(is_space);
    if program.is_empty() {
        return None;
    }
    let mut words = vec![program.to_owned()];
    let to_split = argument
        .strip_prefix("-S")
        .filter(|_| base_name(program) == "env");
    match to_split {
        Some(text) if text.contains(['$', '\'', '"']) => return None,
        Some(text) => {
            let [simple] = split(text)?.try_into().ok()?;
            words.extend(simple.words);
        }
        None if argument.is_empty() => {}
        None => words.push(argument.to_owned()),
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::words;

    #[test]
    fn options_go_after_the_word_that_runs_node() {
        for (line, at) in [
            ("node server.js", Some(1)),
            (
                "/usr/local/bin/node --enable-source-maps server.js",
                Some(1),
            ),
            ("nodejs x", Some(1)),
            ("/opt/node-22 x", Some(1)),
            ("node18.20 x", Some(1)),
            ("env node x", Some(2)),
            ("/usr/bin/env -u A -C dir B=1 C=node -- node x", Some(9)),
            ("env env node x", Some(3)),
            ("env -i node x", None),
            ("env --split-string=x node x", None),
            ("env A=1", None),
            ("sh -c node", None),
            ("nodemon x", None),
            ("node_modules/.bin/next start", None),
            ("./server.js", None),
        ] {
            let [simple] = split(line).unwrap().try_into().unwrap();
            let words = simple.words;
            assert_eq!(node_options_at(&words), at, "{line}");
        }
        assert_eq!(node_options_at(&[]), None);
    }

    #[test]
    fn the_interpreter_is_found_as_the_kernel_does() {
        for (text, expected) in [
            ("#!/usr/bin/env node\nx", &["/usr/bin/env", "node"][..]),
            ("#! /usr/bin/node \t\n", &["/usr/bin/node"]),
            ("#!/bin/node --a  --b \n", &["/bin/node", "--a  --b"]),
            (
                "#!/bin/env -S node --a\t--b\n",
                &["/bin/env", "node", "--a", "--b"],
            ),
            ("#!/bin/env -Snode --a=1\n", &["/bin/env", "node", "--a=1"]),
            ("#!/bin/sh -eu\n", &["/bin/sh", "-eu"]),
        ] {
            assert_eq!(
                interpreter(text.as_bytes()),
                Some(words(expected)),
                "{text}"
            );
        }
        for text in [
            "",
            "#!\n",
            "#!/bin/node",
            "x\n",
            "#!/bin/env -S node ${A}\n",
            "#!/bin/env -S node 'a b'\n",
            "#!/bin/env -S node a\\tb\n",
            "#!/bin/env -S node # x\n",
        ] {
            assert_eq!(interpreter(text.as_bytes()), None, "{text}");
        }
        assert_eq!(interpreter(b"#!/bin/\xff\n"), None);
    }
}
