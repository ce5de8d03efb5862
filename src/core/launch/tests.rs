mod packages;

use super::line::{shown, split};
use super::*;
use alloc::borrow::ToOwned;

const PACKAGE: &str = r#"{
  "name": "app", "deep": [[[[[[[[[[[[]]]]]]]]]]]],
  "scripts": {
    "start": "node server.js",
    "env": "NODE_ENV=production node server.js",
    "port": "node server.js --port $PORT",
    "quotes": "node 'my app.js'",
    "built": "npm run build && node dist/x.js",
    "piped": "node a.js | pino-pretty",
    "dev": "nodemon src/index.js",
    "ts": "tsx src/app.ts",
    "cross": "cross-env A=1 node x.js",
    "watch": "node --watch x.js",
    "again": "yarn start",
    "circle": "npm run circle",
    "next": "A=1 next start",
    "next-dev": "next dev",
    "own": "./start.sh",
    "lines": "node a.js\n node b.js |\n cat"
  }
}"#;

fn read_file(path: &str) -> Option<String> {
    match path {
        "package.json" => Some(PACKAGE.to_owned()),
        "node_modules/.bin/next" => Some(String::new()),
        _ => None,
    }
}

/// The words of a line; those in single quotes may have spaces.
fn parsed(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => all.extend(part.split_whitespace().map(String::from)),
            _ => all.push(part.to_owned()),
        }
    }
    all
}

#[track_caller]
fn is(line: &str, known: Known) {
    let launch = examine(&parsed(line), &read_file);
    assert_eq!(launch.map(|launch| launch.known), Ok(known), "{line}");
}

/// Rejected: `what` comes first, and `advice` last.
#[track_caller]
fn refused(line: &str, what: &str, advice: &str) {
    refused_with(line, &read_file, what, advice);
}

#[track_caller]
fn refused_with(line: &str, read_file: ReadFile<'_>, what: &str, advice: &str) {
    let sentence = examine(&parsed(line), read_file).unwrap_err();
    let ends = sentence.starts_with(&format!("{what}: ")) && sentence.ends_with(advice);
    assert!(ends && !sentence.contains('\n'), "{line}: {sentence}");
}

const GENERAL: &str = "; run Node.js and the script itself instead, as in: node server.js";

#[test]
fn node_with_a_script_is_accepted() {
    for line in [
        "node server.js",
        "nodejs server.js",
        "/opt/node-22.1 server.js",
        "/usr/local/bin/node server.js --watch -e",
        "node --import tsx app.ts",
        "node -r dotenv/config --max-old-space-size=300 .",
        "node --env-file=.env -- server.js",
        "node --title x --inspect server.js",
        "env A=1 -u B node server.js",
        "/usr/bin/env -C /app -- node server.js",
        "env --chdir=/app --unset=A node server.js",
        "sh -c 'exec node server.js'",
        "/bin/sh -ec 'cd /app && A=1 exec node server.js'",
        "bash -c 'node server.js'",
        "ash -c 'node server.js'",
        "node node",
        "node ./env -i",
        "node dist/cli.mjs",
        "node node_modules/next/dist/bin/next start",
    ] {
        is(line, Known::NodeJs);
    }
}

#[test]
fn unknown_commands_are_accepted() {
    for line in [
        "",
        "./start.sh",
        "docker-entrypoint.sh node -e 1",
        "sh start.sh",
        "sh",
        "sh -c",
        "sh -c ''",
        "sh -c 'node server.js | cat'",
        "sh -c 'npm start > log'",
        "sh -c 'trap x TERM; ./start.sh'",
        "env -S 'node server.js'",
        "env -i node server.js",
        "env",
        "node_modules/.bin/next start",
        "fastify start app.js",
        "npmx start",
        "./perl-wrapper",
    ] {
        is(line, Known::Nothing);
    }
}

#[test]
fn other_runtimes_and_languages_are_recognised_by_name() {
    for (line, known) in [
        ("bun app.ts", Known::OtherRuntime("bun")),
        ("/bin/bun run start", Known::OtherRuntime("bun")),
        ("env A=1 bun x.js", Known::OtherRuntime("bun")),
        ("sh -c 'exec bun x.js'", Known::OtherRuntime("bun")),
        ("deno run -A app.ts", Known::OtherRuntime("deno")),
        ("python3 app.py", Known::OtherLanguage("python")),
        ("/usr/bin/python3.12 -m app", Known::OtherLanguage("python")),
        ("sh -c 'exec ruby app.rb'", Known::OtherLanguage("ruby")),
        ("env A=1 java -jar app.jar", Known::OtherLanguage("java")),
    ] {
        is(line, known);
    }
}

#[test]
fn a_snapshot_blob_is_appended_as_the_script() {
    for (line, appended) in [
        ("node --snapshot-blob snap.blob", Some("snap.blob")),
        ("node --snapshot-blob=snap.blob --", Some("snap.blob")),
        ("env A=1 node --title x --snapshot-blob a", Some("a")),
        ("node --snapshot-blob snap.blob app", None),
    ] {
        let launch = examine(&parsed(line), &read_file).unwrap();
        assert_eq!(launch.known, Known::NodeJs, "{line}");
        assert_eq!(launch.appended.as_deref(), appended, "{line}");
    }
}

#[test]
fn a_shell_that_may_not_exec_gets_a_warning() {
    for (line, command) in [
        ("sh -c 'node server.js'", "sh -c 'exec node server.js'"),
        (
            "dash -c 'cd /app; node a.js x'",
            "dash -c 'exec node a.js x'",
        ),
        ("/bin/sh -c 'A=1 node a.js $PORT'", "exec node a.js"),
    ] {
        let launch = examine(&parsed(line), &read_file).unwrap();
        assert_eq!(launch.known, Known::NodeJs);
        assert!(launch.warning.unwrap().contains(command), "{line}");
    }
}

