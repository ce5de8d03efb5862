//! What the user says, and what pidone answers: the real binary from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod ctl;
use pidone_testkit as harness;
mod metrics;
mod readme;
mod top;
mod workers;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use harness::{End, Pidone, TempDir};

const TIME: &str = "500ms, 10s, 2m or 1h";
const SIGNAL: &str = "TERM";
const SWITCH: &str = "1 or 0";

/// Option, value, and a part of what would be accepted.
const WRONG_VALUES: &[(&str, &str, &str)] = &[
    ("--rewrite", "TERM", SIGNAL),
    ("--rewrite", "TERM:", SIGNAL),
    ("--rewrite", ":TERM", SIGNAL),
    ("--rewrite", "TERM:INT:HUP", SIGNAL),
    ("--rewrite", "TERM:65", SIGNAL),
    ("--rewrite", "0:TERM", SIGNAL),
    ("--rewrite", "KILL:TERM", SIGNAL),
    ("--rewrite", "STOP:TERM", SIGNAL),
    ("--rewrite", "CHLD:TERM", SIGNAL),
    ("--rewrite", "TERMINATE:INT", SIGNAL),
    ("--stop-signal", "TERMINATE", SIGNAL),
    ("--stop-signal", "0", SIGNAL),
    ("--stop-signal", "65", SIGNAL),
    ("--stop-signal", "-15", SIGNAL),
    ("--parent-death", "never", SIGNAL),
    ("--parent-death", "0", SIGNAL),
    ("--grace", "10", "did you mean 10s or 10ms?"),
    ("--grace", "10x", TIME),
    ("--grace", "ten", TIME),
    ("--grace", "-1s", TIME),
    ("--grace", "1e3s", TIME),
    ("--grace", "99999999999999999999s", TIME),
    ("--expect", "256", "0 to 255"),
    ("--expect", "-1", "0 to 255"),
    ("--expect", "SIGTERM", "0 to 255"),
    ("--expect", "1.5", "0 to 255"),
    ("--user", ":", "USER:GROUP"),
    ("--user", ":staff", "USER:GROUP"),
    ("--user", "root:", "USER:GROUP"),
    ("--user", "a:b:c", "USER:GROUP"),
    ("--log-format", "xml", "text or json"),
    ("--log-format", "JSON ", "text or json"),
    ("--instances", "00", "1 to 1024, or auto"),
    ("--instances", "1025", "1 to 1024, or auto"),
    ("--instances", "-1", "1 to 1024, or auto"),
    ("--instances", "all", "1 to 1024, or auto"),
    ("--channel", "on", "node or off"),
    (
        "--ready",
        "listening",
        "listen, message, notify, port or none",
    ),
    ("--ready-timeout", "0", TIME),
    ("--ready-timeout", "30", "did you mean 30s or 30ms?"),
    ("--spares", "-1", "0 to 1024"),
    ("--spares", "1025", "0 to 1024"),
    ("--spares", "1.5", "0 to 1024"),
    ("--listen", "http", "a port from 0 to 65535"),
    ("--listen", "65536", "a port from 0 to 65535"),
    (
        "--listen",
        "example.org:80",
        "an address (127.0.0.1, [::1])",
    ),
    ("--listen", "::1:80", "brackets, as in [::1]:8080"),
    ("--listen", "unix:", "a path or an @name"),
    (
        "--port-env",
        "2PORT",
        "the name of a variable, such as PORT",
    ),
    ("--port-env", "A=3", "the name of a variable, such as PORT"),
    (
        "--balance",
        "random",
        "reuseport, shared, source-ip or round-robin",
    ),
    ("--restart", "yes", "always, on-failure or never"),
    ("--backoff", "1s", "MIN..MAX"),
    ("--backoff", "2s..1s", "the shorter one first"),
    ("--backoff", "0..1s", "two times above 0"),
    ("--backoff", "1..2", "MIN..MAX"),
    ("--min-uptime", "10", "did you mean 10s or 10ms?"),
    ("--max-restarts", "10", "N/WINDOW"),
    ("--max-restarts", "10/60", "as in 10/60s"),
    ("--max-restarts", "10/0", "a time above 0"),
    ("--max-restarts", "-1/60s", "a number from 0 to 1000"),
    ("--stop", "kill", "drain or signal"),
    ("--kill-mode", "all", "group or process"),
    ("--http-drain", "0", TIME),
    ("--http-drain", "on", TIME),
    ("--drain-delay", "5", "did you mean 5s or 5ms?"),
    ("--max-memory", "300", "did you mean 300M or 300G?"),
    ("--max-memory", "0", "1M to 1024G"),
    ("--max-memory", "0%", "such as 80%"),
    ("--max-memory", "101%", "such as 80%"),
    ("--max-memory", "1.5G", "300M or 1G"),
    ("--max-age", "0", TIME),
    ("--max-age", "1d", TIME),
    ("--hang-timeout", "500ms", "from 1s to 1000h"),
    ("--hang-timeout", "off", "from 1s to 1000h"),
    (
        "--control",
        "pidone.sock",
        "off, or the socket's path from the root",
    ),
    ("--control", "on", "/run/pidone.sock"),
    ("--control", "/run/", "/run/pidone.sock"),
    (
        "--http",
        "unix:/run/http",
        "as in 9090, 127.0.0.1:9090 or [::1]:9090",
    ),
    (
        "--http",
        "example.org:80",
        "a port from 0 to 65535 or ADDRESS:PORT",
    ),
    ("--http", "65536", "a port from 0 to 65535"),
    ("--http", "on", "a port from 0 to 65535"),
];

