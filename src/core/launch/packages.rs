//! npm and other package managers: what their scripts in package.json run.

use super::line::{has, is_assignment, shown, split};
use super::{Instead, Known, ReadFile, look, words};
use crate::json::Object;
use alloc::format;
use alloc::string::String;

/// Options that select another package or directory, or a shell's command.
const ELSEWHERE: &str =
    "-C -F -w --cwd --dir --filter --prefix --workspace --workspaces -p --package -c --call";

/// What a package manager runs; adds the words that say so to its name.
pub(super) fn task(what: &mut String, args: &[String], read_file: ReadFile<'_>) -> Instead {
    let manager = what.clone();
    let mut options = args.iter().take_while(|word| *word != "--");
    let elsewhere = options.any(|word| has(ELSEWHERE, word.split('=').next().unwrap_or(word)));
    let args = without_options(args);
    let [verb, rest @ ..] = args else {
        return Instead::general();
    };
    what.push_str(&format!(" {verb}"));
    // Yarn's Plug'n'Play has no `node_modules`; `yarn node` puts this option into `NODE_OPTIONS`.
    if read_file(".pnp.cjs").is_some() {
        let advice =
            "run Node.js and the script itself instead, as in: node -r ./.pnp.cjs server.js";
        return Instead::advice(advice);
    }
    let (name, added) = match (manager.as_str(), verb.as_str()) {
        _ if elsewhere => return Instead::general(),
        ("npx" | "pnpx" | "corepack", _) | (_, "node") => return program(args, read_file),
        (_, "exec" | "x" | "dlx") => return program(without_options(rest), read_file),
        (_, "run" | "run-script") => {
            let [name, added @ ..] = without_options(rest) else {
                return Instead::general();
            };
            what.push_str(&format!(" {name}"));
            (name, added)
        }
        ("npm", _) if !has("start stop restart test", verb) => return Instead::general(),
        _ => (verb, rest),
    };
    let is_npm = manager == "npm";
    script(name, if is_npm { behind(added) } else { added }, read_file)
}

fn without_options(words: &[String]) -> &[String] {
    let begin = words.iter().position(|word| !word.starts_with('-'));
    begin.and_then(|at| words.get(at..)).unwrap_or_default()
}

/// The words after `--`.
pub(super) fn behind(words: &[String]) -> &[String] {
    let at = words.iter().position(|word| word == "--");
    at.and_then(|at| words.get(at + 1..)).unwrap_or_default()
}

/// What a script of package.json runs.
fn script(name: &str, added: &[String], read_file: ReadFile<'_>) -> Instead {
    let find = || {
        let package = read_file("package.json")?;
        let package = Object::parse_nested(package.as_bytes(), u8::MAX)?;
        let scripts = package.get("scripts")?.object()?;
        scripts.get(name)?.string()
    };
    let Some(text) = find() else {
        // As in `yarn tsx`.
        return program(&[&[name.into()], added].concat(), read_file);
    };
    let expands = text.contains(['$', '*', '?', '[', '~']);
    if let Some([words]) = split(&text).filter(|_| !expands).as_deref() {
        let begin = words.iter().position(|word| !is_assignment(word));
        let (assigned, command) = words.split_at(begin.unwrap_or_default());
        return program(&[command, added].concat(), read_file).within_env(assigned);
    }
    let text = format!("{text} {}", shown(added));
    let text = text.trim_end();
    Instead::Advice(format!(
        "run the Node.js command of its script \"{name}\" itself instead, as in package.json: {text}"
    ))
}

/// What package managers run as this command: they put `node_modules/.bin` before `PATH`.
fn program(command: &[String], read_file: ReadFile<'_>) -> Instead {
    let [name, args @ ..] = command else {
        return Instead::general();
    };
    // As in `npx tsx@4`.
    let version = name.rfind('@').filter(|at| *at > 0);
    let mut name = String::from(name.get(..version.unwrap_or(name.len())).unwrap_or(name));
    let launch = look(&words(&[&name]), &|_| None);
    if launch.is_ok_and(|launch| launch.known == Known::Nothing) && !name.contains('/') {
        name.insert_str(0, "node_modules/.bin/");
        if read_file(&name).is_none() {
            return Instead::general();
        }
    }
    Instead::Run([&[name], args].concat())
}
