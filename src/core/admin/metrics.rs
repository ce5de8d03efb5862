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

/// In seconds, from milliseconds.
const fn seconds(metric: Metric) -> Metric {
    in_unit("seconds", 3, metric)
}

const fn bytes(metric: Metric) -> Metric {
    in_unit("bytes", 0, metric)
}

/// Gets a value of a worker or of the status, if it is known.
type Ask<T> = fn(&T) -> Option<u64>;

/// The metrics of each worker, except its state.
const OF_WORKERS: [(Metric, Ask<WorkerStatus>); 8] = [
    (
        seconds(gauge(
            "worker_start_time_seconds",
            "When each worker was started, in Unix time.",
        )),
        |worker| worker.start_time_ms,
    ),
    (
        counter("worker_restarts", "Restarts in each slot."),
        |worker| Some(worker.restarts.into()),
    ),
    (
        seconds(counter(
            "worker_cpu_seconds",
            "The CPU time that each worker has used.",
        )),
        |worker| worker.cpu_ms,
    ),
    (
        bytes(gauge(
            "worker_resident_memory_bytes",
            "The resident memory of each worker.",
        )),
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
            "Messages between workers that were dropped: invalid ones of this worker, and ones it did not read.",
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

/// The metrics of pidone's own process, as Prometheus' client libraries have them, and of the container. Those
/// that are not known are left out.
const OF_CONTAINER: [(Metric, Ask<Status>); 9] = [
    (
        seconds(gauge(
            "process_start_time_seconds",
            "When pidone was started, in Unix time.",
        )),
        |status| Some(status.totals.start_time_ms),
    ),
    (
        seconds(counter(
            "process_cpu_seconds",
            "The CPU time that pidone itself has used.",
        )),
        |status| status.totals.cpu_ms,
    ),
    (
        bytes(gauge(
            "process_resident_memory_bytes",
            "The resident memory of pidone itself.",
        )),
        |status| status.totals.resident,
    ),
    (
        seconds(counter(
            "container_cpu_seconds",
            "The CPU time that the container has used.",
        )),
        |status| status.container.cpu_ms,
    ),
    (
        in_unit(
            "cores",
            3,
            gauge(
                "container_cpu_limit_cores",
                "The CPUs that the container's quota and affinity allow.",
            ),
        ),
        |status| status.container.cpu_limit,
    ),
    (
        bytes(gauge(
            "container_memory_bytes",
            "The memory of the container, without the file cache that the kernel drops first.",
        )),
        |status| status.container.memory,
    ),
    (
        bytes(gauge(
            "container_memory_limit_bytes",
            "The memory that the container may use.",
        )),
        |status| status.container.memory_limit,
    ),
    (
        bytes(gauge(
            "max_memory_bytes",
            "The resident memory above which a worker is replaced (--max-memory).",
        )),
        |status| status.max_memory,
    ),
    (
        counter(
            "oom_kills",
            "Processes the kernel killed for lack of memory.",
        ),
        |status| status.oom_kills,
    ),
];

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
    for (metric, ask) in &OF_CONTAINER {
        if let Some(value) = ask(status) {
            page.one(metric, &[], value);
        }
    }
    let help = "Whether pidone is stopping because of a crash loop.";
    page.one(&gauge("crash_loop", help), &[], status.crash_loop.into());
    page.totals(status);
    let help = "Restarts of workers, by cause.";
    let restarts = counter("restarts", help);
    page.describe(&restarts);
    for (cause, count) in status.restarts.by_cause() {
        page.sample(&restarts, &[("cause", cause)], count);
    }
    page.of_workers(status);
    if let Some(app) = app {
        let help = "Workers' answers missing from scrapes of the app's metrics.";
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
        let last = seconds(gauge("last_reload_timestamp_seconds", help));
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
mod tests;
