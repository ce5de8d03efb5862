//! Tools that start Node.js as their own child.

use super::{Instead, Obstacle, words};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Why this program cannot be a worker; `None`: no reason is known.
pub(super) fn obstacle(name: &str, args: &[String]) -> Option<Obstacle> {
    let development = "it is for development, and the app it restarts has no channel";
    let watches = |word: &String| matches!(word.as_str(), "-w" | "--watch" | "--watch=true");
    let (why, instead) = match (name, args) {
        ("fastify", args) if args.iter().any(watches) => {
            let advice = "leave -w (--watch) out";
            (development.to_owned(), Instead::advice(advice))
        }
        ("next" | "nuxt" | "nuxi" | "astro", [dev, ..]) if dev == "dev" => {
            let advice = "build the app, and run its production server instead";
            (development.to_owned(), Instead::advice(advice))
        }
        ("strapi", [develop, ..]) if matches!(develop.as_str(), "develop" | "dev") => {
            let advice = "build the app, and run strapi start instead";
            (development.to_owned(), Instead::advice(advice))
        }
        ("nest", [start, ..]) if start == "start" => {
            let advice = "run the built app instead, as in: node dist/main.js";
            (takes_channel("nest start"), Instead::advice(advice))
        }
        ("dotenv" | "env-cmd", _) => {
            let advice = "let Node.js read the file itself, as in: node --env-file=.env server.js";
            (takes_channel(name), Instead::advice(advice))
        }
        ("concurrently" | "npm-run-all" | "run-p" | "run-s", _) => {
            (takes_channel(name), Instead::general())
        }
        ("tsx", [watch, args @ ..]) if watch == "watch" => (development.to_owned(), tsx(args)),
        ("tsx", args) => (takes_channel(name), tsx(args)),
        ("ts-node" | "ts-node-esm", args) => {
            let why = "it can start the app in a child process, which has no channel";
            (
                why.to_owned(),
                after(&["node", "-r", "ts-node/register"], args),
            )
        }
        ("babel-node", args) => {
            let instead = after(&["node", "-r", "@babel/register"], args);
            (takes_channel(name), instead)
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
            let why = format!("{name} starts and restarts processes itself, as pidone does");
            (why, managed(args))
        }
        ("cross-env" | "cross-env-shell", args) => (takes_channel(name), after(&["env"], args)),
        _ => return None,
    };
    Some(Obstacle::new(name, why, instead))
}

/// The tool that an installed script belongs to, by its name in `node_modules/.bin`. Needed for
/// commands that name the script file instead of that link.
pub(super) fn of_package(script: &str) -> Option<&'static str> {
    const SCRIPTS: &[(&str, &str)] = &[
        ("/npm/bin/npm-cli.js", "npm"),
        ("/npm/bin/npx-cli.js", "npx"),
        ("/yarn/bin/yarn.js", "yarn"),
        ("/pnpm/bin/pnpm.cjs", "pnpm"),
        ("/pnpm/bin/pnpm.mjs", "pnpm"),
        ("/corepack/dist/corepack.js", "corepack"),
        ("/tsx/dist/cli.mjs", "tsx"),
        ("/tsx/dist/cli.cjs", "tsx"),
        ("/tsx/dist/cli.js", "tsx"),
        ("/ts-node/dist/bin.js", "ts-node"),
        ("/ts-node-dev/lib/bin.js", "ts-node-dev"),
        ("/nodemon/bin/nodemon.js", "nodemon"),
        ("/node-dev/bin/node-dev", "node-dev"),
        ("/forever/bin/forever", "forever"),
        ("/pm2/bin/pm2", "pm2"),
        ("/pm2/bin/pm2-runtime", "pm2-runtime"),
        ("/cross-env/src/bin/cross-env.js", "cross-env"),
        ("/cross-env/dist/bin/cross-env.js", "cross-env"),
        ("/fastify-cli/cli.js", "fastify"),
        ("/@babel/node/bin/babel-node.js", "babel-node"),
        ("/@babel/node/lib/babel-node.js", "babel-node"),
        ("/next/dist/bin/next", "next"),
        ("/@nestjs/cli/bin/nest.js", "nest"),
        ("/dotenv-cli/cli.js", "dotenv"),
        ("/env-cmd/bin/env-cmd.js", "env-cmd"),
        ("/concurrently/dist/bin/concurrently.js", "concurrently"),
    ];
    let installed = script.rsplit_once("node_modules").map(|(_, path)| path);
    let known = SCRIPTS.iter().find(|(known, _)| Some(*known) == installed);
    let of_yarn = || {
        let release = script.rsplit_once(".yarn/releases/")?.1;
        release.starts_with("yarn-").then_some("yarn")
    };
    known.map(|(_, name)| *name).or_else(of_yarn)
}

pub(super) fn takes_channel(name: &str) -> String {
    format!("{name} starts Node.js as its own child, so the app does not get the cluster channel")
}

/// tsx passes its options to Node.js.
fn tsx(args: &[String]) -> Instead {
    if args.is_empty() {
        return Instead::general();
    }
    let mut command = words(&["node", "--import", "tsx"]);
    command.extend_from_slice(args);
    Instead::Run(command)
}

/// These words and the arguments, unless the arguments begin with an option of the tool.
fn after(front: &[&str], args: &[String]) -> Instead {
    if args.first().is_none_or(|first| first.starts_with('-')) {
        return Instead::general();
    }
    let mut command = words(front);
    command.extend_from_slice(args);
    Instead::Run(command)
}

/// The command that a process manager runs.
fn managed(args: &[String]) -> Instead {
    match script_of(args) {
        Some(command) => Instead::Run(command),
        None => Instead::advice(
            "run Node.js and the script that it names itself instead, as in: node server.js",
        ),
    }
}

/// The Node.js command for a process manager's script and the arguments after `--`.
pub(super) fn script_of(args: &[String]) -> Option<Vec<String>> {
    let is_script = |word: &&String| {
        let ends = [".js", ".mjs", ".cjs"];
        let is_configuration = word.contains(".config.");
        ends.iter().any(|end| word.ends_with(end)) && !is_configuration
    };
    let script = args.iter().find(is_script)?;
    let mut command = words(&["node", script]);
    let own = args.iter().skip_while(|word| *word != "--").skip(1);
    command.extend(own.cloned());
    Some(command)
}
