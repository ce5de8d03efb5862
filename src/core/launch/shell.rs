//! Shells and env(1): the command that they run.

use super::{Instead, Known, Launch, Obstacle, ReadFile, look as look_at, words};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// One command of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Simple {
    /// As it was written.
    pub(super) text: String,
    /// Its words, without quotes.
    pub(super) words: Vec<String>,
}

/// The commands of a script, if it consists of simple commands in sequence only.
pub(super) fn split(script: &str) -> Option<Vec<Simple>> {
    let mut all = Vec::new();
    let mut simple = Simple::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        let separates = match (quote, character) {
            (Some(open), _) if open == character => {
                quote = None;
                false
            }
            (Some('"'), '\\' | '`') => return None,
            (Some(_), _) => {
                word.get_or_insert_default().push(character);
                false
            }
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
                false
            }
            (None, '&') if characters.next_if_eq(&'&').is_some() => true,
            (None, ';' | '\n') => true,
            (None, '&' | '|' | '<' | '>' | '(' | ')' | '{' | '}' | '`' | '\\' | '#') => {
                return None;
            }
            (None, ' ' | '\t') => {
                simple.words.extend(word.take());
                false
            }
            (None, _) => {
                word.get_or_insert_default().push(character);
                false
            }
        };
        if separates {
            simple.words.extend(word.take());
            all.push(core::mem::replace(&mut simple, Simple::new()));
        } else {
            simple.text.push(character);
        }
    }
    simple.words.extend(word);
    all.push(simple);
    all.retain(|simple| !simple.words.is_empty());
    for simple in &mut all {
        simple.text = simple.text.trim().to_owned();
    }
    quote.is_none().then_some(all)
}

impl Simple {
    fn new() -> Self {
        Self {
            text: String::new(),
            words: Vec::new(),
        }
    }

    /// The command without a shell if it needs none; else with a shell that execs it.
    pub(super) fn command(self) -> Option<Vec<String>> {
        let Self { text, mut words } = self;
        let assigns = words.first().is_some_and(|word| is_assignment(word));
        let expands = text.contains(['$', '*', '?', '[', '~']);
        if words.first().is_some_and(|word| word == "exec") {
            words.remove(0);
        }
        match (assigns, expands) {
            (true, true) => None,
            (true, false) => {
                words.insert(0, "env".to_owned());
                Some(words)
            }
            (false, true) => {
                let text = text.strip_prefix("exec ").unwrap_or(&text);
                Some(super::words(&["sh", "-c", &format!("exec {text}")]))
            }
            (false, false) => Some(words),
        }
    }
}

pub(super) fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// A command quoted for a shell.
pub(super) fn shown(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let words: Vec<_> = words.iter().map(quoted).collect();
    words.join(" ")
}

/// Examines a shell: a script after `-c` that can be parsed, or an unknown command.
pub(super) fn look(
    shell: &str,
    args: &[String],
    read_file: ReadFile<'_>,
) -> Result<Launch, Obstacle> {
    let nothing = Ok(Launch::of(Known::Nothing));
    let is_option = |word: &&String| word.starts_with('-') && !word.starts_with("--");
    let options = args.iter().take_while(is_option);
    let Some(at) = options.into_iter().position(|word| word.contains('c')) else {
        return nothing;
    };
    let Some(mut simples) = args.get(at + 1).and_then(|script| split(script)) else {
        return nothing;
    };
    let Some(last) = simples.pop() else {
        return nothing;
    };
    let begin = last.words.iter().position(|word| !is_assignment(word));
    let command = last
        .words
        .get(begin.unwrap_or_default()..)
        .unwrap_or_default();
    let (execs, command) = match command {
        [exec, command @ ..] if exec == "exec" => (true, command),
        command => (false, command),
    };
    let looked = look_at(command, read_file).and_then(|launch| match launch.appended {
        Some(word) => {
            let why = "without a word after its options, Node.js does not act as a cluster worker";
            let instead = Instead::Run([command, &[word]].concat());
            Err(Obstacle::new("node --snapshot-blob", why, instead))
        }
        None => Ok(launch),
    });
    match looked {
        // bash, ash and others exec the last command of a script; dash does not, and sh may be dash.
        Ok(launch) if launch.known == Known::NodeJs && !execs && matches!(shell, "sh" | "dash") => {
            let warning = format!(
                "{shell} -c may remain the parent of Node.js and not pass signals on; \
                 write exec before the command, as in: {shell} -c 'exec {}'",
                shown(command)
            );
            Ok(Launch {
                warning: Some(warning.replace(char::is_control, " ")),
                ..launch
            })
        }
        Ok(launch) => Ok(launch),
        Err(mut obstacle) => {
            if !simples.is_empty() {
                let advice = "end the script with exec and the Node.js command itself instead, \
                              as in: exec node server.js";
                obstacle.instead = Instead::advice(advice);
            } else if let Instead::Run(_) = obstacle.instead
                && let Some(assignments) = last.words.get(..begin.unwrap_or_default())
                && !assignments.is_empty()
            {
                let mut front = words(&["env"]);
                front.extend_from_slice(assignments);
                obstacle.instead = obstacle.instead.within(&front);
            }
            Err(obstacle)
        }
    }
}

/// The arguments of env(1) before the command.
pub(super) struct EnvWords<'a> {
    /// The number of these words.
    pub(super) count: usize,
    /// The command runs in another directory.
    elsewhere: bool,
    /// The option that removes all variables; words after it are not examined.
    pub(super) clears: Option<&'a str>,
}

/// `None`: there is an unknown option.
pub(super) fn env_words(args: &[String]) -> Option<EnvWords<'_>> {
    let mut words = EnvWords {
        count: 0,
        elsewhere: false,
        clears: None,
    };
    while let Some(arg) = args.get(words.count) {
        let mut taken = 1;
        match arg.as_str() {
            "-" | "-i" | "--ignore-environment" => {
                words.clears = Some(arg);
                break;
            }
            "-u" | "--unset" => taken = 2,
            "-C" | "--chdir" => {
                words.elsewhere = true;
                taken = 2;
            }
            "--" => {}
            option if option.starts_with("--chdir=") => words.elsewhere = true,
            option if option.starts_with("--unset=") => {}
            option if option.starts_with('-') => return None,
            assignment if assignment.contains('=') => {}
            _ => break,
        }
        words.count += taken;
    }
    Some(words)
}

/// Examines the command of env(1), which execs it.
pub(super) fn look_through_env(
    args: &[String],
    read_file: ReadFile<'_>,
) -> Result<Launch, Obstacle> {
    let Some(env) = env_words(args) else {
        return Ok(Launch::of(Known::Nothing));
    };
    if let Some(arg) = env.clears {
        let why = "it removes the variables that a worker needs for its channel";
        let advice = format!("leave {arg} out, and unset variables with -u NAME instead");
        let what = format!("env {arg}");
        return Err(Obstacle::new(what, why, Instead::advice(advice)));
    }
    let mut front = words(&["env"]);
    front.extend(args.iter().take(env.count).cloned());
    let rest = args.get(env.count..).unwrap_or_default();
    // The package.json of another directory is not read.
    let read_file: ReadFile<'_> = if env.elsewhere { &|_| None } else { read_file };
    look_at(rest, read_file).map_err(|mut obstacle| {
        obstacle.instead = obstacle.instead.within(&front);
        obstacle
    })
}
