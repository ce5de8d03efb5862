//! The lines that a terminal of some size shows of a status.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::history::{History, LONGEST, Values};
use super::style::{Paint, Style};
use crate::admin::control::printable;
use crate::admin::status::{COLUMNS, Row, Status, percent};
use crate::text::{HumanBytes, HumanDuration};

/// The places of some columns in [`COLUMNS`].
const STATE: usize = 1;
const CPU: usize = 5;
const QUEUE: usize = 8;
const RELIEVED: usize = 9;
const INSPECT: usize = 10;
const LAST_END: usize = 11;

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
                Part::Column(at) => (columns.get_mut(at), width_of(rows, at), gap),
                Part::Sparkline(at) => (sparklines.get_mut(at), SHORTEST, 1),
            };
            let Some(place) = place.filter(|_| most > 0) else {
                continue;
            };
            // Its text may be cut.
            let is_last_end = matches!(part, Part::Column(LAST_END));
            let least = if is_last_end { SHORTEST } else { most };
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
}

/// The width that a column needs; 0: there is nothing to show.
fn width_of(rows: &[Row], column: usize) -> usize {
    let cells = || rows.iter().filter_map(|row| row.get(column));
    if column >= RELIEVED && cells().all(|cell| cell == "-") {
        return 0;
    }
    let widest = cells().map(|cell| cell.chars().count()).max();
    let least = LEAST.get(column).copied();
    widest.max(least).unwrap_or_default()
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
    lines.extend(container(status, history, width, style));
    let layout = Layout::of(rows, width);
    let headings = COLUMNS.map(|(heading, _)| heading.to_owned());
    let line = |row: &Row, values, sparkline: &dyn Fn(usize, usize) -> String| {
        line(&layout, style, row, values, sparkline)
    };
    let headings = line(&headings, None, &|_, length| " ".repeat(length));
    lines.push(style.painted(&headings, Paint::Heading));
    lines.extend(status.all().zip(rows).map(|(worker, row)| {
        let values = history.now(worker);
        line(row, Some(values), &|measure, length| {
            style.sparkline(&history.sparkline(worker, measure, length))
        })
    }));
    let hidden = lines.len().saturating_sub(height);
    if hidden == 0 {
        lines.extend(ends(status, width, style));
    }
    lines.truncate(height);
    if let Some(last) = lines.last_mut().filter(|_| hidden > 0 && height > 3) {
        *last = style.cut(&format!("and {} more", hidden + 1), width);
    }
    lines
}

/// What the container uses, and its limits.
fn container(status: &Status, history: &History, width: usize, style: Style) -> Option<String> {
    let [used, memory, ..] = history.container();
    let limits = &status.container;
    let parts = [
        // Thousandths of a CPU are tenths of a percent.
        (
            "CPU",
            used.map(percent),
            limits.cpu_limit,
            limits.cpu_limit.map(percent),
        ),
        (
            "memory",
            memory.map(|bytes| HumanBytes(bytes).to_string()),
            limits.memory_limit,
            limits
                .memory_limit
                .map(|bytes| HumanBytes(bytes).to_string()),
        ),
    ];
    let mut line = String::new();
    let mut left = width;
    for (measure, (name, value, limit, limit_text)) in parts.into_iter().enumerate() {
        let Some(value) = value else {
            continue;
        };
        let of = limit_text.map_or_else(String::new, |limit| format!(" of {limit}"));
        let gap = if line.is_empty() { "" } else { "  " };
        let text = format!("{value}{of}");
        let needed = gap.len() + name.len() + 1 + text.len();
        if needed > left {
            break;
        }
        left -= needed;
        line += &format!("{gap}{name} ");
        // Without a limit, there is no scale.
        if let Some(limit) = limit.filter(|_| left > CONTAINER) {
            left -= CONTAINER + 1;
            let levels = history.container_sparkline(measure, CONTAINER, limit);
            line += &style.painted(&style.sparkline(&levels), Paint::Sparkline);
            line.push(' ');
        }
        line += &text;
    }
    Some(line).filter(|line| !line.is_empty())
}

/// The last unplanned ends, the newest first.
fn ends(status: &Status, width: usize, style: Style) -> Vec<String> {
    let now = status
        .all()
        .find_map(|worker| Some(worker.start_time_ms? + worker.uptime_ms));
    let mut lines = Vec::new();
    for end in status.ends.newest() {
        let age = now.and_then(|now| now.checked_sub(end.time_ms));
        let age = age.map_or_else(String::new, |ms| {
            // In whole seconds.
            format!("{} ago: ", HumanDuration(Duration::from_secs(ms / 1000)))
        });
        let which = match (end.slot, end.instance) {
            (Some(slot), _) => format!("slot {slot} "),
            (None, Some(_)) => "spare ".to_owned(),
            (None, None) => String::new(),
        };
        lines.extend(wrapped(
            &printable(&format!("{age}{which}{}", end.what)),
            width,
            style,
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// A text in lines of whole words; from the second one on, they are indented.
fn wrapped(text: &str, width: usize, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let longer = line.chars().count() + 1 + word.chars().count();
        if !line.trim().is_empty() && longer > width {
            lines.push(std::mem::replace(&mut line, " ".to_owned()));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    lines.iter().map(|line| style.cut(line, width)).collect()
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

/// A row of the table. `values`: `None` for the headings.
fn line(
    layout: &Layout,
    style: Style,
    row: &Row,
    values: Option<Values>,
    sparkline: &dyn Fn(usize, usize) -> String,
) -> String {
    let mut line = String::new();
    let columns = row.iter().zip(layout.columns).zip(COLUMNS).enumerate();
    for (column, ((cell, width), (_, is_word))) in columns.filter(|(_, ((_, width), _))| *width > 0)
    {
        if !line.is_empty() {
            line.push_str(&" ".repeat(layout.gap));
        }
        let measure = column.wrapping_sub(CPU);
        let length = layout.sparklines.get(measure).copied().unwrap_or_default();
        if length > 0 {
            line += &style.painted(&sparkline(measure, length), Paint::Sparkline);
            line.push(' ');
        }
        let cell = style.cut(cell, width);
        let free = " ".repeat(width.saturating_sub(cell.chars().count()));
        let paint = values.map_or(Paint::Plain, |values| paint_of(column, &cell, values));
        let cell = style.painted(&cell, paint);
        line.extend(if is_word { [cell, free] } else { [free, cell] });
    }
    line.truncate(line.trim_end().len());
    line
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
