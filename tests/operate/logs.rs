//! pidone's lines and the app's in one pipe, for one parser.

use std::io::{Read, Write};
use std::process::Command;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::harness::chatter::{self, count, filter};
use crate::harness::packages::node_modules;
use crate::harness::service::App;
use crate::harness::{Pidone, processes};

const WORKERS: usize = 4;
const LINES: usize = 300;

/// Everything in one pipe, as a container runtime that merges the two streams has it.
#[test]
fn no_line_is_torn_or_lost_and_one_parser_reads_them_all() {
    let options = ["--log-format", "json"];
    let service =
        App::script(chatter::APP)
            .with_packages()
            .start_with(WORKERS, options, |pidone| {
                pidone
                    .env("LINES", LINES.to_string())
                    .under(["sh", "-c", "exec \"$@\" 2>&1", "sh"])
            });
    let mut lines = Vec::new();
    let mut until = |text: &str, times: usize| {
        let mut seen = 0;
        while seen < times {
            let line = service.run.line();
            seen += usize::from(line.contains(text));
            lines.push(line);
        }
    };
    until("all 4 workers are ready", 1);
    service.run.signal(libc::SIGUSR2);
    until("said all", WORKERS);
    let victim = *service.workers().iter().next().unwrap();
    processes::kill(victim, libc::SIGKILL);
    until("was killed by SIGKILL", 1);
    service.run.signal(libc::SIGTERM);
    let end = service.run.end();
    end.code(0);
    lines.extend(end.text().lines().map(String::from));
    let json: String = lines.iter().map(|line| format!("{line}\n")).collect();

    let chatter = count(&json);
    assert_eq!(chatter.len(), WORKERS);
    assert!(chatter.values().all(|count| *count == LINES), "{chatter:?}");

    let pretty = prettify(&json);
    // What it cannot parse, it passes on as it is.
    let left_over: Vec<_> = pretty
        .lines()
        .filter(|line| line.starts_with('{'))
        .collect();
    assert_eq!(left_over, [""; 0]);
    for words in [
        "INFO",
        "WARN",
        "(pidone/",
        "all 4 workers are ready",
        "chatter",
        "was killed",
    ] {
        assert!(pretty.contains(words), "{words}");
    }
}

/// As an app leaves it that has touched `process.stderr`, and a reader who is late. pidone waits for it for
/// 100 ms: where this test is later than that, it tries again.
#[test]
fn a_full_pipe_that_does_not_block_is_waited_for() {
    let waited = |_| late_reader().contains("SIGKILL");
    assert!((0..20).any(waited), "no line waited for its reader");
}

/// What pidone writes into a full pipe that is read once the line waits.
fn late_reader() -> String {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut filled = 0;
    while let Ok(bytes) = writer.write(&[b'.'; 4096]) {
        filled += bytes;
    }
    let mut run = Pidone::new(["-w"])
        .shell("read line; kill -9 $$")
        .stderr(writer.try_clone().unwrap())
        .start();
    let pid = run.pid();
    drop(writer);
    run.write("\n");
    // It has reaped the child by then, and waits for room.
    processes::wait_until("the child is gone", || processes::children(pid).is_empty());
    processes::wait_until("it sleeps or is gone", || {
        matches!(processes::state(pid), None | Some('S' | 'Z'))
    });
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    run.end().code(137);
    let line = String::from_utf8(all.split_off(filled)).unwrap();
    assert!(
        line.is_empty() || line.starts_with("pidone: warning: ") && line.ends_with('\n'),
        "{line:?}"
    );
    line
}

fn prettify(json: &str) -> String {
    let bin = node_modules("tests/harness/apps").join("pino-pretty/bin.js");
    filter(
        Command::new("node").arg(bin).args(["--colorize", "false"]),
        json,
    )
}
