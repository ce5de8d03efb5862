//! The results of a load.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A request with the right response.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When it was due: a delay of the client counts as the server's delay.
    pub asked: Instant,
    pub at: Instant,
    /// The process that responded.
    pub pid: i32,
    /// The client.
    pub from: SocketAddr,
    /// The number of requests on this connection before.
    pub reused: u32,
    /// The response had `Connection: close`.
    pub closing: bool,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Connection refused: there is no listener.
    Refused,
    /// Reset, after any part of the response or none.
    Reset,
    /// Closed before the first byte.
    Closed,
    /// Closed within the response.
    Short,
    /// No answer in time.
    TimedOut,
    /// A status other than 200.
    Status(u16),
    /// The response to another request.
    Wrong,
    /// More bytes than one response has, or bytes without a request.
    TooMuch,
    /// Not HTTP that this client can parse.
    Malformed,
    /// Any other error of the socket.
    Other(i32),
}

/// A failed request.
#[derive(Debug, Clone)]
pub struct Failure {
    pub kind: Kind,
    /// The number of the request.
    pub request: u64,
    pub asked: Instant,
    pub at: Instant,
    /// The client's port.
    pub port: u16,
    /// Whether the kernel had accepted the connection.
    pub established: bool,
    /// Requests on this connection before: 0 is a new connection.
    pub reused: u32,
    /// Bytes of the response that were received.
    pub bytes: usize,
    /// More details, if there are any.
    pub detail: String,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Report {
    pub started: Instant,
    pub stopped: Option<Instant>,
    pub sent: u64,
    pub answers: Vec<Answer>,
    pub failures: Vec<Failure>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            stopped: None,
            sent: 0,
            answers: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Every request was answered.
    #[track_caller]
    pub fn no_failures(&self) -> &Self {
        self.only_failures("none", |_| false)
    }

    /// No request has failed except those that may.
    #[track_caller]
    pub fn only_failures(&self, which: &str, may: impl Fn(&Failure) -> bool) -> &Self {
        let bad: Vec<_> = self.failures.iter().filter(|one| !may(one)).collect();
        assert!(
            bad.is_empty(),
            "{} failures, permitted: {which}\n{self}\n{}",
            bad.len(),
            self.lines(&bad)
        );
        self.all_accounted_for()
    }

    /// Each request was answered or has failed; none is missing or counted twice.
    #[track_caller]
    fn all_accounted_for(&self) -> &Self {
        assert!(self.sent > 0, "nothing was asked");
        if self.stopped.is_some() {
            let unasked = |one: &&Failure| one.kind == Kind::TooMuch;
            let extra = self.failures.iter().filter(unasked).count();
            let known = self.answers.len() + self.failures.len() - extra;
            assert_eq!(self.sent, known as u64, "{self}");
        }
        self
    }

    /// Requests per second.
    #[allow(clippy::cast_precision_loss)]
    pub fn rate(&self) -> f64 {
        let end = self.stopped.unwrap_or_else(Instant::now);
        self.sent as f64 / (end - self.started).as_secs_f64()
    }

    /// The number of responses of each process.
    pub fn by_pid(&self) -> BTreeMap<i32, usize> {
        let mut pids = BTreeMap::new();
        for answer in &self.answers {
            *pids.entry(answer.pid).or_default() += 1;
        }
        pids
    }

    pub fn pids(&self) -> BTreeSet<i32> {
        self.answers.iter().map(|answer| answer.pid).collect()
    }

    /// The latency of the slowest of the fastest `percent`.
    pub fn latency(&self, percent: usize) -> Duration {
        let mut all: Vec<_> = self.answers.iter().map(|one| one.at - one.asked).collect();
        all.sort_unstable();
        let at = (all.len() * percent / 100).min(all.len().saturating_sub(1));
        all.get(at).copied().unwrap_or_default()
    }

    fn lines(&self, failures: &[&Failure]) -> String {
        let shown = failures.iter().take(40).map(|one| {
            format!(
                "  {:?} at {:.3} s, request {} of {:.3} s, connection from {} ({}, {}), {} bytes seen{}{}\n",
                one.kind,
                (one.at - self.started).as_secs_f64(),
                one.request,
                (one.asked - self.started).as_secs_f64(),
                one.port,
                if one.established { "established" } else { "not established" },
                if one.reused == 0 { "new".into() } else { format!("reused {} times", one.reused) },
                one.bytes,
                if one.detail.is_empty() { "" } else { ": " },
                one.detail,
            )
        });
        shown.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds = BTreeMap::<Kind, usize>::new();
        for failure in &self.failures {
            *kinds.entry(failure.kind).or_default() += 1;
        }
        write!(
            out,
            "{} asked ({:.0}/s), {} answered, {} failed {kinds:?}; latency median {:?}, 99 % {:?}, \
             longest {:?}; answers by process {:?}",
            self.sent,
            self.rate(),
            self.answers.len(),
            self.failures.len(),
            self.latency(50),
            self.latency(99),
            self.latency(100),
            self.by_pid(),
        )
    }
}
