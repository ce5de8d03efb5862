//! `pidone ctl`: asks a running pidone for something, and shows what it says.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `conversation` | finding a pidone, asking, and lines that come back |
//! | `top` | asking again and again, and drawing in place |
//! | `error` | what can go wrong, as sentences |
//!
//! All signals are blocked (`main` has opened the queue), so whatever waits here waits for them too.

#![forbid(unsafe_code)]

mod conversation;
mod error;
mod top;

use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::config::ControlCommand;
use crate::protocol::control::{Line, Request};
use crate::signal::Signal;
use crate::sys::output::Output;
use crate::sys::poll::{self, Interest};
use crate::sys::signal::{Received, SignalQueue};
use crate::sys::terminal;
use conversation::Conversation;
pub use error::CtlError;

/// What was asked for did not work.
const FAILED: u8 = 1;

/// How long a reader may take to read on: people page through an answer, and it must end some day.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(10);

/// As long as a line of the log waits.
const COMPLAINT_PATIENCE: Duration = Duration::from_millis(100);

/// Runs a command of `pidone ctl`, and returns the exit status.
///
/// # Errors
/// Why there was no answer.
pub fn run(command: &ControlCommand, mut signals: SignalQueue) -> Result<u8, CtlError> {
    if command.request == Request::Top {
        return top::run(command, signals);
    }
    // Those who ask for these read the answer from standard output, whatever it is.
    let is_question = matches!(command.request, Request::Ready | Request::Live);
    let mut conversation = Conversation::begin(&command.places, command.request)?;
    let mut outcome = None;
    loop {
        while let Some(line) = conversation.line()? {
            let line = Line::parse(&line).ok_or(CtlError::Strange)?;
            let (text, status) = match line {
                Line::Progress(text) => (text, None),
                Line::Done(text) => (text, Some(0)),
                Line::Failed(text) => (text, Some(FAILED)),
            };
            outcome = status;
            if status == Some(FAILED) && !is_question {
                complain(&text);
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

/// Whether a signal ends a program that does not care for it, and is sent by people and runtimes.
fn is_end(signal: Signal) -> bool {
    matches!(
        signal,
        Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM
    )
}

/// What ended a wait.
struct Woken {
    /// Which of the descriptors are ready.
    ready: Vec<bool>,
    /// The last signal that has come.
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
        let take = |next: Received| signal = Some(next.signal);
        signals.drain(take).map_err(CtlError::System)?;
    }
    Ok(Woken { ready, signal })
}

/// Prints to standard output, for as long as somebody reads. A signal that would end another program
/// ends a wait for a reader too.
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
        let left = OUTPUT_PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(CtlError::Unread(OUTPUT_PATIENCE));
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

/// Says on standard error what went wrong, if there is room for it. The log is not set up, and PIDONE_LOG
/// shall not silence this.
pub fn complain(what: &dyn Display) {
    let line = format!("pidone: error: {what}\n");
    // Where nobody reads, nothing is left to be said.
    let _ = Output::stderr().write_within(line.as_bytes(), COMPLAINT_PATIENCE);
}
