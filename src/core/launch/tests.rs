mod packages;

use super::shell::{shown, split};
use super::*;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

const PACKAGE: &str = r#"{
  "name": "app", "deep": [[[[[[[[[[[[]]]]]]]]]]]],
  "scripts": {
    "start": "node server.js",
    "env": "NODE_ENV=production node server.js",
    "port": "node server.js --port $PORT",
    "quotes": "node 'my app.js' \"\"",
    "built": "npm run build && node dist/x.js",
    "prebuilt": "tsc",
    "piped": "node a.js | pino-pretty",
    "moved": "cd x && node y.js",
    "dev": "nodemon src/index.js",
    "ts": "tsx src/app.ts",
    "cross": "cross-env A=1 node x.js",
    "watch": "node --watch x.js",
    "again": "yarn start",
    "circle": "npm run circle",
    "next": "next start",
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

fn examine_line(line: &str, read_file: ReadFile<'_>) -> Result<Launch, String> {
    let [simple] = split(line).unwrap().try_into().unwrap();
    examine(&simple.words, read_file).map_err(|refusal| refusal.to_string())
}

#[track_caller]
fn is(line: &str, known: Known) {
    let launch = examine_line(line, &read_file);
    assert_eq!(launch, Ok(Launch::of(known)), "{line}");
}

/// Rejected: `what` comes first, and `instead` is the remedy.
#[track_caller]
fn refused(line: &str, what: &str, instead: &str) {
    let sentence = examine_line(line, &read_file).unwrap_err();
    assert!(
        sentence.starts_with(&format!("{what}: ")),
        "{line}: {sentence}"
    );
    assert!(
        sentence.contains(&format!("; run {instead} instead")),
        "{line}: {sentence}"
    );
    assert!(!sentence.contains('\n'), "{sentence}");
}

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
    ] {
        is(line, Known::NodeJs);
    }
}

#[test]
fn unknown_commands_are_accepted() {
    for line in [
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
        "env",
        "node_modules/.bin/next start",
        "npmx start",
    ] {
        is(line, Known::Nothing);
    }
}

#[test]
fn other_runtimes_have_no_channel() {
    for line in [
        "bun app.ts",
        "/bin/bun run start",
        "env A=1 bun x.js",
        "sh -c 'exec bun x.js'",
    ] {
        is(line, Known::OtherRuntime("bun"));
    }
    is("deno run -A app.ts", Known::OtherRuntime("deno"));
}

#[test]
fn other_languages_are_recognised_by_name() {
    for (line, name) in [
        ("python3 app.py", "python"),
        ("/usr/bin/python3.12 -m app", "python"),
        ("sh -c 'exec ruby app.rb'", "ruby"),
        ("env A=1 java -jar app.jar", "java"),
    ] {
        is(line, Known::OtherLanguage(name));
    }
    is("./perl-wrapper", Known::Nothing);
}

#[test]
fn a_snapshot_blob_is_appended_as_the_script() {
    for line in [
        "node --snapshot-blob snap.blob",
        "node --snapshot-blob=snap.blob --",
        "env A=1 node --title x --snapshot-blob snap.blob",
    ] {
        let launch = examine_line(line, &read_file).unwrap();
        assert_eq!(launch.known, Known::NodeJs, "{line}");
        assert_eq!(launch.appended.as_deref(), Some("snap.blob"), "{line}");
    }
    is("node --snapshot-blob snap.blob app", Known::NodeJs);
    refused(
        "sh -c 'A=1 exec node --snapshot-blob x'",
        "node --snapshot-blob",
        "env A=1 node --snapshot-blob x x",
    );
    let sentence = examine_line("node --snapshot-blob x --build-snapshot a.js", &read_file);
    assert!(sentence.unwrap_err().contains("--build-snapshot"));
}

#[test]
fn a_command_that_cannot_start_gets_a_suggestion() {
    let read = |path: &str| (path == "node_modules/.bin/next").then(String::new);
    for (line, part) in [
        ("server.js", "did you mean node server.js?"),
        ("./app.mjs -x", "did you mean node ./app.mjs -x?"),
        ("ecosystem.config.js", "reads no configuration file"),
        ("pm2.json", "reads no configuration file"),
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
        let [simple] = split(line).unwrap().try_into().unwrap();
        let said = meant(&simple.words, &read).unwrap();
        assert!(said.contains(part), "{line}: {said}");
    }
    for line in ["nope", "/usr/bin/status", "tsc"] {
        assert_eq!(meant(&words(&[line]), &read), None, "{line}");
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
        let launch = examine_line(line, &read_file).unwrap();
        assert_eq!(launch.known, Known::NodeJs);
        assert!(launch.warning.unwrap().contains(command), "{line}");
    }
}

