//! How all is going, for Prometheus: OpenMetrics text.
//!
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>

#![forbid(unsafe_code)]

use std::fmt::Write;

use super::status::{STATES, Status, WorkerStatus};

/// All metrics of a moment.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut page = Page(String::new());
    let version = [("version", status.version.as_str())];
    page.gauge("build_info", "The version of pidone.");
    page.sample("build_info", &version, 1);
    page.gauge("ready", "Whether requests are welcome.");
    page.sample("ready", &[], status.ready.into());
    page.gauge("reloading", "Whether workers are being replaced.");
    page.sample("reloading", &[], status.reloading.into());
    page.gauge("target_workers", "How many workers there shall be.");
    page.sample("target_workers", &[], wide(status.target));
    page.timed_gauge("uptime_seconds", "How long pidone has run.");
    page.milliseconds("uptime_seconds", &[], status.uptime_ms);
    page.counter(
        "restarts",
        "Workers that were lost or had to go, and were started again.",
    );
    for (cause, count) in status.restarts.by_cause() {
        page.sample("restarts_total", &[("cause", cause)], count);
    }
    if let Some(kills) = status.oom_kills {
        page.counter("oom_kills", "Processes that the kernel killed for memory.");
        page.sample("oom_kills_total", &[], kills);
    }
    page.of_workers(status);
    page.0.push_str("# EOF\n");
    page.0
}

type Labels<'a> = [(&'a str, &'a str)];

/// The page so far.
struct Page(String);

impl Page {
    fn of_workers(&mut self, status: &Status) {
        // Together, because the lines of one metric must be.
        self.gauge("worker_state", "What each worker is doing, as 1.");
        self.each(status, |page, labels, worker| {
            for state in STATES {
                let [slot, instance] = labels;
                let labels = [*slot, *instance, ("state", state)];
                page.sample("worker_state", &labels, (state == worker.state).into());
            }
        });
        self.timed_gauge("worker_uptime_seconds", "How long each worker has run.");
        self.each(status, |page, labels, worker| {
            if worker.pid.is_some() {
                page.milliseconds("worker_uptime_seconds", labels, worker.uptime_ms);
            }
        });
        self.counter("worker_restarts", "How often a worker was lost in a slot.");
        self.each(status, |page, labels, worker| {
            page.sample("worker_restarts_total", labels, worker.restarts.into());
        });
        self.counter(
            "worker_cpu_seconds",
            "The CPU time that each worker has used.",
        );
        self.unit("worker_cpu_seconds", "seconds");
        self.each(status, |page, labels, worker| {
            if let Some(used) = worker.cpu_ms {
                page.milliseconds("worker_cpu_seconds_total", labels, used);
            }
        });
        self.gauge("worker_resident_bytes", "What each worker has in memory.");
        self.unit("worker_resident_bytes", "bytes");
        self.each(status, |page, labels, worker| {
            if let Some(bytes) = worker.resident {
                page.sample("worker_resident_bytes", labels, bytes);
            }
        });
        let help = "How long each worker's event loop took to answer.";
        self.timed_gauge("worker_event_loop_delay_seconds", help);
        self.each(status, |page, labels, worker| {
            if let Some(delay) = worker.loop_delay_us {
                let (whole, part) = (delay / 1_000_000, delay % 1_000_000);
                let value = format_args!("{whole}.{part:06}");
                page.value("worker_event_loop_delay_seconds", labels, value);
            }
        });
        let help = "Connections that wait for each worker to accept them.";
        self.gauge("worker_accept_queue", help);
        self.each(status, |page, labels, worker| {
            if let Some(queue) = worker.queue {
                page.sample("worker_accept_queue", labels, queue.into());
            }
        });
    }

