//! The channel to one worker: what it says, and what it is told, as far as there is room.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::protocol::cluster::{FromWorker, Key};
use crate::protocol::frame::Splitter;
use crate::protocol::outbox::{Outbox, Outcome};
use crate::supervisor::Moment;
use crate::sys::channel::{Channel, Read, Sent};
use crate::sys::poll::{Interest, Watched};

/// What is read from one worker before the others have their turn, in bytes. What it has more to
/// say waits in the kernel, and then in the worker.
const TURN: usize = 16 * 1024;

/// How long one is left alone that had more to say than that: what it floods pidone with costs the
/// others, and pidone, next to nothing, and still goes through at 8 MB a second.
const REST: Duration = Duration::from_millis(2);

/// How long a question must have been open to say something about an event loop: one that hangs
/// must not look as if it were fast because it was asked a moment ago.
const LONG_OPEN: Duration = Duration::from_secs(1);

/// A descriptor on its way to a worker.
#[derive(Debug)]
pub(super) enum Parcel {
    /// The listening socket it has asked for.
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

/// Something that a worker has said, and what it means for what it had been sent.
pub(super) struct Heard {
    pub(super) message: FromWorker,
    pub(super) outcome: Outcome<Parcel>,
}

/// See the [module](self).
pub(super) struct Link {
    channel: Channel,
    splitter: Splitter,
    pub(super) outbox: Outbox<Parcel>,
    /// When its event loop was asked for a sign of life that has not come.
    asked: Option<Instant>,
    /// How long the last one took, and when it came.
    delay: Option<(Duration, Instant)>,
    /// The worker does not read fast enough, or at all.
    is_full: bool,
    is_closed: bool,
    /// It has had its turn, and more to say.
    rests_until: Option<Moment>,
}

impl Link {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            splitter: Splitter::new(),
            outbox: Outbox::new(),
            asked: None,
            delay: None,
            is_full: false,
            is_closed: false,
            rests_until: None,
        }
    }

    /// What it is to be woken for: something to read, and room to write where that is wanted.
    pub(super) fn interest(&self, now: Moment) -> Option<Watched<'_>> {
        let is_resting = self.rests_until.is_some_and(|until| now < until);
        let interest = if self.is_full {
            Interest::Both
        } else {
            Interest::Read
        };
        (!self.is_closed && !is_resting).then(|| (self.channel.as_fd(), interest))
    }

    /// When it is to be listened to again, if it is left alone.
    pub(super) fn rests_until(&self) -> Option<Moment> {
        self.rests_until
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Reads one turn's worth of lines; `None`: there is nothing to read.
    pub(super) fn hear(&mut self, now: Moment) -> Option<Vec<Heard>> {
        let mut buffer = [0; TURN];
        let bytes = match self.channel.read(&mut buffer) {
            Read::Bytes(bytes) => bytes,
            Read::Empty => return None,
            Read::Closed => {
                self.is_closed = true;
                return None;
            }
        };
        self.rests_until = (bytes == TURN).then(|| now + REST);
        let mut heard = Vec::new();
        let mut input = buffer.get(..bytes).unwrap_or_default();
        while let Some(line) = self.splitter.next(&mut input) {
            let message = FromWorker::parse(line);
            let outcome = self.outbox.on_message(&message);
            if matches!(outcome, Outcome::PingAnswered)
                && let Some(asked) = self.asked.take()
            {
                self.delay = Some((asked.elapsed(), Instant::now()));
            }
            if !is_idle_talk(&message, &outcome) {
                heard.push(Heard { message, outcome });
            }
        }
        Some(heard)
    }

    /// Asks its event loop for a sign of life, unless that is being done or makes no sense any more.
    pub(super) fn ping(&mut self) {
        if self.outbox.ping() {
            self.asked = Some(Instant::now());
        }
    }

    /// How long its event loop makes others wait: as long as the last answer took, if it is no
    /// older than `fresh`; while a question is open, as long as that has been. `None`: not known,
    /// which a question that has only just been asked is too.
    pub(super) fn loop_delay(&self, fresh: Duration) -> Option<Duration> {
        if let Some(asked) = self.asked {
            return Some(asked.elapsed()).filter(|open| *open >= LONG_OPEN);
        }
        let (delay, answered) = self.delay?;
        (answered.elapsed() <= fresh).then_some(delay)
    }

    /// See [`Outbox::disconnect`]: it takes back a ping.
    pub(super) fn disconnect(&mut self) -> Vec<(Key, Parcel)> {
        self.asked = None;
        self.outbox.disconnect()
    }

    /// Writes what may be written now.
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
                // The end is read too, after what the worker has said before.
                Sent::Closed => return,
            }
        }
    }

    /// The worker is gone: connections that it has not taken.
    pub(super) fn into_untaken(self) -> impl Iterator<Item = (Key, OwnedFd)> {
        self.outbox
            .into_unfinished()
            .into_iter()
            .filter_map(connection)
    }
}

/// The connection, if it is one.
pub(super) fn connection((key, parcel): (Key, Parcel)) -> Option<(Key, OwnedFd)> {
    match parcel {
        Parcel::Connection(fd) => Some((key, fd)),
        Parcel::Listener(_) => None,
    }
}

/// What an app says to its primary is of no concern here, however much it is.
fn is_idle_talk(message: &FromWorker, outcome: &Outcome<Parcel>) -> bool {
    matches!(message, FromWorker::UserMessage) && matches!(outcome, Outcome::Nothing)
}
