//! The app's own metrics (`--app-metrics`): prom-client's messages between a primary and its workers, as
//! `lib/cluster.js` has them in versions 11 to 15. A scrape asks every serving worker for its registry,
//! and puts the answers together ([`Aggregate`]).
//!
//! An app without prom-client never answers, and Node.js keeps a message without a listener until the
//! worker exits. So a worker has at most one open [`Question`], and is asked again only after
//! a long time.

mod aggregate;
mod index;
mod kinds;
mod labels;
mod page;

use core::time::Duration;

pub use aggregate::Aggregate;

use crate::supervisor::Moment;

/// How long a scrape waits for the workers.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How long an open question keeps its worker from being asked again.
const AGAIN: Duration = Duration::from_secs(300);

/// The most bytes of a page, and so of what is kept for it.
const PAGE_MAX: usize = 8 << 20;

/// The beginning of an answer; Node.js writes members in the order in which prom-client sets them.
const ANSWER: &[u8] = b"{\"type\":\"prom-client:getMetricsRes\",\"requestId\":";

/// The line with a question.
#[must_use]
pub fn question(request: u64) -> alloc::string::String {
    alloc::format!("{{\"type\":\"prom-client:getMetricsReq\",\"requestId\":{request}}}\n")
}

/// Whether a line answers a question, and which one.
fn answered(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(ANSWER)?;
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The question that a worker has not answered.
#[derive(Debug, Default)]
pub struct Question(Option<(u64, Moment)>);

impl Question {
    /// Asks, unless it was asked already; returns whether it is to be sent.
    pub fn ask(&mut self, request: u64, now: Moment) -> bool {
        let is_due = self.0.is_none_or(|(_, at)| now >= at + AGAIN);
        if is_due {
            self.0 = Some((request, now));
        }
        is_due
    }

    /// Whether the answer to this request is open.
    #[must_use]
    pub fn is_open(&self, request: u64) -> bool {
        self.0.is_some_and(|(open, _)| open == request)
    }

    /// Whether a line is the answer, which closes the question.
    pub fn is_answered(&mut self, line: &[u8]) -> bool {
        let is_so = self.0.is_some() && answered(line).is_some_and(|request| self.is_open(request));
        if is_so {
            self.0 = None;
        }
        is_so
    }
}

/// One scrape, or several at the same time.
pub struct Round {
    /// The number in its questions.
    pub request: u64,
    /// How many workers serve.
    pub workers: usize,
    due: Moment,
    /// What was answered.
    pub aggregate: Aggregate,
}

impl Round {
    /// Begins, with this many workers. `seed`: see [`Aggregate::new`].
    #[must_use]
    pub fn new(request: u64, workers: usize, now: Moment, seed: u64) -> Self {
        Self {
            request,
            workers,
            due: now + PATIENCE,
            aggregate: Aggregate::new(seed),
        }
    }

    /// When it ends at the latest.
    #[must_use]
    pub fn due(&self) -> Moment {
        self.due
    }

    /// Whether it has ended; `has_open`: a worker has not answered yet.
    #[must_use]
    pub fn is_over(&self, now: Moment, has_open: bool) -> bool {
        !has_open || now >= self.due
    }

    /// The workers without an answer that can be used.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.workers.saturating_sub(self.aggregate.answers())
    }
}

#[cfg(test)]
mod tests;
