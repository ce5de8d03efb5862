//! The event sources: which descriptors the loop waits for, and whose they are.
//!
//! A source registers when it comes, says what it waits for when that changes, and leaves when its
//! [`Registration`] is dropped. That must be before its descriptor is closed, as another file may get
//! the number: [`Registered`] sees to it.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use super::clients::ClientId;
use super::ports::PortId;
use crate::supervisor::{Member, WorkerId};
use crate::sys::poll::{Interest, PollSet};

/// An event source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Signals,
    /// A process that is not pidone's child has exited.
    Foreign,
    /// `--ready notify`
    Notify,
    Worker(WorkerId),
    /// `--ready port`
    Probe(WorkerId),
    /// A port that is being closed to new connections.
    Closing(PortId),
    /// An orphaned queue.
    Queue(PortId, Member),
    /// A queue of a worker that serves.
    Relieved,
    /// The container's limits.
    Limits,
    /// `--http`
    Http,
    /// `--control`
    Control,
    Client(ClientId),
}

/// All registered sources. Its clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(Rc<RefCell<SourceTable>>);

/// No borrow lasts longer than the method that begins it, and none calls anything that borrows.
#[derive(Debug, Default)]
struct SourceTable {
    set: PollSet,
    /// The source at each place of the set.
    places: Vec<Option<Source>>,
    /// Where to look for the next ready one.
    next: usize,
}

/// A registered source.
#[derive(Debug)]
pub(super) struct Registration {
    sources: Sources,
    place: usize,
}

impl Sources {
    /// Adds a source.
    pub(super) fn register(
        &self,
        source: Source,
        fd: BorrowedFd<'_>,
        interest: Interest,
    ) -> Registration {
        let mut table = self.0.borrow_mut();
        let vacant = table.places.iter().position(Option::is_none);
        let place = vacant.unwrap_or(table.places.len());
        match table.places.get_mut(place) {
            Some(vacant) => *vacant = Some(source),
            None => table.places.push(Some(source)),
        }
        table.set.set(place, fd, interest);
        Registration {
            sources: self.clone(),
            place,
        }
    }

    /// Sleeps until a source is ready, or the time has passed; `None`: no time limit. Returns
    /// whether one is. `small`: with as little memory as possible.
    pub(super) fn wait(&self, limit: Option<Duration>, small: bool) -> io::Result<bool> {
        let mut table = self.0.borrow_mut();
        table.next = 0;
        if small {
            table.set.wait_small(limit)
        } else {
            table.set.wait(limit)
        }
    }

    /// The next source that the last wait found ready, each once, and none that has left since.
    pub(super) fn next_ready(&self) -> Option<Source> {
        let mut table = self.0.borrow_mut();
        let from = table.next;
        let place = table.set.take_ready(from)?;
        table.next = place + 1;
        *table.places.get(place)?
    }
}

impl Registration {
    /// What the source waits for from now on.
    pub(super) fn wait_for(&self, interest: Interest) {
        self.sources.0.borrow_mut().set.change(self.place, interest);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut table = self.sources.0.borrow_mut();
        table.set.clear(self.place);
        if let Some(place) = table.places.get_mut(self.place) {
            *place = None;
        }
    }
}

/// A descriptor that is an event source as long as it is open.
#[derive(Debug)]
pub(super) struct Registered<T> {
    // The first field is dropped first.
    registration: Registration,
    io: T,
}

impl<T: AsFd> Registered<T> {
    pub(super) fn new(sources: &Sources, source: Source, io: T, interest: Interest) -> Self {
        Self {
            registration: sources.register(source, io.as_fd(), interest),
            io,
        }
    }

    /// See [`Registration::wait_for`].
    pub(super) fn wait_for(&self, interest: Interest) {
        self.registration.wait_for(interest);
    }
}

impl<T> Deref for Registered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.io
    }
}

