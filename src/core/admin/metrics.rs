//! The status for Prometheus, as OpenMetrics text or in Prometheus' own older format.
//!
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Write;

use super::http::Format;
use super::status::{STATES, Status, Times, WorkerStatus};
use crate::app_metrics::Aggregate;
use crate::ended::Ended;

/// A metric: its name without `pidone_` and `_total`, and its meaning.
#[derive(Clone, Copy)]
struct Metric {
    name: &'static str,
    is_counter: bool,
    help: &'static str,
    /// The unit, which ends the name, and the number of decimal places of a value: 0, 3 or 6.
    unit: Option<(&'static str, usize)>,
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        is_counter: false,
        help,
        unit: None,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric {
        is_counter: true,
        ..gauge(name, help)
    }
}

const fn in_unit(unit: &'static str, places: usize, metric: Metric) -> Metric {
    Metric {
        unit: Some((unit, places)),
        ..metric
    }
}

/// Gets the value of a worker.
type Ask = fn(&WorkerStatus) -> Option<u64>;

/// The metrics of each worker, except its state.
const OF_WORKERS: [(Metric, Ask); 8] = [
    (
        in_unit(
            "seconds",
            3,
            gauge(
                "worker_start_time_seconds",
                "When each worker was started, in Unix time.",
            ),
        ),
        |worker| worker.start_time_ms,
    ),
    (
        counter("worker_restarts", "Restarts in each slot."),
        |worker| Some(worker.restarts.into()),
    ),
    (
        in_unit(
            "seconds",
            3,
            counter(
                "worker_cpu_seconds",
                "The CPU time that each worker has used.",
            ),
        ),
        |worker| worker.cpu_ms,
    ),
    (
        in_unit(
            "bytes",
            0,
            gauge(
                "worker_resident_memory_bytes",
                "The resident memory of each worker.",
            ),
        ),
        |worker| worker.resident,
    ),
    (
        in_unit(
            "seconds",
            6,
            gauge(
                "worker_event_loop_delay_seconds",
                "How long each worker's event loop took to answer a ping.",
            ),
        ),
        |worker| worker.loop_delay_us,
    ),
    (
        gauge(
            "worker_accept_queue",
            "The length of each worker's accept queue.",
        ),
        |worker| worker.queue.map(u64::from),
    ),
    (
        counter(
            "relayed_messages",
            "Messages of each worker that were passed on to other workers.",
        ),
        |worker| worker.relayed.map(|(passed_on, _)| passed_on),
    ),
    (
        counter(
            "relay_dropped_messages",
            "Messages between workers that were dropped: unfit ones of this worker, or those it did not read.",
        ),
        |worker| worker.relayed.map(|(_, dropped)| dropped),
    ),
];

/// What `--app-metrics` adds.
pub struct AppMetrics<'a> {
    /// The workers' answers.
    pub aggregate: &'a Aggregate,
    /// How often a worker was left out.
    pub missing: u64,
}

/// All metrics.
#[must_use]
pub fn text(status: &Status, format: Format, app: Option<&AppMetrics<'_>>) -> String {
    let mut page = MetricsText {
        out: String::new(),
        format,
    };
    let version = [("version", status.version.as_str())];
    page.one(&gauge("build_info", "The version of pidone."), &version, 1);
    let help = "Whether pidone is ready to serve requests.";
    page.one(&gauge("ready", help), &[], status.ready.into());
    let help = "Whether workers are being replaced.";
    page.one(&gauge("reloading", help), &[], status.reloading.into());
    let help = "The target number of workers.";
    page.one(&gauge("target_workers", help), &[], wide(status.target));
    page.own_process(status);
    let help = "Whether pidone is stopping because of a crash loop.";
    page.one(&gauge("crash_loop", help), &[], status.crash_loop.into());
    page.totals(status);
    let help = "Restarts of workers, by cause.";
    let restarts = counter("restarts", help);
    page.describe(&restarts);
    for (cause, count) in status.restarts.by_cause() {
        page.sample(&restarts, &[("cause", cause)], count);
    }
    if let Some(kills) = status.oom_kills {
        let help = "Processes the kernel killed for lack of memory.";
        page.one(&counter("oom_kills", help), &[], kills);
    }
    page.of_workers(status);
    if let Some(app) = app {
        let help = "Answers of workers that the app's metrics were scraped without.";
        page.one(&counter("app_metrics_missing", help), &[], app.missing);
        app.aggregate.write(&mut page.out, format);
    }
    if format == Format::OpenMetrics {
        page.out.push_str("# EOF\n");
    }
    page.out
}

type Labels<'a> = [(&'a str, &'a str)];

/// The page written so far. Writing to memory cannot fail.
struct MetricsText {
    out: String,
    format: Format,
}

