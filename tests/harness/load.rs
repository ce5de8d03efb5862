//! A load of HTTP requests at a constant rate, independent of the responses as long as there are not
//! too many at a time, and a check of each response.
//!
//! Each request has a name, and the apps below `apps` respond with their process id and that
//! name, so that no response can be taken for another. No request is retried: a request that a
//! tolerant client would repeat is a failure here.

mod connection;
mod engine;
mod report;

pub use report::{Answer, Failure, Kind, Report};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::net::raise_descriptor_limit;
use super::patience;

/// What to send.
#[derive(Debug, Clone)]
#[must_use]
pub struct Plan {
    target: SocketAddr,
    sources: Vec<IpAddr>,
    interval: Duration,
    /// How many idle connections are kept; `None`: a connection for each request.
    idle: Option<usize>,
    slow: Option<Duration>,
    timeout: Duration,
}

impl Plan {
    /// 1,000 requests a second, each on a connection of its own.
    pub fn of(port: u16) -> Self {
        Self::to((Ipv4Addr::LOCALHOST, port).into())
    }

    pub fn to(target: SocketAddr) -> Self {
        Self {
            target,
            sources: Vec::new(),
            interval: Duration::from_millis(1),
            idle: None,
            slow: None,
            timeout: patience(),
        }
    }

    /// This many requests per second.
    pub fn rate(mut self, rate: u32) -> Self {
        self.interval = Duration::from_secs(1) / rate;
        self
    }

    /// Connections are reused, the one that has been idle longest first, unless the last response
    /// had `Connection: close`. At most this many are kept; a request that finds none opens one.
    pub fn keep_alive(mut self, idle: usize) -> Self {
        self.idle = Some(idle);
        self
    }

    /// Responses that take this long.
    pub fn slow(mut self, time: Duration) -> Self {
        self.slow = Some(time);
        self
    }

    /// A request without a response within this time has failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The addresses of the clients, in turn.
    pub fn from(mut self, sources: impl IntoIterator<Item = IpAddr>) -> Self {
        self.sources = sources.into_iter().collect();
        self
    }

    /// Starts to send requests.
    pub fn start(self) -> Load {
        raise_descriptor_limit();
        let shared = Arc::new(Shared {
            report: Mutex::new(Report::new()),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("load".into());
        let thread = thread.spawn(move || engine::run(self, &own)).unwrap();
        Load {
            shared,
            thread: Some(thread),
        }
    }
}

struct Shared {
    report: Mutex<Report>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn answered(&self, answer: Answer) {
        self.report().answers.push(answer);
        self.changed.notify_all();
    }

    fn failed(&self, failure: Failure) {
        self.report().failures.push(failure);
        self.changed.notify_all();
    }
}

/// A running load.
pub struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Waits for this many more responses.
    #[track_caller]
    pub fn until_answered(&self, more: usize) {
        self.until(&format!("{more} more answers"), |answers| {
            (answers.len() >= more).then_some(())
        });
    }

    /// Waits for responses of this many different processes.
    #[track_caller]
    pub fn until_answered_by(&self, processes: usize) {
        self.until(&format!("answers of {processes} processes"), |answers| {
            let mut pids: Vec<_> = answers.iter().map(|answer| answer.pid).collect();
            pids.sort_unstable();
            pids.dedup();
            (pids.len() >= processes).then_some(())
        });
    }

    /// Waits until `find` returns a value for the responses since this call.
    #[track_caller]
    pub fn until<T>(&self, what: &str, find: impl Fn(&[Answer]) -> Option<T>) -> T {
        let mut report = self.shared.report();
        let mark = report.answers.len();
        let deadline = Instant::now() + patience();
        loop {
            if let Some(found) = find(&report.answers[mark..]) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen = report.clone();
                drop(report);
                panic!("timed out waiting for {what}\n{seen}\n{:?}", seen.failures);
            }
            report = self.shared.changed.wait_timeout(report, left).unwrap().0;
        }
    }

    /// The next responses, this many.
    #[track_caller]
    pub fn next(&self, count: usize) -> Vec<Answer> {
        self.until(&format!("{count} more answers"), |answers| {
            answers.get(..count).map(<[Answer]>::to_vec)
        })
    }

    /// The results so far.
    pub fn report(&self) -> Report {
        self.shared.report().clone()
    }

    /// Sends no more requests, waits for the outstanding responses, and returns the results.
    #[track_caller]
    pub fn stop(mut self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().unwrap();
        assert!(thread.join().is_ok(), "the client itself has failed");
        let report = self.report();
        eprintln!("load: {report}");
        report
    }
}

impl Drop for Load {
    /// A failed test does not wait; the thread ends by itself.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("load: {}", self.report());
        }
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
