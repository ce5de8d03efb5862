//! The channel to one worker, with its outbox.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::sources::Registered;
use crate::app_metrics::Question;
use crate::channel::cluster::{FromWorker, Key};
use crate::channel::frame::{Line, Splitter};
use crate::channel::outbox::{Outbox, Outcome};
use crate::supervisor::Moment;
use crate::sys::channel::{Channel, Read, Sent};
use crate::sys::poll::Interest;

/// How many bytes are read from one worker in one turn. The rest waits in the kernel's buffer, and then
/// in the worker.
const TURN: usize = 16 * 1024;

/// How long a worker's channel pauses after a full turn. A flood of messages then costs pidone and the
/// other workers almost nothing, and still passes at 8 MB/s.
const PAUSE: Duration = Duration::from_millis(2);

/// To how many workers a full turn is passed on in [`PAUSE`].
const RELAYED_IN_PAUSE: usize = 8;

/// How long a ping must be unanswered to count as a delay: otherwise an event loop that hangs would
/// look fast right after the ping.
const MIN_UNANSWERED: Duration = Duration::from_secs(1);

/// A descriptor for a worker.
#[derive(Debug)]
pub(super) enum Parcel {
    /// The listening socket for its query.
    Listener(OwnedFd),
    /// A connection that pidone has accepted for it.
    Connection(OwnedFd),
}

impl AsFd for Parcel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Listener(fd) | Self::Connection(fd) => fd.as_fd(),
        }
    }
}

/// A message from a worker, and what it means for the outbox.
pub(super) struct Incoming {
    pub(super) message: FromWorker,
    pub(super) outcome: Outcome<Parcel>,
}

pub(super) struct Link {
    channel: Registered<Channel>,
    splitter: Splitter,
    pub(super) outbox: Outbox<Parcel>,
    /// When the unanswered ping was sent.
    ping_sent: Option<Instant>,
    /// How long the last answer took, and when it came.
    delay: Option<(Duration, Instant)>,
    /// The worker does not read fast enough, or not at all.
    is_full: bool,
    is_closed: bool,
    /// Its last turn was full, so it may have sent more.
    paused_until: Option<Moment>,
    /// `--app-metrics`
    pub(super) question: Question,
    /// The answer, if it has come.
    pub(super) answer: Option<Vec<u8>>,
}

impl Link {
    /// `relays_all`: `--relay`.
    pub(super) fn new(channel: Registered<Channel>, relays_all: bool) -> Self {
        Self {
            channel,
            splitter: if relays_all {
                Splitter::keeping_all()
            } else {
                Splitter::new()
            },
            outbox: Outbox::new(),
            ping_sent: None,
            delay: None,
            is_full: false,
            is_closed: false,
            paused_until: None,
            question: Question::default(),
            answer: None,
        }
    }

    /// Asks for the app's own metrics, unless that is useless.
    pub(super) fn ask_app_metrics(&mut self, request: u64, now: Moment) {
        if !self.is_closed && self.question.ask(request, now) {
            self.outbox.ask_app_metrics(request);
        }
    }

    /// Waits for reading, and for writing if the channel was full; if it is paused, for neither:
    /// returns until when.
    pub(super) fn watch(&self, now: Moment) -> Option<Moment> {
        let paused_until = self.paused_until.filter(|until| now < *until);
        self.channel.wait_for(match paused_until {
            _ if self.is_closed => Interest::None,
            Some(_) => Interest::None,
            None if self.is_full => Interest::Both,
            None => Interest::Read,
        });
        paused_until.filter(|_| !self.is_closed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Reads one turn, and passes each message with its line to `hear`; `None`: there is nothing to read.
    pub(super) fn read(
        &mut self,
        now: Moment,
        hear: &mut dyn FnMut(&FromWorker, Line<'_>),
    ) -> Option<Vec<Incoming>> {
        let mut buffer = [0; TURN];
        let bytes = match self.channel.read(&mut buffer) {
            Read::Bytes(bytes) => bytes,
            Read::Empty => return None,
            Read::Closed => {
                self.is_closed = true;
                return None;
            }
        };
        self.paused_until = (bytes == TURN).then(|| now + PAUSE);
        let mut received = Vec::new();
        let mut input = buffer.get(..bytes).unwrap_or_default();
        while let Some(line) = self.splitter.next(&mut input) {
            if let Line::Whole(text) | Line::Beginning(text) = line
                && self.question.is_answered(text)
            {
                self.answer = Some(text.to_vec());
                continue;
            }
            let message = FromWorker::parse(line);
            hear(&message, line);
            let outcome = self.outbox.on_message(&message);
            if matches!(outcome, Outcome::PingAnswered)
                && let Some(ping_sent) = self.ping_sent.take()
            {
                self.delay = Some((ping_sent.elapsed(), Instant::now()));
            }
            if !is_app_message(&message, &outcome) {
                received.push(Incoming { message, outcome });
            }
        }
        Some(received)
    }

    /// The number of workers that its last turn had messages for: after a full turn, more workers make the pause longer.
    pub(super) fn pause_for(&mut self, workers: usize, now: Moment) {
        if self.paused_until.is_some() {
            let times = u32::try_from(workers / RELAYED_IN_PAUSE).unwrap_or(u32::MAX);
            self.paused_until = Some(now + PAUSE * times.saturating_add(1));
        }
    }

    /// Pings the event loop, unless a ping is unanswered or the worker disconnects.
    pub(super) fn ping(&mut self) {
        if self.outbox.ping() {
            self.ping_sent = Some(Instant::now());
        }
    }

    /// The delay of its event loop: that of the last answer, if it is at most `fresh` old; while a ping
    /// is unanswered, the time since then. `None`: unknown, also right after a ping.
    pub(super) fn loop_delay(&self, fresh: Duration) -> Option<Duration> {
        if let Some(ping_sent) = self.ping_sent {
            return Some(ping_sent.elapsed()).filter(|open| *open >= MIN_UNANSWERED);
        }
        let (delay, answered) = self.delay?;
        (answered.elapsed() <= fresh).then_some(delay)
    }

    /// See [`Outbox::disconnect`]: it cancels a ping.
    pub(super) fn disconnect(&mut self) -> Vec<(Key, Parcel)> {
        self.ping_sent = None;
        self.outbox.disconnect()
    }

    /// Writes what the channel has room for.
    pub(super) fn flush(&mut self) {
        self.is_full = false;
        while !self.is_closed
            && let Some(transmit) = self.outbox.poll_transmit()
        {
            let handle = transmit.handle.map(AsFd::as_fd);
            match self.channel.send(transmit.bytes, handle) {
                Sent::Bytes(bytes) => self.outbox.wrote(bytes),
                Sent::Full => {
                    self.is_full = true;
                    return;
                }
                // The end is found by reading, after the worker's last messages.
                Sent::Closed => return,
            }
        }
    }

    /// The worker has exited: returns the connections that it did not take.
    pub(super) fn into_untaken(self) -> impl Iterator<Item = (Key, OwnedFd)> {
        self.outbox
            .into_unfinished()
            .into_iter()
            .filter_map(connection)
    }
}

pub(super) fn connection((key, parcel): (Key, Parcel)) -> Option<(Key, OwnedFd)> {
    match parcel {
        Parcel::Connection(fd) => Some((key, fd)),
        Parcel::Listener(_) => None,
    }
}

/// Messages of the app to its primary are not for pidone.
fn is_app_message(message: &FromWorker, outcome: &Outcome<Parcel>) -> bool {
    matches!(message, FromWorker::UserMessage) && matches!(outcome, Outcome::Nothing)
}
