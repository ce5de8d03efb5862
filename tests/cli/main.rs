//! What the user says, and what pidone answers: the real binary from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod benchmarks;
mod ctl;
mod help;
mod libraries;
mod metrics;
mod screen;
mod top;
mod values;
mod workers;

use std::ffi::OsStr;

use harness::{Pidone, TempDir};

fn variable(option: &str) -> String {
    let name = option.trim_start_matches('-').to_uppercase();
    format!("PIDONE_{}", name.replace('-', "_"))
}

/// A command that leaves a trace if it is ever started.
struct Trace(TempDir);

impl Trace {
    fn new() -> Self {
        Self(TempDir::new())
    }

    #[track_caller]
    fn refuses(&self, pidone: Pidone, parts: &[&str]) {
        let trace = self.0.path("started");
        let end = pidone
            .command([OsStr::new("touch"), trace.as_os_str()])
            .run();
        end.code(125).says(&["pidone: error: "]).says(parts);
        assert_eq!(end.text(), "");
        assert!(!trace.exists(), "{end:?}");
    }
}

#[test]
fn a_value_that_is_missing_is_asked_for() {
    for (option, value) in [
        ("--rewrite", "FROM:TO"),
        ("-r", "FROM:TO"),
        ("--grace", "TIME"),
        ("--user", "USER[:GROUP]"),
        ("-e", "CODE"),
        ("-p", "SIG"),
        ("-i", "N|auto"),
        ("--listen", "ADDR"),
        ("--max-restarts", "N/WINDOW"),
    ] {
        Pidone::new([option])
            .run()
            .code(125)
            .says(&["error: ", option, "needs a value", value]);
    }
}

#[test]
fn an_unknown_option_is_refused_with_what_was_meant() {
    let trace = Trace::new();
    for (option, meant) in [
        ("--grase", "--grace"),
        ("--stop-sginal", "--stop-signal"),
        ("--rewrit", "--rewrite"),
        ("--loG-format", "--log-format"),
        ("--halp", "--help"),
        ("--instance", "--instances"),
        ("--http-drian", "--http-drain"),
        ("--versoin", "--version"),
    ] {
        trace.refuses(
            Pidone::new([option]),
            &[option, "no such option", &format!("did you mean {meant}?")],
        );
    }
    for option in ["--frobnicate", "-x", "-Z", "-1"] {
        trace.refuses(
            Pidone::new([option]),
            &[option, "no such option", "pidone --help"],
        );
    }
}

#[test]
fn contradictions_are_refused() {
    let trace = Trace::new();
    for options in [["-g", "-c"], ["--single-child", "--group"]] {
        trace.refuses(
            Pidone::new(options),
            &["--group", "--single-child", "contradict"],
        );
    }
}

#[test]
fn no_command_is_an_error() {
    for options in [&[][..], &["--"], &["-g"], &["-v", "--"], &[""], &["--", ""]] {
        Pidone::new(options).run().code(125).says(&[
            "error: ",
            "no command",
            "pidone -- node server.js",
        ]);
    }
}

/// Scripts, and the words of pm2 and of `pidone ctl`, in the place of a command.
#[test]
fn a_command_that_is_none_is_answered_by_what_was_meant() {
    let here = TempDir::new();
    here.file("app.js", "", 0o644);
    std::fs::create_dir_all(here.path("node_modules/.bin")).unwrap();
    here.file("node_modules/.bin/next", "#!/usr/bin/env node\n", 0o755);
    for (line, status, meant) in [
        ("server.js", 127, "did you mean node server.js?"),
        ("./app.js x", 126, "did you mean node ./app.js x?"),
        ("ecosystem.config.js", 127, "reads no configuration file"),
        ("start app.js", 127, "as in: pidone -- node app.js"),
        ("status", 127, "did you mean pidone ctl status?"),
        ("reload", 127, "did you mean pidone ctl reload?"),
        ("help", 127, "did you mean pidone --help?"),
        ("version", 127, "did you mean pidone --version?"),
        (
            "next start",
            127,
            "did you mean node_modules/.bin/next start?",
        ),
    ] {
        for options in [&[][..], &["-i", "2", "--max-restarts", "0/1s"]] {
            let pidone = Pidone::new(options).command(line.split(' '));
            let end = pidone
                .under([
                    OsStr::new("env"),
                    OsStr::new("-C"),
                    here.path("").as_os_str(),
                ])
                .run();
            end.code(status).says(&["error: cannot start ", meant]);
            assert!(!end.stderr.contains("os error"), "{end:?}");
        }
    }
}

#[test]
fn an_error_of_the_command_line_is_never_silenced() {
    let end = Pidone::new(["--grace", "x"])
        .env("PIDONE_LOG", "off")
        .command(["true"])
        .run();
    end.code(125).says(&["--grace"]);
}

#[test]
fn the_level_of_the_log_is_checked() {
    let trace = Trace::new();
    let pidone = Pidone::plain().env("PIDONE_LOG", "loud");
    trace.refuses(
        pidone,
        &[
            "PIDONE_LOG",
            "\"loud\"",
            "off, error, warn, info, debug or trace",
        ],
    );
}

#[test]
fn the_command_line_wins() {
    // Over a value that is wrong, too: it is never looked at.
    for (name, wrong, option) in [
        ("PIDONE_GRACE", "x", "--grace=5s"),
        ("PIDONE_REWRITE", "x", "--rewrite=HUP:0"),
        ("PIDONE_LOG_FORMAT", "xml", "--log-format=json"),
        ("PIDONE_EXPECT", "x", "--expect=3"),
    ] {
        Pidone::new([option])
            .env(name, wrong)
            .shell("exit 6")
            .run()
            .code(6)
            .quiet();
    }
    let end = Pidone::new(["-e", "3"])
        .env("PIDONE_EXPECT", "6")
        .shell("exit 6")
        .run();
    end.code(6).quiet();
    let end = Pidone::plain()
        .env("PIDONE_EXPECT", "3,6")
        .shell("exit 6")
        .run();
    end.code(0).quiet();
    let end = Pidone::new(["-c"])
        .env("PIDONE_GROUP", "1")
        .shell("exit 6")
        .run();
    end.code(6).quiet();
}

#[test]
fn a_variable_that_looks_misspelled_is_worth_a_warning() {
    let end = Pidone::plain()
        .env("PIDONE_GRASE", "5s")
        .shell("exit 6")
        .run();
    end.code(6)
        .says(&["warning: ", "PIDONE_GRASE", "PIDONE_GRACE"]);
    // Kubernetes makes such ones of the name of a service.
    let end = Pidone::plain()
        .env("PIDONE_SERVICE_HOST", "10.0.0.1")
        .shell("exit 6")
        .run();
    end.code(6).quiet();
}