impl<T> DerefMut for Registered<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.io
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn client(id: u64) -> Source {
        Source::Client(ClientId(id))
    }

    /// A connection with something to read.
    fn readable() -> (UnixStream, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        (ours, theirs)
    }

    fn ready(sources: &Sources) -> Vec<Source> {
        sources.wait(AT_ONCE, false).unwrap();
        std::iter::from_fn(|| sources.next_ready()).collect()
    }

    #[test]
    fn a_source_is_ready_as_long_as_it_is_registered() {
        let sources = Sources::default();
        let (silent, _theirs) = UnixStream::pair().unwrap();
        let (talks, _theirs) = readable();
        let _silent = sources.register(client(1), silent.as_fd(), Interest::Read);
        let registration = sources.register(client(2), talks.as_fd(), Interest::Read);
        for _ in 0..2 {
            assert_eq!(ready(&sources), [client(2)]);
        }
        drop(registration);
        assert_eq!(ready(&sources), []);
    }

    #[test]
    fn a_reused_descriptor_belongs_to_its_new_source_only() {
        let sources = Sources::default();
        let is_reused = || {
            let (old, _theirs) = readable();
            let number = old.as_raw_fd();
            let old = Registered::new(&sources, client(1), old, Interest::Read);
            assert_eq!(ready(&sources), [client(1)]);
            drop(old);
            let (new, _theirs) = readable();
            let is_reused = new.as_raw_fd() == number;
            assert_eq!(ready(&sources), [], "the number alone is no source");
            let new = Registered::new(&sources, client(2), new, Interest::Read);
            assert_eq!(ready(&sources), [client(2)]);
            new.wait_for(Interest::None);
            assert_eq!(ready(&sources), []);
            is_reused
        };
        // Another test may take the number.
        assert!((0..1000).any(|_| is_reused()));
    }

    #[test]
    fn a_source_that_leaves_during_a_round_is_not_reported() {
        let sources = Sources::default();
        let connections: Vec<_> = (0..4).map(|_| readable()).collect();
        let register = |id: usize, at: usize| {
            let fd = connections[at].0.as_fd();
            sources.register(client(id as u64), fd, Interest::Read)
        };
        let mut registered: Vec<_> = (0..4).map(|id| Some(register(id, id))).collect();
        sources.wait(AT_ONCE, false).unwrap();
        assert_eq!(sources.next_ready(), Some(client(0)));
        registered[1] = None;
        registered[2] = None;
        // Takes a place that was ready.
        registered[1] = Some(register(9, 1));
        assert_eq!(sources.next_ready(), Some(client(3)));
        assert_eq!(sources.next_ready(), None);
        assert_eq!(ready(&sources), [0, 9, 3].map(client));
    }

    #[test]
    fn a_source_waits_for_what_it_said_last() {
        let sources = Sources::default();
        let (mut ours, theirs) = readable();
        let registration = sources.register(client(1), ours.as_fd(), Interest::HangUp);
        assert_eq!(ready(&sources), []);
        for (interest, is_ready) in [
            (Interest::None, false),
            (Interest::None, false),
            (Interest::Write, true),
            (Interest::None, false),
            (Interest::Both, true),
        ] {
            registration.wait_for(interest);
            assert_eq!(!ready(&sources).is_empty(), is_ready, "{interest:?}");
        }
        registration.wait_for(Interest::Read);
        assert_eq!(ready(&sources), [client(1)]);
        ours.read_exact(&mut [0]).unwrap();
        assert_eq!(ready(&sources), []);
        registration.wait_for(Interest::HangUp);
        drop(theirs);
        assert_eq!(ready(&sources), [client(1)]);
        registration.wait_for(Interest::None);
        assert_eq!(ready(&sources), [], "not even a hang-up");
    }

    #[test]
    fn places_are_used_again() {
        let sources = Sources::default();
        let (connection, _theirs) = readable();
        for id in 0..100 {
            let registration = sources.register(client(id), connection.as_fd(), Interest::Read);
            assert_eq!(registration.place, 0);
        }
    }
}
