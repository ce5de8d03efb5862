//! Programs that start Node.js on their own terms.

#![forbid(unsafe_code)]

use super::{Instead, Obstacle, words};

/// What stands in the way when this program is run as a worker; `None`: nothing known.
pub(super) fn obstacle(name: &str, args: &[String]) -> Option<Obstacle> {
    let development = "it is for development, and the app it restarts has no channel";
    let (why, instead) = match (name, args) {
        ("tsx", [watch, args @ ..]) if watch == "watch" => (development.to_owned(), tsx(args)),
        ("tsx", args) => (takes_channel(name), tsx(args)),
        ("ts-node" | "ts-node-esm", args) => {
            let why = "it can start the app in a process of its own, which has no channel";
            (
                why.to_owned(),
                after(&["node", "-r", "ts-node/register"], args),
            )
        }
        ("nodemon" | "node-dev" | "ts-node-dev" | "tsnd", args) => {
            let typed = args.first().is_some_and(|script| script.ends_with(".ts"));
            let instead = if typed {
                tsx(args)
            } else {
                after(&["node"], args)
            };
            (development.to_owned(), instead)
        }
        ("pm2" | "pm2-runtime" | "pm2-docker" | "forever", args) => {
            let why =
                format!("{name} starts and restarts processes itself, which pidone does here");
            (why, managed(args))
        }
        ("cross-env" | "cross-env-shell", args) => (takes_channel(name), after(&["env"], args)),
        _ => return None,
    };
    Some(Obstacle::new(name, why, instead))
}

pub(super) fn takes_channel(name: &str) -> String {
    format!("{name} takes the worker's channel for itself, and the app behind it has none")
}

/// tsx hands its options on to Node.js.
fn tsx(args: &[String]) -> Instead {
    if args.is_empty() {
        return Instead::general();
    }
    let mut command = words(&["node", "--import", "tsx"]);
    command.extend_from_slice(args);
    Instead::Run(command)
}

/// The arguments, when they begin with no option of the tool, after these words.
fn after(front: &[&str], args: &[String]) -> Instead {
    if args.first().is_none_or(|first| first.starts_with('-')) {
        return Instead::general();
    }
    let mut command = words(front);
    command.extend_from_slice(args);
    Instead::Run(command)
}

/// The script that a process manager is given, and what comes after `--`.
fn managed(args: &[String]) -> Instead {
    let is_script = |word: &&String| {
        let ends = [".js", ".mjs", ".cjs"];
        let is_configuration = word.contains(".config.");
        ends.iter().any(|end| word.ends_with(end)) && !is_configuration
    };
    let Some(script) = args.iter().find(is_script) else {
        let advice = "run Node.js and the script that it names itself instead, \
                      as in: node server.js";
        return Instead::advice(advice);
    };
    let mut command = words(&["node", script]);
    let own = args.iter().skip_while(|word| *word != "--").skip(1);
    command.extend(own.cloned());
    Instead::Run(command)
}