impl MetricsText {
    /// pidone's own process, with the metrics that Prometheus' client libraries export.
    fn own_process(&mut self, status: &Status) {
        let help = "When pidone was started, in Unix time.";
        let start = in_unit("seconds", 3, gauge("process_start_time_seconds", help));
        self.one(&start, &[], status.totals.start_time_ms);
        if let Some(cpu) = status.totals.cpu_ms {
            let help = "The CPU time that pidone itself has used.";
            let metric = in_unit("seconds", 3, counter("process_cpu_seconds", help));
            self.one(&metric, &[], cpu);
        }
        if let Some(resident) = status.totals.resident {
            let help = "The resident memory of pidone itself.";
            let metric = in_unit("bytes", 0, gauge("process_resident_memory_bytes", help));
            self.one(&metric, &[], resident);
        }
    }

    /// Counters since pidone's start.
    fn totals(&mut self, status: &Status) {
        let results = [
            ("success", status.totals.reloads_done),
            ("failure", status.totals.reloads_failed),
        ];
        let reloads = counter("reloads", "Reloads and restarts of slots, by result.");
        self.describe(&reloads);
        for (result, (count, _)) in results {
            self.sample(&reloads, &[("result", result)], count);
        }
        let help = "When the last reload ended, in Unix time.";
        let last = in_unit("seconds", 3, gauge("last_reload_timestamp_seconds", help));
        if results.iter().any(|(_, (count, _))| *count > 0) {
            self.describe(&last);
        }
        for (result, (count, at)) in results {
            if count > 0 {
                self.sample(&last, &[("result", result)], at);
            }
        }
        let help = "Time from the start of a worker until it was ready.";
        self.durations("worker_boot_duration", help, status.totals.boots);
        let help = "Time from the start of a drain until the worker exited.";
        self.durations("worker_drain_duration", help, status.totals.drains);
        let help =
            "Connections taken from a busy worker's accept queue and handed to another worker.";
        let relieved = counter("relieved_connections", help);
        self.one(&relieved, &[], status.relieved);
        let exits = counter("worker_exits", "Exits of workers, by exit code or signal.");
        if !status.totals.exits.is_empty() {
            self.describe(&exits);
        }
        for (ended, count) in &status.totals.exits {
            let (label, value) = match ended {
                Ended::Code(code) => ("code", code.to_string()),
                Ended::Killed(signal) => ("signal", signal.to_string()),
            };
            self.sample(&exits, &[(label, &value)], *count);
        }
    }

    /// A summary of count and total time: the quotient of their rates is the average.
    fn durations(&mut self, name: &str, help: &str, Times { count, sum_ms }: Times) {
        let name = format!("pidone_{name}_seconds");
        let out = &mut self.out;
        let _ = write!(out, "# TYPE {name} summary\n# HELP {name} {help}\n");
        if self.format == Format::OpenMetrics {
            let _ = writeln!(out, "# UNIT {name} seconds");
        }
        let (seconds, ms) = (sum_ms / 1000, sum_ms % 1000);
        let _ = write!(out, "{name}_count {count}\n{name}_sum {seconds}.{ms:03}\n");
    }

    fn of_workers(&mut self, status: &Status) {
        let mut all = Vec::new();
        for (place, workers) in [("", &status.workers), ("spare", &status.spares)] {
            for worker in workers {
                let slot = worker
                    .slot
                    .map_or(place.to_owned(), |slot| slot.to_string());
                all.push((worker, [slot, worker.instance.to_string()]));
            }
        }
        let state = gauge("worker_state", "The state of each worker, as 1.");
        self.describe(&state);
        for (worker, [slot, instance]) in &all {
            for name in STATES {
                let labels = [
                    ("slot", &**slot),
                    ("app_instance", instance),
                    ("state", name),
                ];
                self.sample(&state, &labels, (name == worker.state).into());
            }
        }
        for (metric, ask) in &OF_WORKERS {
            self.describe(metric);
            for (worker, [slot, instance]) in &all {
                if let Some(value) = ask(worker) {
                    self.sample(metric, &[("slot", slot), ("app_instance", instance)], value);
                }
            }
        }
    }

    /// A metric with one sample.
    fn one(&mut self, metric: &Metric, labels: &Labels<'_>, value: u64) {
        self.describe(metric);
        self.sample(metric, labels, value);
    }

    fn describe(&mut self, metric: &Metric) {
        let Metric { name, help, .. } = metric;
        let kind = if metric.is_counter {
            "counter"
        } else {
            "gauge"
        };
        // The older format describes a counter by the name of its sample, and has no units.
        let total = match self.format {
            Format::Text if metric.is_counter => "_total",
            _ => "",
        };
        let _ = write!(
            self.out,
            "# TYPE pidone_{name}{total} {kind}\n# HELP pidone_{name}{total} {help}\n"
        );
        if let Some((unit, _)) = metric.unit
            && self.format == Format::OpenMetrics
        {
            let _ = writeln!(self.out, "# UNIT pidone_{name} {unit}");
        }
    }

