use super::history::History;
use super::screen::lines;
use super::style::Style;
use crate::admin::status::{ContainerStatus, EndStatus, Mode, Status, WorkerStatus};
use crate::supervisor::Progress;

const BLOCKS: Style = Style {
    is_utf8: true,
    has_colors: false,
};

const ASCII: Style = Style {
    is_utf8: false,
    has_colors: false,
};

fn worker(slot: usize) -> WorkerStatus {
    WorkerStatus {
        slot: Some(slot),
        instance: slot,
        state: "ready",
        pid: Some(100 + i32::try_from(slot).unwrap()),
        uptime_ms: 65_000,
        start_time_ms: None,
        restarts: 0,
        last_end: None,
        cpu_ms: Some(0),
        resident: Some(40 << 20),
        loop_delay_us: Some(400),
        queue: Some(0),
        relieved: None,
        inspect_port: None,
        relayed: None,
    }
}

fn status(workers: Vec<WorkerStatus>) -> Status {
    Status {
        version: "0.1.0".into(),
        mode: Mode::Workers,
        pid: 1,
        uptime_ms: 66_000,
        ready: true,
        target: workers.len(),
        workers,
        ..Status::default()
    }
}

/// What is shown after this many seconds, of which `change` makes a status.
fn after(
    seconds: u64,
    first: &Status,
    change: impl Fn(u64, &mut Status),
) -> (History, Status, Status) {
    let mut history = History::default();
    let (mut before, mut now) = (first.clone(), first.clone());
    for second in 0..=seconds {
        before = std::mem::replace(&mut now, first.clone());
        now.uptime_ms += second * 1000;
        change(second, &mut now);
        history.add(&now, if second == 0 { &now } else { &before });
    }
    (history, before, now)
}

fn drawn(
    shown: &(History, Status, Status),
    (width, height): (usize, usize),
    style: Style,
) -> Vec<String> {
    let (history, before, now) = shown;
    lines(
        now,
        &now.rows_since(before),
        history,
        (width, height),
        style,
    )
}

/// Two workers, of which the second gets busier, and a spare.
fn busy() -> (History, Status, Status) {
    let mut first = status(vec![worker(0), worker(1)]);
    let spare = WorkerStatus {
        slot: None,
        instance: 2,
        pid: Some(200),
        queue: None,
        ..worker(2)
    };
    first.spares = vec![spare];
    after(59, &first, |second, now| {
        now.workers[0].cpu_ms = Some(second * 100);
        now.workers[1].cpu_ms = Some(second * second * 1000 / 120);
        now.workers[1].resident = Some((40 << 20) + (second << 20));
        now.workers[1].loop_delay_us = Some(400 + second * 10_000);
        now.workers[1].queue = Some(u32::try_from(second).unwrap() / 5);
    })
}

#[test]
fn a_terminal_of_80_columns_has_every_sparkline() {
    let mut shown = busy();
    shown.2.spares.clear();
    let wanted = [
        "pidone 0.1.0, pid 1, up 2 min 5 s: ready, 2 of 2 workers",
        "SLOT  STATE                CPU             MEMORY           DELAY          QUEUE",
        "0     ready     ▂▂▂▂▂▂▂  10.0%  ▃▃▃▃▃▃▃    40 MiB  ▁▁▁▁▁▁▁ 0.4 ms  ▁▁▁▁▁▁▁     0",
        "1     ready     ▂▃▄▅▆▇█  97.5%  ▄▄▅▅▅▆▆    99 MiB  ▂▃▄▅▆▇█ 590 ms  ▂▃▄▅▆▇█    11",
    ];
    let lines = drawn(&shown, (80, 24), BLOCKS);
    assert_eq!(lines, wanted, "\n{}", lines.join("\n"));
}

