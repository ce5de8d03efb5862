//! `pidone ctl top`, on terminals and elsewhere.

use pidone::admin::status::{Mode, Status, WorkerStatus};

use crate::ctl::Stub;
use crate::harness::admin::AdminEndpoints;
use crate::harness::service::App;
use crate::harness::{Pidone, Run, binary, processes};
use crate::screen::Screen;

/// The status after so many seconds of a worker that uses a quarter of a CPU.
fn status(second: u64) -> Status {
    Status {
        version: "0.1.0".into(),
        mode: Mode::Workers,
        pid: 1,
        uptime_ms: 60_000 + second * 1000,
        ready: true,
        target: 1,
        workers: vec![WorkerStatus {
            slot: Some(0),
            instance: 0,
            state: "ready",
            pid: Some(7),
            uptime_ms: 59_000 + second * 1000,
            start_time_ms: None,
            restarts: 0,
            last_end: None,
            cpu_ms: Some(5000 + second * 250),
            resident: Some(40 << 20),
            loop_delay_us: Some(400),
            queue: Some(3),
            relieved: None,
            inspect_port: None,
            relayed: None,
        }],
        ..Status::default()
    }
}

fn answers(count: u64) -> impl Iterator<Item = String> {
    (0..count).map(|second| format!(". {}\n", status(second).json()))
}

#[test]
fn elsewhere_it_is_plain_text() {
    let stub = Stub::new(answers(2));
    let end = stub.ctl("top --count 2").run();
    end.code(0).quiet();
    let text = end.text();
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").map(str::trim))
        .map(|cells| cells.filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows.len(), 6, "{text}");
    assert_eq!(rows[1][5], "CPU", "{text}");
    // There is nothing to compare the first one with.
    assert_eq!((rows[2][5], rows[5][5]), ("-", "25.0%"), "{text}");
    assert_eq!(rows[5][6..9], ["40 MiB", "0.4 ms", "3"], "{text}");
    assert_eq!(stub.heard(), ["top\n", "top\n"]);
}

#[test]
fn a_pidone_that_goes_away_ends_it() {
    for answer in ["", "! no\n", ". {}\n", "> wait\n"] {
        let stub = Stub::new(answers(1).chain([answer.to_owned()]));
        let end = stub.ctl("top").run();
        end.code(1).says(&["pidone: error: ", "answer"]);
        assert!(end.text().contains("pidone 0.1.0, pid 1"), "{end:?}");
    }
}

#[test]
fn a_signal_ends_it() {
    for (number, code) in [(2, 0), (15, 143), (1, 129)] {
        let stub = Stub::new(answers(60));
        let run = stub.ctl("top").start();
        run.expect("pidone 0.1.0");
        run.signal(number);
        run.end().code(code).quiet();
    }
}

