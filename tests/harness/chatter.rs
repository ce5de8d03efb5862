//! Processes that all log at the same time, and a check that each line arrives whole.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::TempDir;

/// At SIGUSR2, logs `LINES` lines at full speed, of up to 4 KiB, each with its number and expected
/// length.
///
/// Each line is one write(2), which pipe(7) keeps whole up to `PIPE_BUF`. Neither `pino()` nor
/// `console.log` writes like that when the pipe is full: Pino 10 collects lines into blocks of 16
/// KiB without `sync: true`, and Node.js makes the pipe of `process.stdout` non-blocking and also
/// collects. Those lines are torn with pidone and without.
pub const APP: &str = "
    const { pino } = require('pino');
    const log = pino(pino.destination({ dest: 1, sync: true }));
    require('http').createServer(require('./answer.js')).listen(process.env.PORT);
    process.on('SIGUSR2', () => {
        for (let number = 0; number < Number(process.env.LINES); number++) {
            const pad = 'x'.repeat(number * 7919 % 3800);
            log.info({ number, length: pad.length, pad }, 'chatter');
        }
        log.info('said all');
    });
";

/// The number of lines that each process has written, all of them whole.
pub fn count(json: &str) -> BTreeMap<String, usize> {
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

/// The output of a command for this input.
pub fn filter(command: &mut Command, input: &str) -> String {
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