    /// Something for each worker and spare, with the labels that tell them apart.
    fn each(
        &mut self,
        status: &Status,
        show: impl Fn(&mut Self, &[(&str, &str); 2], &WorkerStatus),
    ) {
        let workers = status.workers.iter().map(|worker| (worker, ""));
        let spares = status.spares.iter().map(|spare| (spare, "spare"));
        for (worker, place) in workers.chain(spares) {
            let slot = worker
                .slot
                .map_or(place.to_owned(), |slot| slot.to_string());
            let instance = worker.instance.to_string();
            show(self, &[("slot", &slot), ("instance", &instance)], worker);
        }
    }

    fn gauge(&mut self, name: &str, help: &str) {
        self.describe(name, "gauge", help);
    }

    fn timed_gauge(&mut self, name: &str, help: &str) {
        self.gauge(name, help);
        self.unit(name, "seconds");
    }

    /// Its samples have `_total` behind the name.
    fn counter(&mut self, name: &str, help: &str) {
        self.describe(name, "counter", help);
    }

    // Writing to memory cannot fail, here and below.
    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(
            self.0,
            "# TYPE pidone_{name} {kind}\n# HELP pidone_{name} {help}\n"
        );
    }

    fn unit(&mut self, name: &str, unit: &str) {
        let _ = writeln!(self.0, "# UNIT pidone_{name} {unit}");
    }

    fn sample(&mut self, name: &str, labels: &Labels<'_>, value: u64) {
        self.value(name, labels, format_args!("{value}"));
    }

    /// As seconds.
    fn milliseconds(&mut self, name: &str, labels: &Labels<'_>, value: u64) {
        let (whole, part) = (value / 1000, value % 1000);
        self.value(name, labels, format_args!("{whole}.{part:03}"));
    }

    /// No label holds anything that would have to be escaped.
    fn value(&mut self, name: &str, labels: &Labels<'_>, value: std::fmt::Arguments<'_>) {
        let _ = write!(self.0, "pidone_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let mark = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{mark}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::status::tests::sample;

    // What Prometheus' own parser says of it is in tests/cli/metrics.rs.
    #[test]
    fn a_page_has_every_metric_once_and_an_end() {
        let page = text(&sample());
        for line in [
            "# TYPE pidone_build_info gauge",
            "pidone_build_info{version=\"0.1.0\"} 1",
            "pidone_ready 1",
            "pidone_reloading 0",
            "pidone_target_workers 4",
            "# UNIT pidone_uptime_seconds seconds",
            "pidone_uptime_seconds 7745.120",
            "# TYPE pidone_restarts counter",
            "pidone_restarts_total{cause=\"exit\"} 3",
            "pidone_restarts_total{cause=\"memory\"} 1",
            "pidone_oom_kills_total 2",
            "pidone_worker_state{slot=\"0\",instance=\"0\",state=\"ready\"} 1",
            "pidone_worker_state{slot=\"0\",instance=\"0\",state=\"starting\"} 0",
            "pidone_worker_state{slot=\"spare\",instance=\"4\",state=\"starting\"} 1",
            "pidone_worker_restarts_total{slot=\"1\",instance=\"1\"} 3",
            "# UNIT pidone_worker_cpu_seconds seconds",
            "pidone_worker_cpu_seconds_total{slot=\"0\",instance=\"0\"} 12.050",
            "# UNIT pidone_worker_resident_bytes bytes",
            "pidone_worker_resident_bytes{slot=\"0\",instance=\"0\"} 48234496",
            "pidone_worker_event_loop_delay_seconds{slot=\"0\",instance=\"0\"} 0.000312",
            "pidone_worker_accept_queue{slot=\"1\",instance=\"1\"} 128",
        ] {
            let count = page.lines().filter(|known| *known == line).count();
            assert_eq!(count, 1, "{line} in\n{page}");
        }
        assert!(page.ends_with("\n# EOF\n"), "{page}");
        // A slot without a process has nothing that only a process has.
        let empty = "{slot=\"2\",instance=\"2\"}";
        let lines: Vec<_> = page.lines().filter(|line| line.contains(empty)).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        // The lines of a metric stand together, after what describes it.
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
        let nothing = text(&Status::default());
        assert!(!nothing.contains("oom"), "{nothing}");
    }
}