#[test]
fn narrow_terminals_leave_out_what_matters_least() {
    let shown = busy();
    for (width, wanted) in [
        (10, "SLOT"),
        (20, "SLOT STATE"),
        (30, "SLOT STATE CPU"),
        (40, "SLOT STATE CPU MEMORY DELAY"),
        (60, "SLOT STATE CPU MEMORY DELAY QUEUE"),
        (100, "SLOT STATE PID RESTARTS CPU MEMORY DELAY QUEUE"),
        (120, "SLOT STATE PID UPTIME RESTARTS CPU MEMORY DELAY QUEUE"),
    ] {
        let lines = drawn(&shown, (width, 24), BLOCKS);
        let headings: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(headings.join(" "), wanted, "{width}");
    }
}

#[test]
fn no_line_is_wider_and_no_screen_higher_than_the_terminal() {
    let mut shown = busy();
    let now = &mut shown.2;
    now.workers[0].last_end = Some("killed by SIGABRT".into());
    now.workers[1].inspect_port = Some(9230);
    now.workers[1].state = "waiting";
    now.spares[0].resident = Some(u64::MAX);
    now.spares[0].loop_delay_us = Some(u64::MAX);
    (now.ready, now.reason) = (false, Some("no worker listens on :::3000".into()));
    for second in 0..3 {
        now.ends.push(end(second));
    }
    for style in [BLOCKS, ASCII] {
        for width in 1..130 {
            for height in [1, 2, 4, 9] {
                let lines = drawn(&shown, (width, height), style);
                assert!((1..=height).contains(&lines.len()), "{width}: {lines:?}");
                for line in lines {
                    assert!(line.chars().count() <= width, "{width}: {line:?}");
                    assert_eq!(line, line.trim_end(), "{width}");
                    assert!(style.is_utf8 || line.is_ascii(), "{line}");
                }
            }
        }
    }
}

#[test]
fn workers_that_have_no_room_are_counted() {
    let shown = after(1, &status((0..64).map(worker).collect()), |_, _| {});
    let lines = drawn(&shown, (80, 24), BLOCKS);
    assert_eq!(lines.len(), 24);
    assert!(lines[22].starts_with("20    ready"), "{lines:?}");
    assert_eq!(lines[23], "and 43 more");
    let all = drawn(&shown, (80, 66), BLOCKS);
    assert!(all[65].starts_with("63    ready"), "{all:?}");
}

/// The cells of a row's sparkline for the event-loop delay, at the least length.
fn delays(shown: &(History, Status, Status), row: usize) -> String {
    let worker = shown.2.all().nth(row).unwrap();
    BLOCKS.sparkline(&shown.0.sparkline(worker, 2, 6))
}

#[test]
fn a_slot_keeps_its_sparkline_when_its_worker_is_replaced() {
    let shown = after(59, &status(vec![worker(0)]), |second, now| {
        let worker = &mut now.workers[0];
        worker.loop_delay_us = match second {
            0..20 => Some(10_000),
            20..40 => {
                worker.pid = None;
                None
            }
            _ => {
                worker.pid = Some(300);
                Some(0)
            }
        };
    });
    assert_eq!(delays(&shown, 0), "██  ▁▁");
}

#[test]
fn a_level_stays_while_it_moves() {
    let peak = |seconds| {
        let shown = after(seconds, &status(vec![worker(0)]), |second, now| {
            now.workers[0].loop_delay_us = Some(if second == 33 { 20_000 } else { 0 });
        });
        delays(&shown, 0)
    };
    for (seconds, wanted) in [
        (33, "  ▁▁▁█"),
        (39, "  ▁▁▁█"),
        (40, " ▁▁▁█▁"),
        (89, "█▁▁▁▁▁"),
        (90, "▁▁▁▁▁▁"),
        (300, "▁▁▁▁▁▁"),
    ] {
        assert_eq!(peak(seconds), wanted, "{seconds}");
    }
}

