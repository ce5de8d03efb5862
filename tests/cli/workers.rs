//! What `-i` refuses: options that make no sense together, and commands that cannot be workers.

use std::path::Path;

use crate::harness::{Pidone, TempDir};

/// Runs pidone with these options and this command in that directory.
#[track_caller]
fn refuses(directory: &Path, options: &str, command: &[&str], parts: &[&str]) {
    let pidone = Pidone::new(options.split_whitespace()).command(command);
    let end = pidone
        .under([Path::new("env"), Path::new("-C"), directory])
        .run();
    end.code(125).says(&["pidone: error: "]).says(parts);
    assert_eq!(end.text(), "");
}

#[test]
fn options_for_workers_need_some() {
    let trace = crate::Trace::new();
    for (option, value) in [
        ("--channel", "node"),
        ("--port-env", "PORT"),
        ("--balance", "shared"),
        ("--ready", "listen"),
        ("--ready-timeout", "5s"),
        ("--spares", "1"),
        ("--stop", "drain"),
        ("--kill-mode", "process"),
        ("--http-drain", "5s"),
        ("--drain-delay", "5s"),
        ("--max-memory", "300M"),
        ("--max-age", "1h"),
        ("--hang-timeout", "10s"),
    ] {
        let wanted = |name: &str| format!("error: {name}: needs workers: add -i N");
        trace.refuses(Pidone::new([option, value]), &[&wanted(option)]);
        let name = crate::variable(option);
        trace.refuses(Pidone::plain().env(&name, value), &[&wanted(&name)]);
    }
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let trace = crate::Trace::new();
    for (options, parts) in [
        ("--backoff 1s..2s", ["--backoff: ", "add --restart always"]),
        (
            "--min-uptime 1s",
            ["--min-uptime: ", "add --restart always"],
        ),
        (
            "-i 2 --restart never --max-restarts 1/1s",
            ["--max-restarts: ", "add --restart always"],
        ),
        (
            "--listen 127.0.0.1:80 --http localhost:80",
            [
                "--http: 127.0.0.1:80 is already used by --listen",
                "another address",
            ],
        ),
        (
            "--listen unix:/run/a --control /run/a",
            [
                "--control: unix:/run/a is already used by --listen",
                "another path",
            ],
        ),
        (
            "-i 2 --channel off --hang-timeout 10s",
            [
                "--hang-timeout: event loops answer on the channel",
                "leave it out",
            ],
        ),
        (
            "--listen 80 --listen *:80",
            ["--listen: \"*:80\"", "each address once"],
        ),
        (
            "-i 2 --channel off --ready listen",
            [
                "--ready: listen",
                "--channel off rules out; give notify, port or none",
            ],
        ),
        (
            "-i 2 --channel=off --ready=message",
            [
                "--ready: message",
                "--channel off rules out; give notify, port or none",
            ],
        ),
        (
            "-i 2 --channel off --stop drain",
            ["--stop: drain", "--channel off rules out; give signal"],
        ),
        (
            "-i 2 --channel off --http-drain 5s",
            ["--http-drain: ", "--channel off rules out; leave it out"],
        ),
        (
            "-i 2 --channel off --relay",
            [
                "--relay: messages are passed on over the channel",
                "--channel off rules out; leave it out",
            ],
        ),
        ("--relay", ["--relay: needs workers", "add -i N"]),
        (
            "-i 2 --channel off --spares 1",
            ["--spares: ", "--channel off rules out; leave it out"],
        ),
        (
            "-i 2 --channel off --listen 80 --balance round-robin",
            [
                "--balance: round-robin",
                "give reuseport, shared or source-ip",
            ],
        ),
        (
            "-i 2 --channel off --balance shared",
            ["--balance: ", "add --listen, or leave it out"],
        ),
        (
            "-i 2 --ready port --listen 80",
            ["--ready: port", "add --port-env NAME, or use another value"],
        ),
        (
            "-i 2 --ready none --ready-timeout 1s",
            ["--ready-timeout: ", "leave one out"],
        ),
        (
            "-i 2 --spares 1 --restart never",
            ["--spares: ", "leave it or --restart out"],
        ),
        (
            "-i 2 --http-drain 24s",
            [
                "--http-drain: 24 s is too long",
                "give less than 24 s, or a longer --grace",
            ],
        ),
        (
            "-i 2 --http-drain 1s --grace 0",
            ["--http-drain: 1 s is too long", "a longer --grace"],
        ),
        (
            "-i 2 --port-env NONE_SUCH_PORT",
            [
                "--port-env: NONE_SUCH_PORT is not set",
                "NONE_SUCH_PORT=3000",
            ],
        ),
    ] {
        trace.refuses(Pidone::new(options.split_whitespace()), &parts);
    }
    let port = |value| Pidone::new(["-i", "2", "--port-env", "PORT"]).env("PORT", value);
    trace.refuses(
        port("65535"),
        &["--port-env: ", "set PORT to 65534 or less"],
    );
    trace.refuses(port("http"), &["--port-env: ", "\"http\"", "1 to 65535"]);
    let spares = port("3000").env("PIDONE_SPARES", "1");
    trace.refuses(spares, &["PIDONE_SPARES: ", "leave it or --port-env out"]);
    let off = Pidone::new(["-i", "2", "--stop=drain"]).env("PIDONE_CHANNEL", "off");
    trace.refuses(off, &["--stop: ", "PIDONE_CHANNEL=off rules out"]);
    let many = Pidone::new(["-i", "auto"]).env("WEB_CONCURRENCY", "many");
    trace.refuses(
        many,
        &["WEB_CONCURRENCY: \"many\"", "a number from 1 to 1024"],
    );
}

