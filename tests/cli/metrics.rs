//! What Prometheus' own tool says of the metrics.

use std::process::{Command, Output};

use pidone::admin::http::Format;
use pidone::admin::metrics;
use pidone::admin::status::{Mode, Status, Times, Totals, WorkerStatus};
use pidone::ended::Ended;
use pidone::signal::Signal;

use crate::harness::{TempDir, skipped};

fn page(format: Format) -> String {
    let worker = |slot, pid| WorkerStatus {
        slot,
        instance: slot.unwrap_or(2),
        state: "ready",
        pid,
        uptime_ms: 1,
        start_time_ms: pid.map(|_| 1_700_000_000_000),
        restarts: 2,
        last_end: Some("killed by SIGKILL".into()),
        cpu_ms: pid.map(|_| 1_002),
        resident: pid.map(|_| 3 << 30),
        loop_delay_us: pid.map(|_| 1_000_001),
        queue: slot.map(|_| 7),
        relieved: slot.map(|_| 5),
        inspect_port: None,
        relayed: None,
    };
    let status = Status {
        version: env!("CARGO_PKG_VERSION").into(),
        mode: Mode::Workers,
        pid: 1,
        target: 2,
        workers: vec![worker(Some(0), Some(7)), worker(Some(1), None)],
        spares: vec![worker(None, Some(9))],
        oom_kills: Some(0),
        totals: Totals {
            start_time_ms: 1,
            cpu_ms: Some(1),
            resident: Some(1),
            reloads_done: (1, 2),
            reloads_failed: (3, 4),
            exits: vec![(Ended::Code(1), 2), (Ended::Killed(Signal::KILL), 1)],
            boots: Times::default(),
            drains: Times::default(),
        },
        crash_loop: true,
        relieved: 5,
        ..Status::default()
    };
    metrics::text(&status, format, None)
}

/// `None`: there is no promtool here.
fn promtool(arguments: &[&str], page: &str) -> Option<Output> {
    let directory = TempDir::new();
    let input = directory.file("page", page, 0o600);
    let data = directory.path("data");
    let words = arguments.iter().map(|word| match *word {
        "PAGE" => input.as_os_str(),
        "DATA" => data.as_os_str(),
        word => word.as_ref(),
    });
    let stdin = std::fs::File::open(&input).unwrap();
    let mut command = Command::new("promtool");
    command
        .args(words)
        .stdin(stdin)
        .current_dir(directory.path(""));
    command.output().ok()
}

/// Importing is what promtool uses the server's parser of OpenMetrics for; it wants each sample to
/// have a time.
#[test]
fn prometheus_reads_every_line() {
    let timed: String = page(Format::OpenMetrics)
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(_) => format!("{line}\n"),
            None => format!("{line} 1700000000\n"),
        })
        .collect();
    let import = ["tsdb", "create-blocks-from", "openmetrics", "PAGE", "DATA"];
    let Some(done) = promtool(&import, &timed) else {
        skipped("prometheus_reads_every_line", "there is no promtool");
        return;
    };
    assert!(done.status.success(), "{done:?}\n{timed}");
    // Its eyes are open.
    for (good, bad) in [
        ("# EOF\n", ""),
        ("counter", "counters"),
        ("slot=\"spare\"", "slot=spare"),
        ("1.000001", "1.x"),
    ] {
        let broken = timed.replace(good, bad);
        assert_ne!(broken, timed);
        let done = promtool(&import, &broken).unwrap();
        assert!(!done.status.success(), "{bad}: {done:?}");
    }
}

/// The linter reads the older text format, and has nothing to say.
#[test]
fn the_names_follow_the_conventions() {
    let Some(done) = promtool(&["check", "metrics"], &page(Format::Text)) else {
        skipped("the_names_follow_the_conventions", "there is no promtool");
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!((done.status.code(), said.as_str()), (Some(0), ""));
}
