//! How pidone speaks: to standard error, through `log`, as text for people or as Pino's NDJSON.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use env_logger::Target;
use env_logger::fmt::Formatter;
use log::{Level, Record};

use crate::config::{LogFormat, Logging};
use crate::protocol::json::quoted;
use crate::sys::poll::{self, Interest};

/// Sets up the log for the rest of the process' life.
pub fn init(logging: &Logging) {
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&logging.filter);
    match logging.format {
        LogFormat::Text => builder.format(text),
        LogFormat::Json => {
            let origin = Origin::here();
            builder.format(move |out, record| json(out, record, &origin))
        }
    };
    let target = Patient(io::stderr());
    builder.target(Target::Pipe(Box::new(target))).init();
}

/// How long a line waits for somebody to read those before it. Workers must be looked after.
const PATIENCE: Duration = Duration::from_secs(2);

/// Standard error, which an app can make non-blocking for all who have it; Node.js does so with a
/// pipe (`uv_pipe_open`). A line that finds it full must not be lost.
struct Patient(io::Stderr);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begun = Instant::now();
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = PATIENCE.saturating_sub(begun.elapsed());
                    if left.is_zero() {
                        return Err(error);
                    }
                    poll::wait(&[(self.0.as_fd(), Interest::Write)], Some(left))?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let mark = match record.level() {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug => "debug: ",
        Level::Trace => "trace: ",
    };
    writeln!(
        out,
        "pidone: {mark}{}",
        one_line(&record.args().to_string())
    )
}

/// What a command is called may hold anything; a line of the log stays one line.
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

/// What every line of Pino's begins with (`pino/lib/tools.js`).
struct Origin {
    pid: u32,
    hostname: String,
}

impl Origin {
    fn here() -> Self {
        Self {
            pid: std::process::id(),
            hostname: crate::sys::host::name(),
        }
    }
}

fn json(out: &mut Formatter, record: &Record<'_>, origin: &Origin) -> io::Result<()> {
    // Pino's numbers (`pino/lib/constants.js`).
    let level = match record.level() {
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
    quoted(out, &origin.hostname)?;
    write!(out, ",\"name\":\"pidone\",\"msg\":")?;
    quoted(out, &record.args().to_string())?;
    writeln!(out, "}}")
}
