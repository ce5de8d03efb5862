//! Package managers and the scripts of a package.

use super::*;

#[test]
fn package_managers_are_refused_in_every_form() {
    let server = "; run node server.js instead";
    for (line, what, advice) in [
        ("npm start", "npm start", server),
        ("/usr/bin/npm -s start", "npm start", server),
        (
            "npm start --silent -- --port 1",
            "npm start",
            "run node server.js --port 1 instead",
        ),
        (
            "yarn start --port 1",
            "yarn start",
            "run node server.js --port 1 instead",
        ),
        ("pnpm run start", "pnpm run start", server),
        ("yarn start", "yarn start", server),
        ("corepack pnpm start", "corepack pnpm", server),
        (
            "env A=1 npm run env",
            "npm run env",
            "run env A=1 NODE_ENV=production node server.js instead",
        ),
        ("sh -c 'npm start'", "npm start", server),
        (
            "sh -c 'A=1 exec npm start'",
            "npm start",
            "run env A=1 node server.js instead",
        ),
        (
            "sh -c 'cd x; npm start'",
            "npm start",
            "as in: exec node server.js",
        ),
        ("node /usr/local/bin/npm start", "npm start", server),
        (
            "npx tsx@4 a.ts",
            "npx tsx@4",
            "run node --import tsx a.ts instead",
        ),
        (
            "npx --yes next -x 1",
            "npx next",
            "run node_modules/.bin/next -x 1 instead",
        ),
        (
            "npm exec -- next",
            "npm exec",
            "run node_modules/.bin/next instead",
        ),
        ("npx unknown", "npx unknown", GENERAL),
        ("yarn node a.js", "yarn node", "run node a.js instead"),
        ("npx -p typescript tsc", "npx typescript", GENERAL),
        ("npm", "npm", GENERAL),
        ("npm ci", "npm ci", GENERAL),
        ("npm --prefix=other start", "npm start", GENERAL),
        ("env -C other npm start", "npm start", GENERAL),
    ] {
        refused(line, what, advice);
    }
}

#[test]
fn a_package_script_is_resolved_to_its_command() {
    for (script, advice) in [
        ("env", "run env NODE_ENV=production node server.js instead"),
        ("port", "as in package.json: node server.js --port $PORT"),
        ("quotes", "as in package.json: node 'my app.js'"),
        (
            "built",
            "as in package.json: npm run build && node dist/x.js",
        ),
        ("piped", "as in package.json: node a.js | pino-pretty"),
        ("dev", "run node src/index.js instead"),
        ("ts", "run node --import tsx src/app.ts instead"),
        ("cross", "run env A=1 node x.js instead"),
        ("watch", "; leave it out"),
        ("again", "run node server.js instead"),
        ("next", "run env A=1 node_modules/.bin/next start instead"),
        ("next-dev", "its production server instead"),
        ("own", "run ./start.sh instead"),
        ("lines", "node a.js  node b.js |  cat"),
        ("circle", GENERAL),
        ("missing", GENERAL),
    ] {
        for manager in ["npm run", "npm run-script", "pnpm run", "yarn"] {
            let line = format!("{manager} {script}");
            refused(&line, &line, advice);
        }
    }
    let plug_and_play = |path: &str| (path == ".pnp.cjs").then(String::new);
    let advice = "as in: node -r ./.pnp.cjs server.js";
    refused_with("yarn start", &plug_and_play, "yarn start", advice);
}

#[test]
fn an_unreadable_package_gets_general_advice() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(9999), "]".repeat(9999));
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"scripts":1}"#,
        r#"{"scripts":{"start":1}}"#,
        &deep,
    ] {
        let read = |path: &str| (path == "package.json").then(|| text.to_owned());
        refused_with("npm start", &read, "npm start", GENERAL);
    }
}
