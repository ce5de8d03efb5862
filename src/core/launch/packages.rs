//! npm and other package managers: what their scripts in package.json run.

use super::options::node_options_at;
use super::shell::{shown, split};
use super::tools::takes_channel;
use super::{Instead, Known, Obstacle, ReadFile, look, words};
use crate::json::Object;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const MANAGERS: &[&str] = &["npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg", "corepack"];

/// What a package manager is to run.
enum Task<'a> {
    /// A script of package.json, and additional arguments.
    Script(&'a str, Vec<String>),
    /// A program of a package.
    Program(&'a [String]),
    Other,
}

/// Options that select a package in another directory.
const ELSEWHERE: &[&str] = &[
    "-C",
    "-F",
    "-w",
    "--cwd",
    "--dir",
    "--filter",
    "--prefix",
    "--workspace",
    "--workspaces",
];

pub(super) fn obstacle(name: &str, args: &[String], read_file: ReadFile<'_>) -> Obstacle {
    let mut before = "";
    let begin = args.iter().position(|word| {
        let is_value = ELSEWHERE.contains(&core::mem::replace(&mut before, word));
        !is_value && !word.starts_with('-')
    });
    let args_of_verb = args.get(begin.unwrap_or(args.len())..).unwrap_or_default();
    let (verb, rest) = match args_of_verb {
        [verb, rest @ ..] => (verb.as_str(), rest),
        [] => ("", args),
    };
    let what = format!("{name} {verb}");
    let what = what.trim_end();
    if name == "corepack" {
        let instead = if args_of_verb.is_empty() {
            Instead::general()
        } else {
            Instead::Run(args_of_verb.to_vec())
        };
        return Obstacle::new(what, takes_channel(name), instead);
    }
    let own = args.iter().take_while(|word| *word != "--");
    let mut options = own.map(|word| word.split('=').next().unwrap_or(word));
    let elsewhere = options.any(|option| ELSEWHERE.contains(&option));
    let read_file: ReadFile<'_> = if elsewhere { &|_| None } else { read_file };
    let task = match (name, verb) {
        ("npx" | "pnpx", _) => Task::Program(args),
        (_, "run" | "run-script") => script(name, rest),
        (_, "exec" | "x" | "dlx") => Task::Program(rest),
        ("npm", "start" | "stop" | "restart" | "test") => script(name, args_of_verb),
        ("npm", _) | (_, "") => Task::Other,
        (_, "node") => Task::Program(args_of_verb),
        _ => script(name, args_of_verb),
    };
    match task {
        Task::Script(script, added) => {
            let mut obstacle = scripted(script, &added, read_file);
            obstacle.what = match verb {
                "run" | "run-script" => format!("{what} {script}"),
                _ => what.to_owned(),
            };
            obstacle.why = takes_channel(name);
            obstacle.instead = plugged_in(obstacle.instead, read_file);
            obstacle
        }
        Task::Program(args) => {
            let instead = plugged_in(program(args, read_file), read_file);
            Obstacle::new(what, takes_channel(name), instead)
        }
        Task::Other => Obstacle::new(what, takes_channel(name), Instead::general()),
    }
}

/// Adds the options that Yarn's Plug'n'Play needs, which has no `node_modules`: `yarn node` puts
/// the same into `NODE_OPTIONS`.
fn plugged_in(instead: Instead, read_file: ReadFile<'_>) -> Instead {
    let Instead::Run(mut command) = instead else {
        return instead;
    };
    if let Some(at) = node_options_at(&command) {
        let options = [
            (".pnp.cjs", ["-r", "./.pnp.cjs"]),
            (".pnp.loader.mjs", ["--loader", "./.pnp.loader.mjs"]),
        ];
        let present = options.iter().filter(|(file, _)| read_file(file).is_some());
        let added = present.flat_map(|(_, words)| words.map(String::from));
        command.splice(at..at, added.collect::<Vec<_>>());
    }
    Instead::Run(command)
}

/// `node --run`.
pub(super) fn run(what: &str, name: &str, args: &[String], read_file: ReadFile<'_>) -> Obstacle {
    let added = args.iter().skip_while(|word| *word != "--").skip(1);
    let mut obstacle = scripted(name, &added.cloned().collect::<Vec<_>>(), read_file);
    obstacle.what = format!("{what} {name}").trim_end().to_owned();
    obstacle.why = "the app gets the variables of a channel that it does not have".to_owned();
    obstacle
}

/// The script that these words name, and its additional arguments: npm keeps options before `--` for itself.
fn script<'a>(manager: &str, args: &'a [String]) -> Task<'a> {
    let Some(at) = args.iter().position(|word| !word.starts_with('-')) else {
        return Task::Other;
    };
    let Some([name, rest @ ..]) = args.get(at..) else {
        return Task::Other;
    };
    let mut behind = false;
    let added = rest.iter().filter(|word| {
        let first = *word == "--" && !behind;
        behind |= first;
        !first && (behind || manager != "npm" || !word.starts_with('-'))
    });
    Task::Script(name, added.cloned().collect())
}

