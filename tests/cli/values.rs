//! Values that options and variables do not accept.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::harness::Pidone;
use crate::{Trace, variable};

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
        "auto, reuseport, shared, source-ip or round-robin",
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
