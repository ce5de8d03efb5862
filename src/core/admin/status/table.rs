//! The status for people: a line about pidone, and a row for each worker.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::{Mode, Status, WorkerStatus};
use crate::admin::control::printable;
use crate::supervisor::Progress;
use crate::text::{HumanBytes, HumanDuration};

/// Columns that are shown only if a worker has a value.
const OPTIONAL: [&str; 2] = ["RELIEVED", "INSPECT"];

/// The columns' headings, and whether a column holds words, which are aligned left.
pub const COLUMNS: [(&str, bool); 12] = [
    ("SLOT", true),
    ("STATE", true),
    ("PID", false),
    ("UPTIME", false),
    ("RESTARTS", false),
    ("CPU", false),
    ("MEMORY", false),
    ("DELAY", false),
    ("QUEUE", false),
    ("RELIEVED", false),
    ("INSPECT", false),
    ("LAST END", true),
];

/// A row of the table, or its headings.
pub type Row = [String; COLUMNS.len()];

impl Status {
    /// The table, with the CPU time of each worker.
    #[must_use]
    pub fn table(&self) -> String {
        self.table_of(&self.rows(|worker| or_dash(worker.cpu_ms, time)))
    }

    /// The table, with the share of a CPU that each worker has used since `before`.
    #[must_use]
    pub fn table_since(&self, before: &Self) -> String {
        self.table_of(&self.rows_since(before))
    }

    /// The rows of that table, without the headings.
    #[must_use]
    pub fn rows_since(&self, before: &Self) -> Vec<Row> {
        self.rows(|worker| or_dash(self.cpu_share(worker, before), percent))
    }

    /// The share of a CPU that a worker has used since `before`, in tenths of a percent.
    #[must_use]
    pub fn cpu_share(&self, worker: &WorkerStatus, before: &Self) -> Option<u64> {
        let earlier = before.all().find(|earlier| earlier.pid == worker.pid)?;
        self.share(worker.cpu_ms, before, earlier.cpu_ms)
    }

    /// The CPUs that the container has used since `before`, in tenths of a percent of one.
    #[must_use]
    pub fn container_cpu_share(&self, before: &Self) -> Option<u64> {
        self.share(self.container.cpu_ms, before, before.container.cpu_ms)
    }

    fn share(&self, now: Option<u64>, before: &Self, then: Option<u64>) -> Option<u64> {
        let elapsed = self.uptime_ms.saturating_sub(before.uptime_ms);
        let used = now?.checked_sub(then?)?;
        used.saturating_mul(1000).checked_div(elapsed)
    }

    /// The workers in the order of the slots, then the spares.
    pub fn all(&self) -> impl Iterator<Item = &WorkerStatus> {
        self.workers.iter().chain(&self.spares)
    }

    fn rows(&self, cpu: impl Fn(&WorkerStatus) -> String) -> Vec<Row> {
        let workers = self.workers.iter().map(|worker| (worker, "-"));
        let spares = self.spares.iter().map(|spare| (spare, "spare"));
        let row = |(worker, place): (&WorkerStatus, &str)| {
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
                or_dash(worker.relieved.filter(|count| *count > 0), |count| {
                    count.to_string()
                }),
                or_dash(worker.inspect_port, |port| port.to_string()),
                worker.last_end.as_deref().map_or("-".to_owned(), printable),
            ]
        };
        workers.chain(spares).map(row).collect()
    }

    fn table_of(&self, rows: &[Row]) -> String {
        let mut text = format!("{}: {}\n", self.identity(), self.condition());
        let mut widths = [0; COLUMNS.len()];
        for (column, width) in widths.iter_mut().enumerate() {
            *width = width_of(rows, column);
        }
        let plain = |_, _, cell: &str, line: &mut String| line.push_str(cell);
        for row in core::iter::once(&headings()).chain(rows) {
            text.push_str(&line(row, &widths, 2, &|_, _| {}, &plain));
            text.push('\n');
        }
        text
    }

    /// Which pidone it is.
    #[must_use]
    pub fn identity(&self) -> String {
        let (version, pid) = (printable(&self.version), self.pid);
        format!("pidone {version}, pid {pid}, up {}", time(self.uptime_ms))
    }

    /// Whether it serves, and what is going on.
    #[must_use]
    pub fn condition(&self) -> String {
        let mut line = match &self.reason {
            _ if self.ready => "ready".to_owned(),
            Some(why) if !self.stopping => format!("not ready ({})", printable(why)),
            _ => "not ready".to_owned(),
        };
        // Writing to memory cannot fail, here and below.
        if self.mode == Mode::Workers {
            let serving = self.workers.iter().filter(|worker| worker.state == "ready");
            let _ = write!(line, ", {} of {} workers", serving.count(), self.target);
        }
        if self.crash_loop {
            line.push_str(", crash loop");
        }
        match &self.progress {
            _ if self.stopping => line.push_str(", stopping"),
            Some(Progress { replaced, of }) => {
                let _ = write!(line, ", reload {replaced} of {of}");
            }
            None if self.reloading => line.push_str(", reloading"),
            None => {}
        }
        if self.draining > 0 {
            let _ = write!(line, ", {} draining", self.draining);
        }
        if let Some(kills) = self.oom_kills.filter(|kills| *kills > 0) {
            let _ = write!(line, ", OOM kills: {kills}");
        }
        line
    }
}

/// The headings as a row.
#[must_use]
pub fn headings() -> Row {
    COLUMNS.map(|(heading, _)| heading.to_owned())
}

/// The width that a column needs; 0: it is not shown.
#[must_use]
pub fn width_of(rows: &[Row], column: usize) -> usize {
    let Some((heading, _)) = COLUMNS.get(column) else {
        return 0;
    };
    let (mut widest, mut is_empty) = (heading.len(), true);
    for cell in rows.iter().filter_map(|row| row.get(column)) {
        widest = widest.max(cell.chars().count());
        is_empty &= cell == "-";
    }
    if is_empty && OPTIONAL.contains(heading) {
        return 0;
    }
    widest
}

/// Appends what stands before a cell of a column to a line.
pub type Before<'a> = dyn Fn(usize, &mut String) + 'a;

/// Appends a cell of a column of this width to a line.
pub type WriteCell<'a> = dyn Fn(usize, usize, &str, &mut String) + 'a;

/// A row as a line. Columns of the width 0 are left out.
#[must_use]
pub fn line(
    row: &Row,
    widths: &[usize; COLUMNS.len()],
    gap: usize,
    before: &Before<'_>,
    write: &WriteCell<'_>,
) -> String {
    let mut line = String::new();
    for (column, ((cell, width), (_, is_word))) in row.iter().zip(widths).zip(COLUMNS).enumerate() {
        if *width == 0 {
            continue;
        }
        if !line.is_empty() {
            push_spaces(gap, &mut line);
        }
        before(column, &mut line);
        let free = width.saturating_sub(cell.chars().count());
        if !is_word {
            push_spaces(free, &mut line);
        }
        write(column, *width, cell, &mut line);
        if is_word {
            push_spaces(free, &mut line);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn push_spaces(count: usize, line: &mut String) {
    line.extend(core::iter::repeat_n(' ', count));
}

fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// A percentage, from tenths of a percent.
#[must_use]
pub fn percent(tenths: u64) -> String {
    format!("{}.{}%", tenths / 10, tenths % 10)
}

fn time(ms: u64) -> String {
    HumanDuration(Duration::from_millis(ms)).to_string()
}
