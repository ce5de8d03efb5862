//! What pidone says, and when it says nothing.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use crate::harness::{Pidone, TempDir, can_be_init};

#[test]
fn a_good_run_says_nothing() {
    Pidone::plain().shell("exit 0").run().code(0).quiet();
    if can_be_init("a_good_run_says_nothing, as PID 1") {
        Pidone::plain().init().shell("exit 3").run().code(3).quiet();
    }
    let run = Pidone::plain().probe(["signals", "15", "0"]).start();
    run.expect("ready");
    run.signal(15);
    run.expect("SIGNAL 15 ");
    run.end().code(0).quiet();
}

/// The child ends by a fault of its own, or by somebody's hand, and not by pidone's.
#[test]
fn a_death_by_signal_is_explained_in_one_line() {
    let end = Pidone::plain().probe(["fault"]).run();
    end.code(139)
        .says(&["warning: ", "probe", "SIGSEGV", "not sent by pidone"]);
    let run = Pidone::plain().command(["cat"]).start();
    run.until_started();
    run.signal(15);
    run.end()
        .code(143)
        .says(&["cat", "SIGTERM", "sent by pidone"]);
}

#[test]
fn the_level_comes_from_pidone_log() {
    let deadly = |level: &str| {
        Pidone::plain()
            .env("PIDONE_LOG", level)
            .shell("kill -9 $$")
            .run()
    };
    assert_eq!(deadly("off").code(137).stderr, "");
    assert_eq!(deadly("error").code(137).stderr, "");
    deadly("warn").code(137).says(&["SIGKILL"]);
    assert!(deadly("debug").code(137).stderr.contains("debug: "));
    assert!(deadly("trace").code(137).stderr.contains("trace: "));
}

/// Node.js itself reads each line, as a pipeline made for Pino would.
#[test]
fn json_is_what_pino_would_have_written() {
    let directory = TempDir::new();
    let name = "odd \"name\"\\\n\u{1}é";
    std::os::unix::fs::symlink("/bin/sh", directory.path(name)).unwrap();
    let program = directory.path(name);
    let script = ["-c", "kill -9 $$"].map(std::ffi::OsStr::new);
    let run = Pidone::new(["--log-format", "json", "-vv"])
        .command(std::iter::once(program.as_os_str()).chain(script))
        .start();
    let pid = run.outer_pid();
    let end = run.end();
    end.code(137);
    let check = r#"
        const lines = require("fs").readFileSync(0, "utf8").trimEnd().split("\n").map(line => JSON.parse(line));
        const levels = [10, 20, 30, 40, 50];
        for (const { level, time, pid, hostname, name, msg, ...others } of lines) {
            if (!levels.includes(level) || Math.abs(Date.now() - time) > 600000 || pid !== Number(process.argv[1])
                || hostname !== require("os").hostname() || name !== "pidone" || typeof msg !== "string"
                || Object.keys(others).length) {
                throw new Error(JSON.stringify({ level, time, pid, hostname, name, msg, others }));
            }
        }
        const death = lines.filter(({ level, msg }) => level === 40 && msg.includes("odd \"name\"\\\n\u0001é") && msg.includes("SIGKILL"));
        if (death.length !== 1) throw new Error(JSON.stringify(lines));
    "#;
    let mut node = Command::new("node");
    node.args(["-e", check, &pid.to_string()])
        .stdin(Stdio::piped());
    let mut node = node.spawn().unwrap();
    node.stdin
        .take()
        .unwrap()
        .write_all(end.stderr.as_bytes())
        .unwrap();
    assert!(node.wait().unwrap().success(), "{end:#?}");
}

#[test]
fn an_error_in_json_is_one_line_too() {
    let end = Pidone::new(["--log-format=json"])
        .command(["/no/such/command"])
        .run();
    end.code(127);
    assert!(
        end.stderr.starts_with("{\"level\":50,\"time\":") && end.stderr.lines().count() == 1,
        "{end:#?}"
    );
}

/// A text log keeps to one line whatever the command is called.
#[test]
fn a_text_line_stays_one_line() {
    let end = Pidone::plain().command(["/no/such\ncommand"]).run();
    end.code(127).says(&["error: "]);
}

/// journald reads the priority from the beginning of each line; nobody else wants to see it.
#[test]
fn lines_have_priorities_where_the_journal_reads_them() {
    let directory = TempDir::new();
    for (format, begin) in [("text", "pidone: "), ("json", "{\"level\":40,")] {
        for (inode, priority) in [(0, "<4>"), (1, "")] {
            let path = directory.path("journal");
            let stderr = File::create(&path).unwrap();
            let file = stderr.metadata().unwrap();
            Pidone::new(["--log-format", format])
                .env(
                    "JOURNAL_STREAM",
                    format!("{}:{}", file.dev(), file.ino() + inode),
                )
                .stderr(stderr)
                .shell("kill -9 $$")
                .run()
                .code(137);
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.starts_with(&format!("{priority}{begin}")), "{text}");
        }
    }
    // What is said before there is a log.
    let path = directory.path("journal");
    let stderr = File::create(&path).unwrap();
    let file = stderr.metadata().unwrap();
    Pidone::new(["--no-such-option"])
        .env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()))
        .stderr(stderr)
        .shell("")
        .run()
        .code(125);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("<3>pidone: error: "), "{text}");
}
