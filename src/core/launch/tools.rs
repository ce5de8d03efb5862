//! Tools that start Node.js as their own child.

use super::line::has;
use super::{GENERAL_ADVICE, Instead, Obstacle, ReadFile, packages, rejected, words};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use Remedy::{Advice, Package, Run, Script};

const CHILD: &str = "starts Node.js as its own child, so the app does not get the cluster channel";

const DEVELOPMENT: &str =
    "is for development, and the app that it restarts does not get the cluster channel";

const MANAGER: &str = "starts and restarts processes itself, as pidone does";

/// What to run instead of a tool.
enum Remedy {
    /// These words and the tool's arguments.
    Run(&'static str),
    /// The script that a process manager runs.
    Script,
    /// What a package manager runs.
    Package,
    Advice(&'static str),
}

/// The names of a tool or its package; the words that matter, if any do: options, or the first argument;
/// why it cannot be a worker; what to run instead.
type Tool = (&'static str, &'static str, &'static str, Remedy);

#[rustfmt::skip]
const TOOLS: &[Tool] = &[
    ("node", "-e --eval -p --print -pe", "runs code from the command line, which cannot be a worker",
     Advice("write it to a file and run that, as in: node server.js")),
    ("node", "--run", "passes on the variables of a channel that the app does not get", Advice(GENERAL_ADVICE)),
    ("node", "-i --interactive", "runs an interactive session, which cannot be a worker", Advice(GENERAL_ADVICE)),
    ("node", "-c --check -v --version -h --help --v8-options --test --prof-process --build-snapshot",
     "serves nothing with this option", Advice(GENERAL_ADVICE)),
    ("node", "--watch --watch-path --watch-preserve-output --watch-kill-signal", DEVELOPMENT, Advice("leave it out")),
    ("npm npx pnpm pnpx yarn yarnpkg corepack", "", CHILD, Package),
    ("pm2 pm2-runtime pm2-docker forever cservice", "", MANAGER, Script),
    ("egg-scripts eggctl", "start", CHILD,
     Advice("run a script that calls listen() of the app from require('egg').start({ mode: 'single' })")),
    ("nodemon node-dev", "", DEVELOPMENT, Run("node")),
    ("tsx", "watch", DEVELOPMENT, Advice("leave it out")),
    ("tsx", "", CHILD, Run("node --import tsx")),
    ("ts-node ts-node-esm ts-node-dev tsnd", "", CHILD, Run("node -r ts-node/register")),
    ("babel-node", "", CHILD, Run("node -r @babel/register")),
    ("cross-env cross-env-shell", "", CHILD, Run("env")),
    ("dotenv dotenv-cli env-cmd", "", CHILD,
     Advice("let Node.js read the file itself, as in: node --env-file=.env server.js")),
    ("concurrently npm-run-all run-p run-s", "", CHILD, Advice(GENERAL_ADVICE)),
    ("nest", "start", CHILD, Advice("run the built app instead, as in: node dist/main.js")),
    ("next nuxt nuxi astro strapi", "dev develop", DEVELOPMENT,
     Advice("build the app, and run its production server instead")),
    ("fastify fastify-cli", "-w --watch --watch=true", DEVELOPMENT, Advice("leave it out")),
];

/// Rejects a tool that cannot be a worker.
pub(super) fn check(name: &str, args: &[String], read_file: ReadFile<'_>) -> Result<(), Obstacle> {
    let is_given = |row: &Tool| {
        let options = args.iter().filter(|arg| arg.starts_with('-'));
        let mut given = args.iter().take(1).chain(options);
        given
            .find(|word| has(row.1, word))
            .map(|word| format!("{name} {word}"))
    };
    let mut rows = TOOLS.iter().filter(|row| has(row.0, name));
    let found = rows.find_map(|row| match row.1 {
        "" => Some((row, name.into())),
        _ => Some((row, is_given(row)?)),
    });
    let Some(((_, _, why, remedy), mut what)) = found else {
        return Ok(());
    };
    let instead = match remedy {
        Run(front) if args.first().is_some_and(|first| !first.starts_with('-')) => {
            let front = front.split(' ').map(String::from);
            Instead::Run(front.chain(args.iter().cloned()).collect())
        }
        Run(_) => Instead::general(),
        Script => script_of(args).map_or_else(Instead::general, Instead::Run),
        Package => packages::task(&mut what, args, read_file),
        Advice(advice) => Instead::advice(advice),
    };
    rejected(&what, &format!("{name} {why}"), instead)
}

/// The Node.js command for a process manager's script and the arguments after `--`.
pub(super) fn script_of(args: &[String]) -> Option<Vec<String>> {
    let is_script = |word: &&String| {
        let ends = [".js", ".mjs", ".cjs"];
        ends.iter().any(|end| word.ends_with(end)) && !word.contains(".config.")
    };
    let command = words(&["node", args.iter().find(is_script)?]);
    Some([&command, packages::behind(args)].concat())
}