#[test]
fn what_cannot_be_a_worker_is_refused_with_advice() {
    for (line, what, advice) in [
        ("node", "node", GENERAL),
        ("node -r x", "node", GENERAL),
        ("node --import x --title y", "node", GENERAL),
        ("node -", "node", GENERAL),
        ("node -i", "node -i", GENERAL),
        ("node --test", "node --test", GENERAL),
        ("node -v", "node -v", GENERAL),
        ("node --run start", "node --run", GENERAL),
        ("env node", "node", GENERAL),
        ("sh -c node", "node", GENERAL),
        ("node -e 1", "node -e", "as in: node server.js"),
        ("node --eval=1", "node --eval", "as in: node server.js"),
        ("sh -c 'node -r x -p 1'", "node -p", "as in: node server.js"),
        ("node --watch a.js b", "node --watch", "; leave it out"),
        (
            "node --watch-path=src a.js",
            "node --watch-path",
            "; leave it out",
        ),
        ("tsx app.ts", "tsx", "run node --import tsx app.ts instead"),
        (
            "node node_modules/.bin/tsx app.ts",
            "tsx",
            "run node --import tsx app.ts instead",
        ),
        ("tsx watch app.ts", "tsx watch", "; leave it out"),
        ("tsx", "tsx", GENERAL),
        (
            "ts-node app.ts",
            "ts-node",
            "run node -r ts-node/register app.ts instead",
        ),
        ("ts-node --esm app.ts", "ts-node", GENERAL),
        ("nodemon app.js x", "nodemon", "run node app.js x instead"),
        ("nodemon -w src app.js", "nodemon", GENERAL),
        (
            "node --x /app/node_modules/nodemon/bin/nodemon app.js",
            "nodemon",
            "run node app.js instead",
        ),
        (
            "pm2-runtime start app.js -i max",
            "pm2-runtime",
            "run node app.js instead",
        ),
        (
            "pm2 start app.js -- --port 1",
            "pm2",
            "run node app.js --port 1 instead",
        ),
        ("pm2-runtime ecosystem.config.js", "pm2-runtime", GENERAL),
        ("forever app.js", "forever", "run node app.js instead"),
        (
            "cross-env A=1 node x.js",
            "cross-env",
            "run env A=1 node x.js instead",
        ),
        ("fastify start -w app.js", "fastify -w", "; leave it out"),
        ("next dev", "next dev", "its production server instead"),
        ("nest start", "nest start", "node dist/main.js"),
        ("cservice app.js", "cservice", "run node app.js instead"),
        (
            "egg-scripts start",
            "egg-scripts start",
            "start({ mode: 'single' })",
        ),
        ("dotenv -- node a.js", "dotenv", "--env-file=.env server.js"),
    ] {
        refused(line, what, advice);
    }
}

#[test]
fn a_command_that_cannot_start_gets_a_suggestion() {
    for (line, part) in [
        ("server.js", "did you mean node server.js?"),
        ("./app.mjs -x", "did you mean node ./app.mjs -x?"),
        ("ecosystem.config.js", "reads no configuration file"),
        ("pm2.json", "npx pidone-from-pm2 prints it"),
        ("start app.js -i 4", "as in: pidone -- node app.js"),
        ("restart app.js -- -x", "as in: pidone -- node app.js -x"),
        ("start", "as in: pidone -- node server.js"),
        (
            "start ecosystem.config.js",
            "as in: pidone -- node server.js",
        ),
        ("status", "did you mean pidone ctl status?"),
        ("scale 3", "did you mean pidone ctl scale 3?"),
        ("ls", "did you mean pidone ctl status?"),
        ("help", "did you mean pidone --help?"),
        ("version", "did you mean pidone --version?"),
        ("next start", "did you mean node_modules/.bin/next start?"),
    ] {
        let said = meant(&parsed(line), &read_file).unwrap();
        assert!(said.contains(part), "{line}: {said}");
    }
    for line in ["", "nope", "/usr/bin/status", "tsc"] {
        assert_eq!(meant(&parsed(line), &read_file), None, "{line}");
    }
}

#[test]
fn only_simple_scripts_are_split() {
    let joined = |script: &str| {
        let commands = split(script)?;
        Some(commands.iter().map(|words| words.join("|")).collect())
    };
    let some = |all: &[&str]| Some(words(all));
    assert_eq!(joined("a b  c"), some(&["a|b|c"]));
    assert_eq!(joined("a;b && c\nd;"), some(&["a", "b", "c", "d"]));
    assert_eq!(joined(" "), some(&[]));
    for script in [
        "a | b", "a || b", "a & b", "(a)", "a > b", "`a`", "a\\ b", "'a", "a # b", "\"a\"",
    ] {
        assert_eq!(joined(script), None, "{script}");
    }
}

#[test]
fn a_command_is_quoted_for_a_shell() {
    for line in ["node server.js", "a '' 'b c' 'd;e' '$x'"] {
        assert_eq!(shown(&parsed(line)), line);
    }
    assert_eq!(shown(&words(&["a", "it's"])), r"a 'it'\''s'");
}

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
        ("", None),
    ] {
        assert_eq!(node_options_at(&parsed(line)), at, "{line}");
    }
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
        let found = interpreter(text.as_bytes());
        assert_eq!(found, Some(words(expected)), "{text}");
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
