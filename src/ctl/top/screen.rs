//! The lines that a terminal of some size shows of a status.

#![forbid(unsafe_code)]

use std::fmt::Write;
use std::time::Duration;

use super::history::{History, LONGEST, Values};
use super::style::{Paint, Style};
use crate::admin::control::printable;
use crate::admin::status::{COLUMNS, Row, Status, headings, line, percent, width_of};
use crate::text::{HumanBytes, HumanDuration};

/// The places of some columns in [`COLUMNS`].
const STATE: usize = 1;
const CPU: usize = 5;
const QUEUE: usize = 8;
const RELIEVED: usize = 9;
const INSPECT: usize = 10;
const LAST_END: usize = 11;

/// The width of the heading of [`LAST_END`].
const HEADING: usize = 8;

/// The columns from [`CPU`] to [`QUEUE`] have a sparkline: their measures are those of the history.
const SPARKLINES: usize = QUEUE + 1 - CPU;

/// What may be shown of a worker.
#[derive(Debug, Clone, Copy)]
enum Part {
    Column(usize),
    Sparkline(usize),
}

/// The most important part comes first.
const ORDER: [Part; COLUMNS.len() + SPARKLINES] = {
    use Part::{Column, Sparkline};
    [
        Column(0),
        Column(STATE),
        Column(CPU),
        Column(CPU + 1),
        Column(CPU + 2),
        Column(QUEUE),
        Sparkline(0),
        Sparkline(1),
        Sparkline(2),
        Sparkline(3),
        Column(4),
        Column(RELIEVED),
        Column(LAST_END),
        Column(2),
        Column(3),
        Column(INSPECT),
    ]
};

/// The least width of each column: the table must not move with every value.
const LEAST: [usize; COLUMNS.len()] = [4, 8, 3, 9, 8, 6, 9, 6, 5, 8, 7, 8];

/// The length of the shortest sparkline.
const SHORTEST: usize = 6;

/// The length of the container's sparklines.
const CONTAINER: usize = 10;

/// Below this width, columns are one space apart, else two.
const NARROW: usize = 60;

/// The widths of columns and sparklines; 0: not shown.
#[derive(Debug, Default)]
struct Layout {
    gap: usize,
    columns: [usize; COLUMNS.len()],
    sparklines: [usize; SPARKLINES],
}

impl Layout {
    /// As many parts as fit, in their order, and then longer sparklines.
    fn of(rows: &[Row], width: usize) -> Self {
        let gap = if width < NARROW { 1 } else { 2 };
        let (mut columns, mut sparklines) = ([0; COLUMNS.len()], [0; SPARKLINES]);
        // The first column has no gap before it.
        let mut left = width + gap;
        for part in ORDER {
            let (place, most, cost) = match part {
                Part::Column(at) => (columns.get_mut(at), column_width(rows, at), gap),
                Part::Sparkline(at) => (sparklines.get_mut(at), SHORTEST, 1),
            };
            let Some(place) = place.filter(|_| most > 0) else {
                continue;
            };
            // Its text may be cut.
            let is_last_end = matches!(part, Part::Column(LAST_END));
            let least = if is_last_end { HEADING } else { most };
            if left < least + cost {
                break;
            }
            *place = most.min(left - cost);
            left -= *place + cost;
        }
        let shown = sparklines.iter().filter(|length| **length > 0).count();
        let longer = left.checked_div(shown).unwrap_or_default();
        for length in sparklines.iter_mut().filter(|length| **length > 0) {
            *length = (*length + longer).min(LONGEST);
        }
        Self {
            gap,
            columns,
            sparklines,
        }
    }

    /// The length of a column's sparkline; 0: none.
    fn sparkline(&self, column: usize) -> usize {
        let measure = column.checked_sub(CPU);
        let length = measure.and_then(|measure| self.sparklines.get(measure));
        length.copied().unwrap_or_default()
    }
}

/// The width of a column if there is room for it; 0: there is nothing to show.
fn column_width(rows: &[Row], column: usize) -> usize {
    match width_of(rows, column) {
        // Not wider than its heading, so no worker has ended.
        HEADING if column == LAST_END => 0,
        0 => 0,
        width => width.max(LEAST.get(column).copied().unwrap_or_default()),
    }
}