    /// No label value needs escaping.
    fn sample(&mut self, metric: &Metric, labels: &Labels<'_>, value: u64) {
        let total = if metric.is_counter { "_total" } else { "" };
        let _ = write!(self.out, "pidone_{}{total}", metric.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let mark = if index == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{mark}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let places = metric.unit.map_or(0, |(_, places)| places);
        let one = match places {
            3 => 1000,
            6 => 1_000_000,
            _ => 1,
        };
        let _ = write!(self.out, "{end} {}", value / one);
        if places > 0 {
            let _ = write!(self.out, ".{:0width$}", value % one, width = places);
        }
        self.out.push('\n');
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::status::tests::sample;

    // tests/operate/metrics.rs checks the page with Prometheus' own parser.
    #[test]
    fn every_metric_is_on_the_page_once() {
        let page = text(&sample(), Format::OpenMetrics, None);
        for line in [
            "# TYPE pidone_build_info gauge",
            "pidone_build_info{version=\"0.1.0\"} 1",
            "pidone_ready 1",
            "pidone_reloading 0",
            "pidone_target_workers 4",
            "# UNIT pidone_process_start_time_seconds seconds",
            "pidone_process_start_time_seconds 1700000000.250",
            "pidone_process_cpu_seconds_total 0.040",
            "pidone_process_resident_memory_bytes 700000",
            "pidone_crash_loop 0",
            "# TYPE pidone_worker_boot_duration_seconds summary",
            "pidone_worker_boot_duration_seconds_count 5",
            "pidone_worker_boot_duration_seconds_sum 1.250",
            "pidone_worker_drain_duration_seconds_count 2",
            "pidone_worker_drain_duration_seconds_sum 60.007",
            "pidone_reloads_total{result=\"success\"} 2",
            "pidone_reloads_total{result=\"failure\"} 0",
            "pidone_last_reload_timestamp_seconds{result=\"success\"} 1700000100.000",
            "# TYPE pidone_relieved_connections counter",
            "pidone_relieved_connections_total 12",
            "pidone_worker_exits_total{code=\"1\"} 3",
            "pidone_worker_exits_total{signal=\"SIGKILL\"} 1",
            "pidone_worker_start_time_seconds{slot=\"0\",app_instance=\"0\"} 1700000001.000",
            "# TYPE pidone_restarts counter",
            "pidone_restarts_total{cause=\"exit\"} 3",
            "pidone_restarts_total{cause=\"memory\"} 1",
            "pidone_oom_kills_total 2",
            "pidone_worker_state{slot=\"0\",app_instance=\"0\",state=\"ready\"} 1",
            "pidone_worker_state{slot=\"0\",app_instance=\"0\",state=\"starting\"} 0",
            "pidone_worker_state{slot=\"spare\",app_instance=\"4\",state=\"starting\"} 1",
            "pidone_worker_restarts_total{slot=\"1\",app_instance=\"1\"} 3",
            "# UNIT pidone_worker_cpu_seconds seconds",
            "pidone_worker_cpu_seconds_total{slot=\"0\",app_instance=\"0\"} 12.050",
            "# UNIT pidone_worker_resident_memory_bytes bytes",
            "pidone_worker_resident_memory_bytes{slot=\"0\",app_instance=\"0\"} 48234496",
            "pidone_worker_event_loop_delay_seconds{slot=\"0\",app_instance=\"0\"} 0.000312",
            "pidone_worker_accept_queue{slot=\"1\",app_instance=\"1\"} 128",
            "# TYPE pidone_relayed_messages counter",
            "pidone_relayed_messages_total{slot=\"0\",app_instance=\"0\"} 7",
            "pidone_relay_dropped_messages_total{slot=\"0\",app_instance=\"0\"} 2",
        ] {
            let count = page.lines().filter(|known| *known == line).count();
            assert_eq!(count, 1, "{line} in\n{page}");
        }
        assert!(page.ends_with("\n# EOF\n"), "{page}");
        // A slot without a process has no metrics of a process.
        let empty = "{slot=\"2\",app_instance=\"2\"}";
        let lines: Vec<_> = page.lines().filter(|line| line.contains(empty)).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        // The samples of a metric follow its description directly.
        let mut described = Vec::new();
        let mut current = "";
        for line in page.lines().take_while(|line| *line != "# EOF") {
            if let Some(line) = line.strip_prefix("# TYPE ") {
                current = line.split(' ').next().unwrap();
                assert!(!described.contains(&current), "{current} twice");
                described.push(current);
            }
            assert!(line.contains(current), "{line} under {current}");
        }
        let older = text(&sample(), Format::Text, None);
        assert!(
            older.contains("# TYPE pidone_restarts_total counter\n"),
            "{older}"
        );
        assert!(
            !older.contains("# UNIT") && !older.contains("# EOF"),
            "{older}"
        );
        let samples = |page: &str| page.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&older), samples(&page));
        let nothing = text(&Status::default(), Format::OpenMetrics, None);
        assert!(!nothing.contains("oom"), "{nothing}");
    }
}