/// A terminal with colours and UTF-8, whatever the tests run on, but for these variables.
fn with(pidone: Pidone, variables: &[(&str, &str)]) -> Pidone {
    let usual = [("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "")];
    let all = usual.iter().chain(variables);
    all.fold(pidone, |pidone, (name, value)| pidone.env(name, value))
}

/// What a shell sees before and after.
pub fn on_terminal(stub: &Stub, request: &str, settings: &str) -> Pidone {
    let script = format!(
        "{settings}; trap : INT; echo before $(stty -g)\n\
         '{}' ctl --control '{}' {request}\n\
         echo left $?; echo after $(stty -g)",
        binary().display(),
        stub.path().display()
    );
    let shell = Pidone::program(["/bin/sh", "-c", &script]).in_terminal();
    with(shell, &[])
}

/// The next drawing, as lines of a screen of this size.
fn next_screen(run: &Run, columns: usize, rows: usize) -> Vec<String> {
    run.until("\x1b[H");
    Screen::new(columns, rows).show(&run.until("\x1b[H"))
}

#[test]
fn it_draws_in_place_and_leaves_the_terminal_as_it_was() {
    for (key, code) in [("q", 0), ("\x03", 0), ("\x1c", 131)] {
        let stub = Stub::new(answers(60));
        let mut run = on_terminal(&stub, "top", "trap : QUIT; stty cols 40 rows 3").start();
        let before = run.until("\x1b[?1049h");
        let settings = before
            .split("before ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        let settings = settings.trim().to_owned();
        let lines = next_screen(&run, 40, 3);
        assert_eq!(
            lines,
            [
                "ready, 1 of 1 workers",
                "SLOT STATE       CPU    MEMORY  DELAY",
                "0    ready         -    40 MiB 0.4 ms",
            ]
        );
        run.write(key);
        run.until("\x1b[?25h\x1b[?1049l");
        run.until(&format!("left {code}"));
        run.until(&format!("after {settings}"));
        run.end().code(0);
    }
}

/// The last column, in which terminals differ most, is filled; nothing is left of what was there before.
#[test]
fn every_character_of_a_line_stays() {
    let stub = Stub::new(answers(60));
    let mut run = on_terminal(&stub, "top", "stty cols 80 rows 5").start();
    let lines = next_screen(&run, 80, 5);
    assert_eq!(
        lines[0],
        "pidone 0.1.0, pid 1, up 1 min: ready, 1 of 1 workers"
    );
    assert_eq!((lines[1].chars().count(), &lines[1][75..]), (80, "QUEUE"));
    assert_eq!(lines[3..], ["", ""]);
    run.write("q");
    run.until("left 0");
    run.end().code(0);
}

#[test]
fn colours_and_blocks_are_for_terminals_that_have_them() {
    for (variables, has_colors, has_blocks) in [
        (&[][..], true, true),
        (&[("NO_COLOR", "1")], false, true),
        (&[("LC_ALL", "C")], true, false),
    ] {
        let stub = Stub::new(answers(60));
        let run = with(stub.ctl("top").in_terminal(), variables);
        let mut run = run.start();
        run.until("\x1b[H");
        let drawn = run.until("\x1b[H");
        assert_eq!(drawn.contains("\x1b[32mready"), has_colors, "{drawn:?}");
        assert_eq!(drawn.contains('▁'), has_blocks, "{drawn:?}");
        assert_eq!(drawn.is_ascii(), !has_blocks, "{drawn:?}");
        run.write("q");
        run.until("\x1b[?1049l");
        run.end().code(0);
    }
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_plain_text() {
    let stub = Stub::new(answers(2));
    let run = stub.ctl("top --count 2").in_terminal();
    let run = with(run, &[("TERM", "dumb")]).start();
    let end = run.end();
    end.code(0);
    let text = end.text();
    assert!(!text.contains('\x1b'), "{text:?}");
    assert_eq!(text.matches("SLOT  STATE").count(), 2, "{text:?}");
}

#[test]
fn an_error_is_told_on_the_screen_that_was_there_before() {
    let stub = Stub::new(answers(1).chain(["".to_owned()]));
    let run = on_terminal(&stub, "top", ":").start();
    let before = run.until("\x1b[?1049h");
    let settings = before
        .split("before ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    run.until("\x1b[?25h\x1b[?1049l");
    run.until("pidone: error: the connection ended");
    run.until("left 1");
    run.until(&format!("after {}", settings.trim()));
    run.end().code(0);
}

fn resize(run: &Run, columns: &str) {
    let terminal = std::fs::read_link(format!("/proc/{}/fd/0", run.outer_pid())).unwrap();
    let mut stty = std::process::Command::new("stty");
    stty.arg("-F").arg(terminal).args(["cols", columns]);
    assert!(stty.status().unwrap().success());
}

/// The size may change at any time.
#[test]
fn a_new_size_is_drawn_at_once() {
    let stub = Stub::new(answers(60));
    let mut run = on_terminal(&stub, "top", "stty cols 80 rows 24").start();
    run.until("QUEUE");
    resize(&run, "30");
    // No wider column follows.
    run.until("SLOT STATE       CPU    MEMORY\x1b[m\r");
    resize(&run, "80");
    run.until("QUEUE");
    run.write("q");
    run.until("left 0");
    run.end().code(0);
}

/// The shell has its own screen while top is stopped.
#[test]
fn ctrl_z_gives_the_screen_back_for_a_while() {
    let stub = Stub::new(answers(60));
    let mut run = on_terminal(&stub, "top", ":").start();
    run.until("QUEUE");
    let pid = run.pid();
    run.write("\x1a");
    run.until("\x1b[?25h\x1b[?1049l");
    processes::wait_until("top is stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.contains(") T ")
    });
    processes::kill(pid, 18);
    run.until("\x1b[?1049h");
    run.until("QUEUE");
    run.write("q");
    run.until("left 0");
    run.end().code(0);
}

/// As with `docker exec -it`: there is no shell to go back to, and none is missed.
#[test]
fn ctrl_z_without_a_shell_is_nothing() {
    let stub = Stub::new(answers(60));
    let mut run = with(stub.ctl("top").in_terminal(), &[]).start();
    run.until("QUEUE");
    run.write("\x1a");
    run.until("QUEUE");
    run.write("q");
    run.end().code(0);
}

/// A real pidone, whose successors take so long to boot that no look misses the reload.
#[test]
fn a_reload_is_seen_as_it_proceeds() {
    let admin = AdminEndpoints::fresh();
    let app = App::script("setTimeout(() => require('./plain.js'), 1500);");
    let service = admin.workers(app, 2, &[""; 0]).until_ready();
    let control = admin.control.to_str().unwrap().to_owned();
    let pidone = Pidone::new(["ctl", "--control", &control, "top"]);
    let mut run = with(pidone.in_terminal(), &[]).start();
    run.until("\x1b[32mready, 2 of 2 workers\x1b[m");
    service.run.signal(libc::SIGHUP);
    run.until("\x1b[33mready, 2 of 2 workers, reload 0 of 2\x1b[m");
    run.until("\x1b[33mready, 2 of 2 workers, reload 1 of 2");
    run.until("\x1b[32mready, 2 of 2 workers\x1b[m");
    run.write("q");
    run.until("\x1b[?1049l");
    run.end().code(0);
    service.stop().code(0);
}
