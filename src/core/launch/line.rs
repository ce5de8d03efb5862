//! Reads command lines: Node.js' own options, env(1), simple shell scripts, and the first line of a
//! script.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Options of Node.js whose value is the next word when they have no `=` (node(1); the list of Node.js
/// 20 and a few older and newer ones). A missing one does no harm: its value is taken for the script.
const WITH_VALUE: &str = "-C -r --allow-fs-read --allow-fs-write --conditions --cpu-prof-dir \
    --cpu-prof-interval --cpu-prof-name --debug-port --diagnostic-dir --disable-proto --disable-warning \
    --dns-result-order --env-file --env-file-if-exists --es-module-specifier-resolution \
    --experimental-default-type --experimental-loader --heap-prof-dir --heap-prof-interval \
    --heap-prof-name --heapsnapshot-near-heap-limit --heapsnapshot-signal --icu-data-dir --import \
    --input-type --inspect-port --inspect-publish-uid --loader --localstorage-file \
    --max-http-header-size --network-family-autoselection-attempt-timeout --openssl-config \
    --redirect-warnings --report-dir --report-directory --report-filename --report-signal --require \
    --run --secure-heap --secure-heap-min --snapshot-blob --title --tls-cipher-list --tls-keylog \
    --trace-event-categories --trace-event-file-pattern --trace-require-module \
    --unhandled-rejections --use-largepages --v8-pool-size --watch-kill-signal --watch-path";

/// An option of Node.js in a command line.
pub(super) struct NodeOption<'a> {
    /// With hyphens: Node.js accepts underscores as well.
    pub(super) name: String,
    /// After `=`, or the next word.
    pub(super) value: Option<&'a str>,
    /// The index after its words.
    pub(super) end: usize,
}

/// The options up to the first word that is not an option.
pub(super) fn node_options(words: &[String]) -> impl Iterator<Item = NodeOption<'_>> {
    let mut begin = 0;
    core::iter::from_fn(move || {
        let word = words.get(begin).filter(|word| word.starts_with('-'))?;
        if matches!(word.as_str(), "-" | "--") {
            return None;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let name = name.replace('_', "-");
        let has_next = value.is_none() && has(WITH_VALUE, &name);
        let next = words.get(begin + 1).filter(|_| has_next);
        let option = NodeOption {
            name,
            value: value.or(next.map(String::as_str)),
            end: begin + 1 + usize::from(next.is_some()),
        };
        begin = option.end;
        Some(option)
    })
}

/// The index after the word that runs Node.js, if there is one; env(1) may precede it.
#[must_use]
pub fn node_options_at(words: &[String]) -> Option<usize> {
    let [program, args @ ..] = words else {
        return None;
    };
    match base_name(program) {
        "env" => {
            let count = env_words(args)?;
            Some(1 + count + node_options_at(args.get(count..)?)?)
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

/// Whether a word is in a list of words.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

pub(super) fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The number of arguments of env(1) before the command. `None`: there is an unknown option, or one that
/// removes the variables of the channel.
pub(super) fn env_words(args: &[String]) -> Option<usize> {
    let mut count = 0;
    while let Some(arg) = args.get(count) {
        count += match arg.as_str() {
            "-u" | "--unset" | "-C" | "--chdir" => 2,
            "--" => 1,
            option if option.starts_with("--chdir=") || option.starts_with("--unset=") => 1,
            option if option.starts_with('-') => return None,
            assignment if assignment.contains('=') => 1,
            _ => break,
        };
    }
    Some(count)
}

pub(super) fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The words of each command of a script, if it consists of simple commands in sequence and has no quotes.
pub(super) fn split(script: &str) -> Option<Vec<Vec<String>>> {
    let script = script.replace("&&", ";");
    if script.contains([
        '&', '|', '<', '>', '(', ')', '{', '}', '`', '\\', '\'', '"', '#',
    ]) {
        return None;
    }
    let commands = script.split([';', '\n']);
    let words = commands.map(|command| command.split_whitespace().map(String::from).collect());
    Some(words.filter(|words: &Vec<_>| !words.is_empty()).collect())
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
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The words that the kernel puts before the path of a script: its interpreter, and the rest of the
/// first line as one argument (execve(2)). The argument of `env -S` is split as env(1) does, unless
/// it has quotes, escapes or variables.
#[must_use]
pub fn interpreter(beginning: &[u8]) -> Option<Vec<String>> {
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let line = beginning.strip_prefix(b"#!")?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    let line = str::from_utf8(line.get(..end)?).ok()?;
    let line = line.trim_matches(is_space);
    let (program, argument) = line.split_once(is_space).unwrap_or((line, ""));
    let argument = argument.trim_start_matches(is_space);
    if program.is_empty() {
        return None;
    }
    let mut words = vec![program.to_owned()];
    match argument.strip_prefix("-S") {
        Some(text) if base_name(program) == "env" => {
            if text.contains(['$', '\'', '"', '\\', '#']) {
                return None;
            }
            words.extend(text.split_ascii_whitespace().map(String::from));
        }
        _ if argument.is_empty() => {}
        _ => words.push(argument.to_owned()),
    }
    Some(words)
}