/// The command that a script of package.json runs.
fn scripted(name: &str, added: &[String], read_file: ReadFile<'_>) -> Obstacle {
    let obstacle = |instead| Obstacle::new("", "", instead);
    let package = read_file("package.json");
    let find = |name: &str| {
        let package = Object::parse_nested(package.as_deref()?.as_bytes(), u8::MAX)?;
        let scripts = package.get("scripts")?.raw();
        Object::parse_nested(scripts.as_bytes(), u8::MAX)?
            .get(name)?
            .string()
    };
    let Some(text) = find(name) else {
        // The default of npm and pnpm.
        let instead = if name == "start" && read_file("server.js").is_some() {
            Instead::Run(words(&["node", "server.js"]))
        } else {
            program_of_package(name, added, read_file)
        };
        return obstacle(instead);
    };
    let whole = format!("{text} {}", shown(added));
    let mut simples = split(&whole).unwrap_or_default();
    let last = simples.pop();
    let moves = |word: &String| matches!(word.as_str(), "cd" | "export" | "set" | "." | "source");
    let stays = !simples
        .iter()
        .any(|simple| simple.words.first().is_some_and(moves));
    let Some(command) = last.filter(|_| stays).and_then(|last| last.command()) else {
        return obstacle(Instead::Advice(format!(
            "run the Node.js command of its script \"{name}\" itself instead, \
             as in package.json: {text}"
        )));
    };
    let mut found = obstacle(Instead::Run(in_packages(command, read_file)));
    found.before.extend(find(&format!("pre{name}")));
    let others = simples.into_iter().map(|simple| simple.text);
    found.before.extend(others);
    found
}

/// The program that `npx` and `exec` run.
fn program(args: &[String], read_file: ReadFile<'_>) -> Instead {
    let names_package =
        |word: &&String| matches!(word.as_str(), "-p" | "--package" | "-c" | "--call");
    let own = args.iter().take_while(|word| word.starts_with('-'));
    let count = own.clone().count();
    if own.clone().any(|word| names_package(&word)) {
        return Instead::general();
    }
    match args.get(count..) {
        Some([name, args @ ..]) => program_of_package(name, args, read_file),
        _ => Instead::general(),
    }
}

/// A known program, or one of an installed package.
fn program_of_package(name: &str, args: &[String], read_file: ReadFile<'_>) -> Instead {
    let at_version = name.rfind('@').filter(|at| *at > 0);
    let name = name.get(..at_version.unwrap_or(name.len())).unwrap_or(name);
    let mut command = words(&[name]);
    command.extend_from_slice(args);
    let command = in_packages(command, read_file);
    let is_found = command.first().is_some_and(|program| program != name);
    if is_found || is_known(name) {
        Instead::Run(command)
    } else {
        Instead::general()
    }
}

/// Package managers put `node_modules/.bin` before `PATH`.
fn in_packages(mut command: Vec<String>, read_file: ReadFile<'_>) -> Vec<String> {
    if let Some(program) = command.first_mut().filter(|program| !is_known(program)) {
        let installed = format!("node_modules/.bin/{program}");
        if !program.contains('/') && read_file(&installed).is_some() {
            *program = installed;
        }
    }
    command
}

/// Whether the name alone is known. The next step examines its arguments: otherwise a script that
/// runs itself would be followed endlessly.
fn is_known(program: &str) -> bool {
    !matches!(look(&words(&[program]), &|_| None), Ok(launch) if launch.known == Known::Nothing)
}