#[test]
fn node_without_a_script_of_its_own_is_rejected() {
    let general = "Node.js and the script itself";
    for (line, what) in [
        ("node", "node"),
        ("node -r x", "node"),
        ("node --import x --title y", "node"),
        ("node -", "node -"),
        ("node -i", "node -i"),
        ("node --test", "node --test"),
        ("node -v", "node -v"),
        ("env node", "node"),
        ("sh -c node", "node"),
    ] {
        refused(line, what, general);
    }
    for line in [
        "node -e 1",
        "node -pe 1",
        "node --eval=1",
        "node -r x -p 1",
        "sh -c 'node -e 1'",
    ] {
        let sentence = examine_line(line, &read_file).unwrap_err();
        assert!(sentence.contains("write it to a file"), "{sentence}");
    }
    for (line, instead) in [
        ("node --watch a.js b", "node a.js b"),
        (
            "node --import tsx --watch-path src --watch a.ts",
            "node --import tsx a.ts",
        ),
        ("node --watch-path=src -- a.js", "node -- a.js"),
        ("env A=1 node --watch a.js", "env A=1 node a.js"),
        ("/opt/node --watch a.js", "/opt/node a.js"),
    ] {
        refused(line, "node --watch", instead);
    }
    refused("node --run start", "node --run start", "node server.js");
    refused(
        "node --run=start -- -x",
        "node --run start",
        "node server.js -x",
    );
    refused("node --run", "node --run", general);
}

#[test]
fn tools_that_start_node_are_rejected() {
    let general = "Node.js and the script itself";
    for (line, what, instead) in [
        ("tsx app.ts", "tsx", "node --import tsx app.ts"),
        (
            "node_modules/.bin/tsx app.ts",
            "tsx",
            "node --import tsx app.ts",
        ),
        (
            "node node_modules/.bin/tsx app.ts",
            "tsx",
            "node --import tsx app.ts",
        ),
        ("tsx watch app.ts", "tsx", "node --import tsx app.ts"),
        ("tsx", "tsx", general),
        (
            "ts-node app.ts",
            "ts-node",
            "node -r ts-node/register app.ts",
        ),
        ("ts-node --esm app.ts", "ts-node", general),
        ("nodemon app.js x", "nodemon", "node app.js x"),
        ("nodemon app.ts", "nodemon", "node --import tsx app.ts"),
        ("nodemon -w src app.js", "nodemon", general),
        (
            "ts-node-dev app.ts",
            "ts-node-dev",
            "node --import tsx app.ts",
        ),
        (
            "pm2-runtime start app.js -i max",
            "pm2-runtime",
            "node app.js",
        ),
        (
            "pm2 start app.js -- --port 1",
            "pm2",
            "node app.js --port 1",
        ),
        (
            "pm2-runtime ecosystem.config.js",
            "pm2-runtime",
            "Node.js and the script that it names itself",
        ),
        ("forever app.js", "forever", "node app.js"),
        ("cross-env A=1 node x.js", "cross-env", "env A=1 node x.js"),
        (
            "node node_modules/tsx/dist/cli.mjs app.ts",
            "tsx",
            "node --import tsx app.ts",
        ),
        (
            "node --x /app/node_modules/nodemon/bin/nodemon.js app.js",
            "nodemon",
            "node app.js",
        ),
        (
            "node /usr/lib/node_modules/npm/bin/npm-cli.js start",
            "npm start",
            "node server.js",
        ),
        (
            "node .yarn/releases/yarn-4.9.1.cjs start",
            "yarn start",
            "node server.js",
        ),
        (
            "babel-node app.js",
            "babel-node",
            "node -r @babel/register app.js",
        ),
    ] {
        refused(line, what, instead);
    }
    is("node dist/cli.mjs", Known::NodeJs);
    is("fastify start app.js", Known::Nothing);
    for (line, advice) in [
        ("fastify start -w app.js", "leave -w (--watch) out"),
        ("node_modules/.bin/fastify start --watch a.js", "leave -w"),
        ("next dev", "production server"),
        ("nest start", "node dist/main.js"),
        ("dotenv -- node a.js", "node --env-file=.env"),
    ] {
        let sentence = examine_line(line, &read_file).unwrap_err();
        assert!(sentence.contains(advice), "{line}: {sentence}");
    }
    let sentence = examine_line("env -i node a.js", &read_file).unwrap_err();
    assert!(sentence.contains("leave -i out"), "{sentence}");
}

#[test]
fn simple_scripts_are_split_as_by_a_shell() {
    let words = |script: &str| {
        let simples = split(script)?.into_iter();
        Some(
            simples
                .map(|simple| simple.words.join("|"))
                .collect::<Vec<_>>(),
        )
    };
    let some = |all: &[&str]| Some(all.iter().copied().map(String::from).collect());
    assert_eq!(words("a b  c"), some(&["a|b|c"]));
    assert_eq!(words("a;b && c\nd;"), some(&["a", "b", "c", "d"]));
    assert_eq!(words("a 'b c'\"d;e\" ''"), some(&["a|b cd;e|"]));
    assert_eq!(words(" "), some(&[]));
    for script in [
        "a | b", "a || b", "a & b", "(a)", "a > b", "`a`", "a\\ b", "'a", "a # b", "\"\\\"\"",
    ] {
        assert_eq!(words(script), None, "{script}");
    }
}

#[test]
fn a_command_is_quoted_for_a_shell() {
    for line in ["node server.js", "a '' 'b c' 'd;e' '$x'", r"a 'it'\''s'"] {
        let all = match split(line) {
            Some(simples) => simples
                .into_iter()
                .flat_map(|simple| simple.words)
                .collect(),
            None => words(&["a", "it's"]),
        };
        assert_eq!(shown(&all), line);
    }
}
