//! pidone's own log: on standard error, through `log`, as text for people or as Pino's NDJSON.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use env_logger::Target;
use log::Level;

use crate::config::{LogFormat, Logging};
use crate::json::Quoted;
use crate::sys::journal;
use crate::sys::output::Output;

/// Sets up the log, once per process.
pub fn init(logging: &Logging) -> Log {
    let shape = Arc::new(Shape {
        format: match logging.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json(PinoFields::here()),
        },
        has_priority: journal::is_stderr(),
    });
    let sink = Arc::new(Mutex::new(Sink::new(Output::stderr(), Arc::clone(&shape))));
    let log = Log(Arc::clone(&sink));
    env_logger::Builder::new()
        .parse_filters(&logging.filter)
        .format(move |out, record| shape.line(out, record.level(), &record.args().to_string()))
        .target(Target::Pipe(Box::new(Lines(sink))))
        .init();
    log
}

/// The log.
#[derive(Debug)]
pub struct Log(Arc<Mutex<Sink>>);

impl Log {
    /// Logs how many lines were dropped, if not logged yet: there will be no next line.
    pub fn close(&self) {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.report_dropped(TIMEOUT);
    }
}

/// How long a line waits for room. Longer waits would delay signals, reaping and restarts.
const TIMEOUT: Duration = Duration::from_millis(100);

/// The share of the time that waits may take in the long run: a tenth.
const SHARE: u32 = 10;

/// The target of env_logger, which writes whole lines, one at a time.
struct Lines(Arc<Mutex<Sink>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, which may not be read. A line that finds no room in time is dropped, and
/// so are the next ones, without waiting, until there is room; then the number of dropped lines is logged first.
#[derive(Debug)]
struct Sink {
    out: Output,
    shape: Arc<Shape>,
    dropped: u64,
    /// The last line was written in part.
    torn: bool,
    /// How long lines may wait at present. A slow reader must not take more than its share of pidone's
    /// time.
    patience: Duration,
    waited: Option<Instant>,
}

impl Sink {
    fn new(out: Output, shape: Arc<Shape>) -> Self {
        Self {
            out,
            shape,
            dropped: 0,
            torn: false,
            patience: TIMEOUT,
            waited: None,
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let told = self.report_dropped(Duration::ZERO);
        if !told? || !self.put(line, self.patience())? {
            self.dropped += 1;
        }
        Ok(())
    }

    /// Logs the number of dropped lines; returns whether none is left to log.
    fn report_dropped(&mut self, limit: Duration) -> io::Result<bool> {
        if self.dropped == 0 {
            return Ok(true);
        }
        let lines = if self.dropped == 1 { "line" } else { "lines" };
        let text = format!(
            "{} log {lines} dropped: standard error was full and not read",
            self.dropped
        );
        let mut note = Vec::new();
        if self.torn {
            note.push(b'\n');
        }
        self.shape.line(&mut note, Level::Warn, &text)?;
        let done = self.put(&note, limit)?;
        if done {
            self.dropped = 0;
        }
        Ok(done)
    }

    /// Writes a line; returns whether there was room for all of it.
    fn put(&mut self, line: &[u8], limit: Duration) -> io::Result<bool> {
        let begun = Instant::now();
        let written = self.out.write_within(line, limit)?;
        let took = begun.elapsed();
        if took > Duration::from_millis(1) {
            self.patience = limit.saturating_sub(took);
            self.waited = Some(Instant::now());
        }
        let done = written == line.len();
        self.torn = !done && (self.torn || written > 0);
        Ok(done)
    }

    fn patience(&self) -> Duration {
        let regained = self.waited.map(|waited| waited.elapsed() / SHARE);
        (self.patience + regained.unwrap_or_default()).min(TIMEOUT)
    }
}

/// The shape of a line.
#[derive(Debug)]
struct Shape {
    format: Format,
    /// Lines begin with their priority. journald removes it, so it is right for JSON too.
    has_priority: bool,
}

#[derive(Debug)]
enum Format {
    Text,
    Json(PinoFields),
}

impl Shape {
    fn line(&self, out: &mut dyn Write, level: Level, message: &str) -> io::Result<()> {
        if self.has_priority {
            write!(out, "{}", priority(level))?;
        }
        match &self.format {
            Format::Text => text(out, level, message),
            Format::Json(origin) => json(out, level, message, origin),
        }
    }
}

/// The prefix from which journald takes a line's priority.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => journal::ERROR,
        Level::Warn => journal::WARNING,
        Level::Info => journal::INFO,
        Level::Debug | Level::Trace => journal::DEBUG,
    }
}

fn text(out: &mut dyn Write, level: Level, message: &str) -> io::Result<()> {
    let mark = match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug => "debug: ",
        Level::Trace => "trace: ",
    };
    writeln!(out, "pidone: {mark}{}", one_line(message))
}

/// Escapes control characters: a command's name may have any, but a log line must stay one line.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// The fields that every line of Pino has (`pino/lib/tools.js`).
#[derive(Debug)]
struct PinoFields {
    pid: u32,
    hostname: String,
}

impl PinoFields {
    fn here() -> Self {
        Self {
            pid: std::process::id(),
            hostname: crate::sys::host::name(),
        }
    }
}

fn json(out: &mut dyn Write, level: Level, message: &str, origin: &PinoFields) -> io::Result<()> {
    // Pino's levels (`pino/lib/constants.js`).
    let level = match level {
        Level::Error => 50,
        Level::Warn => 40,
        Level::Info => 30,
        Level::Debug => 20,
        Level::Trace => 10,
    };
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let pid = origin.pid;
    write!(
        out,
        "{{\"level\":{level},\"time\":{time},\"pid\":{pid},\"hostname\":"
    )?;
    write!(out, "{}", Quoted(&origin.hostname))?;
    write!(out, ",\"name\":\"pidone\",\"msg\":")?;
    write!(out, "{}", Quoted(message))?;
    writeln!(out, "}}")
}