#[test]
fn noise_does_not_fill_a_sparkline() {
    let shown = after(59, &status(vec![worker(0), worker(1)]), |second, now| {
        now.workers[0].loop_delay_us = Some(second % 2 * 700);
        now.workers[1].loop_delay_us = Some(1_000);
    });
    assert_eq!([delays(&shown, 0), delays(&shown, 1)], ["▁▁▁▁▁▁", "▂▂▂▂▂▂"]);
}

#[test]
fn trouble_is_red() {
    let mut shown = busy();
    let style = Style {
        has_colors: true,
        ..BLOCKS
    };
    let has = |shown: &_, text: &str| {
        let screen = drawn(shown, (100, 24), style).join("\n");
        assert!(screen.contains(text), "{text:?} in {screen:?}");
    };
    for text in [
        ": \x1b[32mready, 2 of 2 workers\x1b[m",
        "\x1b[1mSLOT ",
        "\x1b[32mready\x1b[m",
        "\x1b[33m97.5%\x1b[m",
        "\x1b[31m590 ms\x1b[m",
        "\x1b[33m11\x1b[m",
    ] {
        has(&shown, text);
    }
    shown.2.workers[1].state = "waiting";
    shown.2.ready = false;
    has(&shown, "\x1b[31mwaiting\x1b[m");
    has(&shown, ": \x1b[31mnot ready, 1 of 2 workers\x1b[m");
    let plain = drawn(&shown, (100, 24), BLOCKS).join("\n");
    assert!(!plain.contains('\x1b'), "{plain:?}");
}

/// An end of the worker of slot 0.
fn end(second: u64) -> EndStatus {
    EndStatus {
        time_ms: 1_700_000_000_000 + second * 1000,
        slot: Some(0),
        instance: Some(0),
        pid: Some(99),
        what: "was killed by SIGKILL (not sent by pidone) after 2.5 s; restarting".into(),
    }
}

/// Two workers in a container with limits, of which one was lost, in a reload.
#[test]
fn limits_progress_and_last_ends_are_shown() {
    let mut first = status(vec![worker(0), worker(1)]);
    first.workers[1].start_time_ms = Some(1_700_000_000_000 - 65_000 + 190_000);
    let mut shown = after(2, &first, |second, now| {
        now.container = ContainerStatus {
            cpu_ms: Some(second * 1000),
            cpu_limit: Some(2000),
            memory: Some(second * (96 << 20)),
            memory_limit: Some(384 << 20),
        };
    });
    let now = &mut shown.2;
    now.reloading = true;
    now.progress = Some(Progress { replaced: 3, of: 8 });
    now.ends.push(end(0));
    now.ends.push(end(60));
    let lines = drawn(&shown, (80, 24), BLOCKS);
    let wanted = [
        "pidone 0.1.0, pid 1, up 1 min 8 s: ready, 2 of 2 workers, reload 3 of 8",
        "CPU          ▅ 100.0% of 200.0%  memory          ▅ 192 MiB of 384 MiB",
    ];
    assert_eq!(lines[..2], wanted, "\n{}", lines.join("\n"));
    let wanted = [
        "",
        "2 min 10 s ago: slot 0 was killed by SIGKILL (not sent by pidone) after 2.5 s;",
        "  restarting",
        "3 min 10 s ago: slot 0 was killed by SIGKILL (not sent by pidone) after 2.5 s;",
        "  restarting",
    ];
    assert_eq!(lines[5..], wanted, "\n{}", lines.join("\n"));
    let narrow = drawn(&shown, (40, 8), BLOCKS);
    let wanted = [
        "ready, 2 of 2 workers, reload 3 of 8",
        "CPU          ▅ 100.0% of 200.0%",
    ];
    assert_eq!(narrow[..2], wanted, "\n{}", narrow.join("\n"));
    assert_eq!(narrow.len(), 8);
    let workers_first = drawn(&shown, (80, 4), BLOCKS);
    assert_eq!(workers_first[3], "and 2 more");
}
