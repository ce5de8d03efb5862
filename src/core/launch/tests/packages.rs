//! npm and other package managers.

use super::*;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

#[test]
fn a_package_script_is_resolved_to_its_command() {
    for (script, instead) in [
        ("start", "node server.js"),
        ("env", "env NODE_ENV=production node server.js"),
        ("port", "sh -c 'exec node server.js --port $PORT'"),
        ("quotes", "node 'my app.js' ''"),
        ("built", "node dist/x.js"),
        ("dev", "node src/index.js"),
        ("ts", "node --import tsx src/app.ts"),
        ("cross", "env A=1 node x.js"),
        ("watch", "node x.js"),
        ("again", "node server.js"),
        ("next", "node_modules/.bin/next start"),
        ("circle", "Node.js and the script itself"),
        ("missing", "Node.js and the script itself"),
        (
            "piped",
            "the Node.js command of its script \"piped\" itself",
        ),
        (
            "moved",
            "the Node.js command of its script \"moved\" itself",
        ),
        (
            "lines",
            "the Node.js command of its script \"lines\" itself",
        ),
    ] {
        for manager in ["npm run", "npm run-script", "pnpm run", "yarn run"] {
            let line = format!("{manager} {script}");
            refused(&line, &line, instead);
        }
        let line = format!("yarn {script}");
        refused(&line, &line, instead);
    }
    let sentence = examine_line("npm run built", &read_file).unwrap_err();
    assert!(
        sentence.ends_with("RUN line: tsc && npm run build"),
        "{sentence}"
    );
    let sentence = examine_line("npm run piped", &read_file).unwrap_err();
    assert!(
        sentence.ends_with(": node a.js | pino-pretty"),
        "{sentence}"
    );
}

#[test]
fn package_managers_are_rejected_in_every_form() {
    for (line, what, instead) in [
        ("npm start", "npm start", "node server.js"),
        ("/usr/bin/npm -s start", "npm start", "node server.js"),
        (
            "npm start --silent -- --port 1",
            "npm start",
            "node server.js --port 1",
        ),
        (
            "yarn start --port 1",
            "yarn start",
            "node server.js --port 1",
        ),
        ("pnpm start", "pnpm start", "node server.js"),
        ("corepack pnpm start", "corepack pnpm", "node server.js"),
        (
            "env A=1 npm run env",
            "npm run env",
            "env A=1 NODE_ENV=production node server.js",
        ),
        ("sh -c 'npm start'", "npm start", "node server.js"),
        (
            "sh -c 'A=1 exec npm start'",
            "npm start",
            "env A=1 node server.js",
        ),
        ("npx tsx@4 a.ts", "npx tsx@4", "node --import tsx a.ts"),
        (
            "npx --yes next -p 1",
            "npx next",
            "node_modules/.bin/next -p 1",
        ),
        ("npm exec -- next", "npm exec", "node_modules/.bin/next"),
        ("yarn node a.js", "yarn node", "node a.js"),
        (
            "npx -p typescript tsc",
            "npx typescript",
            "Node.js and the script itself",
        ),
        ("npm", "npm", "Node.js and the script itself"),
        ("npm ci", "npm ci", "Node.js and the script itself"),
        ("yarn", "yarn", "Node.js and the script itself"),
        (
            "npm --prefix other start",
            "npm start",
            "Node.js and the script itself",
        ),
        (
            "env -C other npm start",
            "npm start",
            "Node.js and the script itself",
        ),
        (
            "node node_modules/.bin/npm start",
            "npm start",
            "node server.js",
        ),
    ] {
        refused(line, what, instead);
    }
    let sentence = examine_line("sh -c 'cd x; npm start'", &read_file).unwrap_err();
    assert!(sentence.contains("exec node server.js"), "{sentence}");
}

#[test]
fn the_remedy_for_yarn_loads_plug_and_play() {
    let with = |files: &'static [&str]| {
        move |path: &str| {
            let is_there = files.contains(&path);
            is_there.then(String::new).or_else(|| read_file(path))
        }
    };
    for (line, files, instead) in [
        (
            "yarn start",
            &[".pnp.cjs"][..],
            "run node -r ./.pnp.cjs server.js instead",
        ),
        (
            "yarn node a.js",
            &[".pnp.cjs", ".pnp.loader.mjs"],
            "run node -r ./.pnp.cjs --loader ./.pnp.loader.mjs a.js instead",
        ),
        (
            "yarn env",
            &[".pnp.cjs"],
            "run env NODE_ENV=production node -r ./.pnp.cjs server.js instead",
        ),
        ("yarn start", &[], "run node server.js instead"),
    ] {
        let sentence = examine_line(line, &with(files)).unwrap_err();
        assert!(sentence.contains(instead), "{line}: {sentence}");
    }
}

#[test]
fn an_unresolved_script_gets_general_advice() {
    let texts = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"scripts":1}"#,
        r#"{"scripts":{"start":1}}"#,
    ];
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(9999), "]".repeat(9999));
    for text in texts.into_iter().chain([deep.as_str()]) {
        let read = |path: &str| (path == "package.json").then(|| text.to_owned());
        let sentence = examine_line("npm start", &read).unwrap_err();
        assert!(sentence.ends_with("as in: node server.js"), "{sentence}");
    }
    // The default of npm.
    let read = |path: &str| (path == "server.js").then(String::new);
    let sentence = examine_line("npm start", &read).unwrap_err();
    assert!(
        sentence.ends_with("; run node server.js instead"),
        "{sentence}"
    );
}