/// The screen as lines of at most `width` characters.
pub(super) fn lines(
    status: &Status,
    rows: &[Row],
    history: &History,
    (width, height): (usize, usize),
    style: Style,
) -> Vec<String> {
    let mut lines = vec![headline(status, width, style)];
    let container = container(status, history, width, style);
    if !container.is_empty() {
        lines.push(container);
    }
    let layout = Layout::of(rows, width);
    let (gap, columns) = (layout.gap, &layout.columns);
    let spaces = |column, line: &mut String| {
        let length = layout.sparkline(column);
        line.extend(std::iter::repeat_n(' ', length + usize::from(length > 0)));
    };
    let plain = |_, _, cell: &str, line: &mut String| line.push_str(cell);
    let headings = line(&headings(), columns, gap, &spaces, &plain);
    lines.push(style.painted(&headings, Paint::Heading));
    for (worker, row) in status.all().zip(rows) {
        let sparkline = |column, line: &mut String| {
            let length = layout.sparkline(column);
            if length > 0 {
                let levels = history.sparkline(worker, column - CPU, length);
                *line += &style.painted(&style.sparkline(&levels), Paint::Sparkline);
                line.push(' ');
            }
        };
        let values = history.now(worker);
        let painted = |column, width, cell: &str, line: &mut String| {
            let paint = paint_of(column, cell, values);
            *line += &style.painted(&style.cut(cell, width), paint);
        };
        lines.push(line(row, columns, gap, &sparkline, &painted));
    }
    let hidden = lines.len().saturating_sub(height);
    if hidden == 0 {
        push_ends(status, width, style, &mut lines);
    }
    lines.truncate(height);
    if let Some(last) = lines.last_mut().filter(|_| hidden > 0 && height > 3) {
        *last = style.cut(&format!("and {} more", hidden + 1), width);
    }
    lines
}

/// What the container uses, and its limits.
fn container(status: &Status, history: &History, width: usize, style: Style) -> String {
    let limits = [status.container.cpu_limit, status.container.memory_limit];
    let used = history.container();
    let (mut line, mut left) = (String::new(), width);
    for (measure, (name, limit)) in ["CPU ", "memory "].into_iter().zip(limits).enumerate() {
        let Some(used) = used.get(measure).copied().flatten() else {
            continue;
        };
        let mut text = amount(measure, used);
        if let Some(limit) = limit {
            text += " of ";
            text += &amount(measure, limit);
        }
        let gap = if line.is_empty() { "" } else { "  " };
        let needed = gap.len() + name.len() + text.len();
        if needed > left {
            break;
        }
        left -= needed;
        line += gap;
        line += name;
        // Without a limit, there is no scale.
        if let Some(limit) = limit.filter(|_| left > CONTAINER) {
            left -= CONTAINER + 1;
            let levels = history.container_sparkline(measure, CONTAINER, limit);
            line += &style.painted(&style.sparkline(&levels), Paint::Sparkline);
            line.push(' ');
        }
        line += &text;
    }
    line
}

/// An amount of CPU, in tenths of a percent, or of memory, in bytes.
fn amount(measure: usize, value: u64) -> String {
    match measure {
        // Thousandths of a CPU are tenths of a percent.
        0 => percent(value),
        _ => HumanBytes(value).to_string(),
    }
}

/// Appends the last unplanned ends, the newest first.
fn push_ends(status: &Status, width: usize, style: Style, lines: &mut Vec<String>) {
    let mut workers = status.all();
    let now = workers.find_map(|worker| worker.start_time_ms?.checked_add(worker.uptime_ms));
    for (index, end) in status.ends.newest().enumerate() {
        if index == 0 {
            lines.push(String::new());
        }
        let mut text = String::new();
        // Writing to memory cannot fail.
        if let Some(ms) = now.and_then(|now| now.checked_sub(end.time_ms)) {
            let age = HumanDuration(Duration::from_secs(ms / 1000));
            let _ = write!(text, "{age} ago: ");
        }
        if let Some(slot) = end.slot {
            let _ = write!(text, "slot {slot} ");
        } else if end.instance.is_some() {
            text += "spare ";
        }
        text += &printable(&end.what);
        push_wrapped(&text, width, style, lines);
    }
}

/// Appends a text as lines of whole words; from the second one on, they are indented.
fn push_wrapped(text: &str, width: usize, style: Style, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in text.split(' ') {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(style.cut(&line, width));
            line.clear();
            line.push(' ');
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(style.cut(&line, width));
}

fn headline(status: &Status, width: usize, style: Style) -> String {
    let (identity, condition) = (status.identity() + ": ", status.condition());
    let mut line = String::new();
    let left = width.checked_sub(identity.chars().count() + condition.chars().count());
    if left.is_some() {
        line.push_str(&identity);
    }
    let paint = match status {
        _ if !status.ready || status.crash_loop => Paint::Bad,
        _ if status.reloading || status.stopping => Paint::Warning,
        _ => Paint::Good,
    };
    line + &style.painted(&style.cut(&condition, width), paint)
}

/// The colour of a cell.
fn paint_of(column: usize, cell: &str, values: Values) -> Paint {
    if column == STATE {
        return match cell {
            "ready" => Paint::Good,
            "starting" | "draining" => Paint::Warning,
            _ => Paint::Bad,
        };
    }
    // Most of a CPU, in tenths of a percent; a delay of 100 ms and of half a second; a queue.
    let limits = match column {
        CPU => (900, u64::MAX),
        7 => (100_000, 500_000),
        QUEUE => (1, 128),
        _ => return Paint::Plain,
    };
    match values.get(column - CPU).copied().flatten() {
        Some(value) if value >= limits.1 => Paint::Bad,
        Some(value) if value >= limits.0 => Paint::Warning,
        _ => Paint::Plain,
    }
}
