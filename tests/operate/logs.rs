//! pidone's lines and the app's in one pipe, for one parser.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::harness::packages::node_modules;
use crate::harness::service::App;
use crate::harness::{Pidone, TempDir, processes};

const WORKERS: usize = 8;
const LINES: usize = 3000;

/// Logs at full speed, lines of up to 4 KiB, each with its number and what its length should be.
///
/// Each line is one write(2), which pipe(7) keeps whole up to `PIPE_BUF`. Neither `pino()` nor
/// `console.log` writes like that when the pipe is full: Pino 10 gathers lines to blocks of 16 KiB
/// unless it is told `sync: true`, and Node.js makes the pipe of `process.stdout` non-blocking and
/// gathers too. Those lines are torn with pidone and without.
const CHATTY: &str = "
    const { pino } = require('pino');
    const log = pino(pino.destination({ dest: 1, sync: true }));
    require('http').createServer(require('./answer.js')).listen(process.env.PORT);
    process.on('SIGUSR2', () => {
        for (let number = 0; number < 3000; number++) {
            const pad = 'x'.repeat(number * 7919 % 3800);
            log.info({ number, length: pad.length, pad }, 'chatter');
        }
        log.info('said all');
    });
";

/// Everything in one pipe, as a container runtime that merges the two streams has it.
#[test]
fn no_line_is_torn_or_lost_and_one_parser_reads_them_all() {
    let options = ["--log-format", "json"];
    let service = App::script(CHATTY)
        .with_packages()
        .start_with(WORKERS, options, |pidone| {
            pidone.under(["sh", "-c", "exec \"$@\" 2>&1", "sh"])
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
    until("all 8 workers are ready", 1);
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
        "all 8 workers are ready",
        "chatter",
        "was killed",
    ] {
        assert!(pretty.contains(words), "{words}");
    }
}

/// As an app leaves it that has touched `process.stderr`, and a reader who is late.
#[test]
fn a_full_pipe_that_does_not_block_loses_no_line_of_pidones() {
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
    let line = String::from_utf8(all.split_off(filled)).unwrap();
    assert!(
        line.starts_with("pidone: warning: ") && line.contains("SIGKILL"),
        "{line:?}"
    );
    run.end().code(137);
}

/// How many lines of chatter each process has said, all of them whole.
fn count(json: &str) -> BTreeMap<String, usize> {
    const SCRIPT: &str = "
        const counts = {};
        for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n')) {
            let entry; try { entry = JSON.parse(line) } catch { throw new Error(line) }
            const { pid, msg, number, length, pad, time, level, hostname } = entry;
            if (!(time > 0 && level > 0 && hostname && pid > 0)) throw new Error(line);
            if (msg !== 'chatter') continue;
            const next = counts[pid] ?? 0;
            if (number !== next || pad.length !== length) throw new Error(line);
            counts[pid] = next + 1;
        }
        for (const pid in counts) console.log(pid, counts[pid]);
    ";
    let directory = TempDir::new();
    let script = directory.file("count.js", SCRIPT, 0o644);
    let text = filter(Command::new("node").arg(script), json);
    text.lines()
        .map(|line| {
            let (pid, count) = line.split_once(' ').unwrap();
            (pid.to_owned(), count.parse().unwrap())
        })
        .collect()
}

fn prettify(json: &str) -> String {
    let bin = node_modules("tests/harness/apps").join("pino-pretty/bin.js");
    filter(
        Command::new("node").arg(bin).args(["--colorize", "false"]),
        json,
    )
}

fn filter(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
