//! `pidone ctl`: sends a request to a running pidone, and prints the answer.
//!
//! | file | contents |
//! | --- | --- |
//! | `conversation` | connects to a pidone, sends the request, and receives lines |
//! | `bar` | a reload's progress on a terminal |
//! | `top` | repeats the request, and redraws in place |
//! | `error` | the errors, as sentences |
//!
//! All signals are blocked (`main` has opened the queue), so every wait here includes the signal queue.

#![forbid(unsafe_code)]

mod bar;
mod conversation;
mod error;
mod top;

use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::admin::control::{AnswerLine, ControlRequest};
use crate::config::ControlCommand;
use crate::signal::Signal;
use crate::sys::journal;
use crate::sys::output::Output;
use crate::sys::poll::{self, Interest};
use crate::sys::signal::{Received, SignalQueue};
use crate::sys::terminal;
use bar::ProgressBar;
use conversation::Conversation;
pub use error::CtlError;

/// The exit status of a request that failed.
const FAILED: u8 = 1;

/// How long a reader of standard output may pause: long enough for paging, but bounded.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for an error message, as for a log line.
const COMPLAINT_TIMEOUT: Duration = Duration::from_millis(100);

/// Runs a command of `pidone ctl`, and returns the exit status.
///
/// # Errors
/// If there was no answer.
pub fn run(command: &ControlCommand, mut signals: SignalQueue) -> Result<u8, CtlError> {
    if command.request == ControlRequest::Top {
        return top::run(command, signals);
    }
    // Clients of these read the answer from standard output, also a negative one.
    let is_question = matches!(
        command.request,
        ControlRequest::Ready | ControlRequest::Live
    );
    let mut conversation = Conversation::begin(&command.places, command.request)?;
    let mut outcome = None;
    let mut bar = ProgressBar::on_terminal();
    loop {
        while let Some(line) = conversation.line()? {
            let line = AnswerLine::parse(&line).ok_or(CtlError::InvalidAnswer)?;
            if let (AnswerLine::Progress(text), Some(bar)) = (line, &mut bar)
                && let Some(drawn) = bar.drawn(text)
            {
                print(&drawn, Some(&mut signals))?;
                continue;
            }
            // What follows gets a line of its own.
            bar = None;
            let (text, status) = match line {
                AnswerLine::Progress(text) => (text, None),
                AnswerLine::Done(text) => (text, Some(0)),
                AnswerLine::Failed(text) => (text, Some(FAILED)),
            };
            outcome = status;
            if status == Some(FAILED) && !is_question {
                print_error(&text);
            } else {
                print(&format!("{text}\n"), Some(&mut signals))?;
            }
        }
        if conversation.has_ended() {
            return outcome.ok_or(CtlError::Closed);
        }
        if let Some(signal) = wait(&[conversation.as_fd()], &mut signals, None)?.signal {
            match signal {
                Signal::TSTP if terminal::has_job_control() => terminal::stop_ourselves(),
                _ if is_end(signal) => return Ok(signal.exit_code()),
                _ => {}
            }
        }
        conversation.read();
    }
}

/// Whether a signal ends `pidone ctl`: those that users and runtimes send to end a program.
fn is_end(signal: Signal) -> bool {
    matches!(
        signal,
        Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM
    )
}

/// What ended a wait.
struct Woken {
    /// Whether each descriptor is ready.
    ready: Vec<bool>,
    /// The signal received: one that ends `pidone ctl`, or else the last one.
    signal: Option<Signal>,
}

/// Waits for one of the descriptors or for a signal.
fn wait(
    descriptors: &[BorrowedFd<'_>],
    signals: &mut SignalQueue,
    limit: Option<Duration>,
) -> Result<Woken, CtlError> {
    let mut watched: Vec<_> = descriptors.iter().map(|fd| (*fd, Interest::Read)).collect();
    watched.push((signals.as_fd(), Interest::Read));
    let mut ready = poll::wait(&watched, limit).map_err(CtlError::System)?;
    let mut signal = None;
    if ready.pop() == Some(true) {
        // One that ends it must not be lost behind another, as a new size.
        let take = |next: Received| signal = signal.filter(|it| is_end(*it)).or(Some(next.signal));
        signals.drain(take).map_err(CtlError::System)?;
    }
    Ok(Woken { ready, signal })
}

/// Prints to standard output. A signal that ends `pidone ctl` also ends the wait for a slow reader.
///
/// # Errors
/// [`CtlError::Output`].
pub fn print(text: &str, mut signals: Option<&mut SignalQueue>) -> Result<(), CtlError> {
    let mut out = Output::stdout();
    let mut rest = text.as_bytes();
    let mut begun = Instant::now();
    loop {
        let written = out.write_within(rest, Duration::ZERO);
        let written = written.map_err(CtlError::Output)?;
        rest = rest.get(written..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        if written > 0 {
            begun = Instant::now();
        }
        let left = OUTPUT_TIMEOUT.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(CtlError::Unread(OUTPUT_TIMEOUT));
        }
        let mut ended = None;
        let mut watched = vec![(out.as_fd(), Interest::Write)];
        watched.extend(signals.iter().map(|queue| (queue.as_fd(), Interest::Read)));
        poll::wait(&watched, Some(left)).map_err(CtlError::System)?;
        if let Some(signals) = &mut signals {
            let take = |next: Received| {
                ended = ended.or(Some(next.signal).filter(|signal| is_end(*signal)));
            };
            signals.drain(take).map_err(CtlError::System)?;
        }
        if let Some(signal) = ended {
            return Err(CtlError::Ended(signal));
        }
    }
}

/// Writes an error to standard error, if there is room for it. The log is not set up, and PIDONE_LOG
/// must not silence this.
pub fn print_error(what: &dyn Display) {
    let priority = if journal::is_stderr() {
        journal::ERROR
    } else {
        ""
    };
    let line = format!("{priority}pidone: error: {what}\n");
    // If standard error is not read, there is no other output for the error.
    let _ = Output::stderr().write_within(line.as_bytes(), COMPLAINT_TIMEOUT);
}
