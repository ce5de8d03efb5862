//! The status for people: a line about pidone, and a row for each worker.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::{Mode, Status, WorkerStatus};
use crate::admin::control::printable;
use crate::text::{HumanBytes, HumanDuration};

/// This column is shown only if a worker has an inspector.
const INSPECTOR: &str = "INSPECT";

/// The columns' headings, and whether a column holds words, which are aligned left.
const COLUMNS: [(&str, bool); 11] = [
    ("SLOT", true),
    ("STATE", true),
    ("PID", false),
    ("UPTIME", false),
    ("RESTARTS", false),
    ("CPU", false),
    ("MEMORY", false),
    ("DELAY", false),
    ("QUEUE", false),
    (INSPECTOR, false),
    ("LAST END", true),
];

type Row = [String; COLUMNS.len()];

impl Status {
    /// The table, with the CPU time of each worker.
    #[must_use]
    pub fn table(&self) -> String {
        self.table_with(|worker| or_dash(worker.cpu_ms, time))
    }

    /// The table, with the share of a CPU that each worker has used since `before`.
    #[must_use]
    pub fn table_since(&self, before: &Self) -> String {
        let elapsed = self.uptime_ms.saturating_sub(before.uptime_ms);
        self.table_with(|worker| {
            let mut all = before.workers.iter().chain(&before.spares);
            let earlier = all.find(|earlier| earlier.pid == worker.pid);
            let used = earlier
                .and_then(|earlier| worker.cpu_ms?.checked_sub(earlier.cpu_ms?))
                .and_then(|used| used.saturating_mul(1000).checked_div(elapsed));
            or_dash(used, |tenths| format!("{}.{}%", tenths / 10, tenths % 10))
        })
    }

    fn table_with(&self, cpu: impl Fn(&WorkerStatus) -> String) -> String {
        let mut rows: Vec<Row> = vec![COLUMNS.map(|(heading, _)| heading.to_owned())];
        let workers = self.workers.iter().map(|worker| (worker, "-"));
        let spares = self.spares.iter().map(|spare| (spare, "spare"));
        rows.extend(workers.chain(spares).map(|(worker, place)| {
            [
                worker
                    .slot
                    .map_or(place.to_owned(), |slot| slot.to_string()),
                worker.state.to_owned(),
                or_dash(worker.pid, |pid| pid.to_string()),
                or_dash(worker.pid, |_| time(worker.uptime_ms)),
                worker.restarts.to_string(),
                cpu(worker),
                or_dash(worker.resident, |bytes| HumanBytes(bytes).to_string()),
                or_dash(worker.loop_delay_us, |us| {
                    HumanDuration(Duration::from_micros(us)).to_string()
                }),
                or_dash(worker.queue, |queue| queue.to_string()),
                or_dash(worker.inspect_port, |port| port.to_string()),
                worker.last_end.as_deref().map_or("-".to_owned(), printable),
            ]
        }));
        let mut text = self.headline();
        let mut all = self.workers.iter().chain(&self.spares);
        let has_inspectors = all.any(|worker| worker.inspect_port.is_some());
        push_aligned(&rows, has_inspectors, &mut text);
        text
    }

    fn headline(&self) -> String {
        let (version, pid) = (printable(&self.version), self.pid);
        let up = time(self.uptime_ms);
        let mut line = format!("pidone {version}, pid {pid}, up {up}: ");
        // Writing to memory cannot fail, here and below.
        let _ = match &self.reason {
            _ if self.ready => line.write_str("ready"),
            Some(why) if !self.stopping => write!(line, "not ready ({})", printable(why)),
            _ => line.write_str("not ready"),
        };
        if self.mode == Mode::Workers {
            let serving = self.workers.iter().filter(|worker| worker.state == "ready");
            let _ = write!(line, ", {} of {} workers", serving.count(), self.target);
        }
        if self.stopping {
            line.push_str(", stopping");
        } else if self.reloading {
            line.push_str(", reloading");
        }
        if let Some(kills) = self.oom_kills.filter(|kills| *kills > 0) {
            let _ = write!(line, ", OOM kills: {kills}");
        }
        line.push('\n');
        line
    }
}

fn push_aligned(rows: &[Row], has_inspectors: bool, text: &mut String) {
    let mut widths = [0; COLUMNS.len()];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let begin = text.len();
        for ((cell, width), (heading, is_word)) in row.iter().zip(widths).zip(COLUMNS) {
            if heading == INSPECTOR && !has_inspectors {
                continue;
            }
            if text.len() > begin {
                text.push_str("  ");
            }
            let _ = if is_word {
                write!(text, "{cell:<width$}")
            } else {
                write!(text, "{cell:>width$}")
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn time(ms: u64) -> String {
    HumanDuration(Duration::from_millis(ms)).to_string()
}
