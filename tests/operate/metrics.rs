//! Metrics as Prometheus reads them, and what is in them.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{TempDir, is_installed, processes, words};

/// Stands still when it is told to.
const STUCK: &str = "
    process.on('SIGUSR2', () => { console.log('stuck'); for (;;); });
    require('./plain.js');
";

/// The value of the only sample that begins like this.
#[track_caller]
pub fn sample(text: &str, begins: &str) -> f64 {
    let mut found = text.lines().filter(|line| line.starts_with(begins));
    let line = found
        .next()
        .unwrap_or_else(|| panic!("no {begins} in {text}"));
    assert_eq!(found.next(), None, "{begins}");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn each_worker_is_measured() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let before = service.workers();
    let victim = *before.iter().next().unwrap();
    processes::kill(victim, libc::SIGKILL);
    service.up(1);
    service.run.until_stderr_times(words::READY, 2);
    // The first look asks the event loops, and one of the next ones has the answers.
    let mut text = String::new();
    processes::wait_until("both event loops have answered", || {
        text = admin.get("/metrics").1;
        text.matches("pidone_worker_event_loop_delay_seconds{")
            .count()
            == 2
    });
    for slot in 0..2 {
        let of = |name: &str| sample(&text, &format!("pidone_worker_{name}{{slot=\"{slot}\""));
        assert!(of("resident_memory_bytes") > 1e7);
        assert!(of("cpu_seconds_total") > 0.0);
        assert!(of("event_loop_delay_seconds") < 30.0);
        assert!(of("start_time_seconds") > 1.7e9);
    }
    assert_eq!(sample(&text, "pidone_ready "), 1.0);
    assert_eq!(sample(&text, "pidone_restarts_total{cause=\"exit\"}"), 1.0);
    let killed = "pidone_worker_exits_total{signal=\"SIGKILL\"}";
    assert_eq!(sample(&text, killed), 1.0);
    assert_eq!(sample(&text, "pidone_crash_loop "), 0.0);
    assert!(sample(&text, "pidone_process_resident_memory_bytes ") > 1e4);
    let start = sample(&text, "pidone_process_start_time_seconds ");
    assert_eq!(
        sample(
            &admin.get("/metrics").1,
            "pidone_process_start_time_seconds "
        ),
        start
    );
    service.reload();
    let text = admin.get("/metrics").1;
    // Two at the start, one after the kill, two in the reload, which drained two.
    let seconds = |name: &str| {
        sample(
            &text,
            &format!("pidone_worker_{name}_duration_seconds_sum "),
        )
    };
    let count = |name: &str| {
        sample(
            &text,
            &format!("pidone_worker_{name}_duration_seconds_count "),
        )
    };
    assert_eq!((count("boot"), count("drain")), (5.0, 2.0));
    assert!(seconds("boot") > 0.05 && seconds("boot") < 150.0);
    assert!(seconds("drain") < 60.0);
    assert_eq!(
        sample(&text, "pidone_reloads_total{result=\"success\"}"),
        1.0
    );
    let last = "pidone_last_reload_timestamp_seconds{result=\"success\"}";
    assert!(sample(&text, last) > start);
    service.stop().code(0);
}

#[test]
fn an_event_loop_that_stands_still_is_seen_to() {
    let admin = AdminEndpoints::fresh();
    let options = ["--grace", "1s"];
    let service = admin.workers(App::script(STUCK), 1, &options).ready();
    service.run.signal(libc::SIGUSR2);
    assert_eq!(service.run.line(), "stuck");
    let limit = Duration::from_millis(500).as_secs_f64();
    processes::wait_until("the delay grows", || {
        let (_, text) = admin.get("/metrics");
        let name = "pidone_worker_event_loop_delay_seconds{";
        text.contains(name) && sample(&text, name) > limit
    });
    service.stop();
}

pub fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = tool.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    tool.wait_with_output().unwrap()
}

#[test]
fn prometheus_takes_all_of_it() {
    if !is_installed("prometheus_takes_all_of_it", "promtool", "prometheus") {
        return;
    }
    let admin = AdminEndpoints::fresh();
    let service = admin
        .workers(App::named(PLAIN), 2, &["--spares", "1"])
        .ready();
    let (status, _) = admin.get("/metrics");
    assert_eq!(status, 200);
    let (_, text) = admin.get("/metrics");
    // It checks by the older format.
    let check = promtool(&["check", "metrics"], &text);
    let complaints = String::from_utf8(check.stderr).unwrap();
    assert_eq!((check.status.code(), complaints.as_str()), (Some(0), ""));
    check_openmetrics(&admin);
    service.stop().code(0);
}

/// As Prometheus reads it.
#[track_caller]
pub fn check_openmetrics(admin: &AdminEndpoints) {
    let mut stream = admin.source();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n")
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, text) = response.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    // Its parser of OpenMetrics proper is behind this command, which wants a time in each sample.
    let timed: String = text
        .lines()
        .map(|line| match line.starts_with('#') {
            true => format!("{line}\n"),
            false => format!("{line} 1700000000\n"),
        })
        .collect();
    let directory = TempDir::new();
    let input = directory.file("metrics.txt", &timed, 0o644);
    let blocks = directory.path("blocks");
    let blocks = blocks.to_str().unwrap();
    let input = input.to_str().unwrap();
    let parse = ["tsdb", "create-blocks-from", "openmetrics", input, blocks];
    let parsed = promtool(&parse, "");
    assert!(parsed.status.success(), "{parsed:?}\n{timed}");
}