#[test]
fn other_runtimes_are_workers_without_a_channel() {
    let here = TempDir::new();
    let here = &here.path("");
    for runtime in ["bun", "deno"] {
        let command = [runtime, "app.ts"];
        let parts = ["--channel: ", runtime, "use off, or leave it out"];
        refuses(here, "-i 2 --channel node", &command, &parts);
        let rules_out = format!("{runtime} as the command rules out");
        for (option, value) in [
            ("--spares", "1"),
            ("--stop", "drain"),
            ("--ready", "listen"),
        ] {
            let options = format!("-i 2 {option} {value}");
            refuses(here, &options, &command, &[option, &rules_out]);
        }
    }
}

#[test]
fn other_languages_are_told_to_turn_the_channel_off() {
    let here = TempDir::new();
    let parts = ["python: not Node.js", "add --channel off, and --listen"];
    refuses(&here.path(""), "-i 2", &["python3", "app.py"], &parts);
}

/// They would bind the same port, all but one in vain, for ever.
#[test]
fn workers_without_a_shared_port_are_worth_a_warning() {
    let warning = "workers that listen on one port get EADDRINUSE; add --listen ADDR or --port-env";
    let once = ["-i", "2", "--restart", "never", "--channel", "off"];
    let run = |more: &[&str]| {
        let options = [&once, more].concat();
        Pidone::new(options)
            .env("PORT", "3000")
            .shell("exit 4")
            .run()
    };
    let end = run(&[]);
    assert!(end.stderr.contains(warning), "{end:?}");
    for more in [
        &["--ready", "none"][..],
        &["--listen", "127.0.0.1:0"],
        &["--port-env", "PORT"],
    ] {
        let end = run(more);
        assert!(!end.stderr.contains("EADDRINUSE"), "{end:?}");
    }
}

/// `launch/tests.rs` in the core has all of them.
#[test]
fn commands_that_take_the_channel_are_refused_with_the_one_to_run() {
    let package = r#"{"name": "app", "engines": {"node": ">=20"}, "scripts": {
        "start": "NODE_ENV=production node server.js",
        "next": "next start"
    }}"#;
    let here = TempDir::new();
    let npm_start = [
        "npm start: npm starts Node.js as its own child",
        "as in: node server.js",
    ];
    refuses(&here.path(""), "-i 2", &["npm", "start"], &npm_start);
    here.file("package.json", package, 0o644);
    std::fs::create_dir_all(here.path("node_modules/.bin")).unwrap();
    here.file("node_modules/.bin/next", "#!/usr/bin/env node\n", 0o755);
    for (command, parts) in [
        (
            &["npm", "start"][..],
            [
                "npm start: npm starts Node.js as its own child",
                "run env NODE_ENV=production node server.js instead",
            ],
        ),
        (
            &["sh", "-c", "exec npm run next"],
            ["npm run next: ", "run node_modules/.bin/next start instead"],
        ),
        (
            &["nodemon", "app.js"],
            [
                "nodemon: nodemon is for development",
                "run node app.js instead",
            ],
        ),
        (
            &["node", "--watch", "app.js"],
            ["node --watch: ", "leave it out"],
        ),
    ] {
        refuses(&here.path(""), "-i 2", command, &parts);
        refuses(&here.path(""), "--channel node -i auto", command, &parts);
    }
}

#[test]
fn a_single_process_may_be_anything() {
    Pidone::plain()
        .node("process.exit(4)")
        .run()
        .code(4)
        .quiet();
}