const WRONG_SWITCHES: &[&str] = &["group", "single-child", "subreaper", "warn-on-reap"];

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
fn a_wrong_value_is_named_with_what_would_be_right() {
    let trace = Trace::new();
    for (option, value, accepted) in WRONG_VALUES {
        let quoted = format!("\"{value}\"");
        trace.refuses(Pidone::new([option, value]), &[option, &quoted, accepted]);
        let joined = format!("{option}={value}");
        trace.refuses(Pidone::new([joined]), &[option, &quoted, accepted]);
        let name = variable(option);
        let pidone = Pidone::plain().env(&name, value);
        trace.refuses(pidone, &[&name, &quoted, accepted]);
    }
}

#[test]
fn an_empty_value_is_as_wrong_and_an_empty_variable_is_none() {
    let trace = Trace::new();
    for option in [
        "--rewrite",
        "--stop-signal",
        "--parent-death",
        "--grace",
        "--expect",
        "--user",
        "--log-format",
    ] {
        trace.refuses(Pidone::new([option, ""]), &[option, "\"\""]);
        Pidone::plain()
            .env(&variable(option), "")
            .shell("exit 4")
            .run()
            .code(4)
            .quiet();
    }
}

#[test]
fn a_switch_as_a_variable_is_on_or_off() {
    let trace = Trace::new();
    for option in WRONG_SWITCHES {
        let name = variable(option);
        trace.refuses(
            Pidone::plain().env(&name, "maybe"),
            &[&name, "\"maybe\"", SWITCH],
        );
        for value in ["1", "0", "true", "FALSE", "yes", "no", "on", "off"] {
            Pidone::plain()
                .env(&name, value)
                .shell("exit 4")
                .run()
                .code(4)
                .quiet();
        }
        let joined = format!("--{option}=yes");
        trace.refuses(
            Pidone::new([joined]),
            &[&format!("--{option}"), "takes no value", "\"yes\""],
        );
    }
    trace.refuses(
        Pidone::plain().env("PIDONE_VERBOSE", "very"),
        &["PIDONE_VERBOSE", "\"very\"", "trace"],
    );
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    let trace = Trace::new();
    let value = OsStr::from_bytes(b"\xff\xfe");
    for option in ["--rewrite", "--grace", "--user", "--log-format"] {
        trace.refuses(Pidone::new([OsStr::new(option), value]), &[option]);
        trace.refuses(
            Pidone::plain().env(&variable(option), value),
            &[&variable(option)],
        );
    }
    trace.refuses(
        Pidone::new([OsStr::from_bytes(b"--\xff")]),
        &["no such option"],
    );
    trace.refuses(
        Pidone::new([OsStr::from_bytes(b"-\xff")]),
        &["no such option"],
    );
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

fn printed(option: &str) -> String {
    let end: End = Pidone::new([option]).run();
    end.code(0).quiet().text()
}

#[test]
fn the_version_is_one_line() {
    let line = format!("pidone {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed("--version"), line);
    assert_eq!(printed("-V"), line);
}

#[test]
fn the_help_is_a_page_for_a_terminal() {
    let help = printed("--help");
    assert_eq!(printed("-h"), help);
    assert!(
        help.contains("Usage: pidone [OPTIONS] [--] COMMAND [ARG]..."),
        "{help}"
    );
    assert!(
        help.contains("pidone -i auto [OPTIONS] [--] COMMAND [ARG]..."),
        "{help}"
    );
    for line in help.lines() {
        assert!(
            line.chars().count() <= 100 && !line.ends_with(' ') && !line.contains('\t'),
            "{line:?}"
        );
    }
}

/// An option as the help spells it.
struct Spelled {
    short: Option<char>,
    long: String,
    value: Option<String>,
}

fn spelled(help: &str) -> Vec<Spelled> {
    let lines = help
        .lines()
        .filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    lines
        .map(|line| {
            let (before, after) = line.split_once("--").unwrap();
            let end = after.find("  ").unwrap_or(after.len());
            let (long, value) = match after[..end].split_once(' ') {
                Some((long, value)) => (long, Some(value.to_owned())),
                None => (&after[..end], None),
            };
            Spelled {
                short: before
                    .trim()
                    .strip_prefix('-')
                    .and_then(|s| s.chars().next()),
                long: long.to_owned(),
                value,
            }
        })
        .collect()
}

/// Each option of the page is one that pidone knows, takes a value if the page says so, and has the
/// short form that stands before it.
#[test]
fn the_help_tells_the_truth() {
    let help = printed("--help");
    let options = spelled(&help);
    let (information, options): (Vec<_>, Vec<_>) = options
        .iter()
        .partition(|option| ["help", "version", "license"].contains(&option.long.as_str()));
    assert_eq!(information.len(), 3, "{help}");
    for option in &options {
        let long = format!("--{}", option.long);
        let short = option.short.map(|short| format!("-{short}"));
        for name in short.iter().chain([&long]) {
            let end = Pidone::new([name]).run();
            let wanted = if option.value.is_some() {
                "needs a value"
            } else {
                "no command"
            };
            end.code(125).says(&[wanted]);
        }
        let name = variable(&long);
        let end = Pidone::plain().env(&name, ":").command(["true"]).run();
        end.code(125).says(&[&name, "is not accepted"]);
    }
    assert!(options.len() >= 32, "{} options in {help}", options.len());
}

#[test]
fn help_that_cannot_be_printed_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    Pidone::new(["--help"]).stdout(full).run().code(125);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Pidone::new(["--version"]).stdout(writer).run().code(125);
}
