//! Clients of the admin endpoints: what each has sent so far, and what it has still to receive.
//!
//! Numbers and sizes are bounded, and there is no timeout: a slow client keeps its place until another
//! client needs it.

#![forbid(unsafe_code)]

use super::sources::{Registered, Source, Sources};
use crate::sys::admin::ClientConnection;
use crate::sys::channel::{Read, Sent};
use crate::sys::poll::Interest;
use crate::table::Table;

/// The longest request, in bytes.
pub(super) const LONGEST: usize = 8 * 1024;

/// The most bytes of answers that clients may leave unread, all together.
const UNREAD_MAX: usize = 32 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientId(pub(super) u64);

/// The endpoint of a client, and what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// `--http`
    Http,
    /// `--control`
    Control {
        /// It may do more than read the status.
        may_act: bool,
    },
}

impl Access {
    /// The most clients with this access. The last kind is only the workers' user (`-u`), which must
    /// keep out neither root nor the probes.
    fn places(self) -> usize {
        match self {
            Self::Http => 64,
            Self::Control { may_act: true } => 32,
            Self::Control { may_act: false } => 16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its request is not complete.
    Asking,
    /// Its request is being carried out.
    Waiting,
    /// It has not read its whole answer.
    Reading,
    /// It has the whole answer, but may still be sending. That must be read, or closing the socket
    /// would discard the answer ([`ClientConnection::end`]).
    Ending,
}

/// What a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// Nothing new.
    Nothing,
    /// The bytes so far; there may be more.
    Request {
        access: Access,
        bytes: &'a [u8],
        /// It will send nothing more.
        is_all: bool,
    },
}

#[derive(Debug)]
struct Client {
    connection: Registered<ClientConnection>,
    access: Access,
    stage: Stage,
    input: Vec<u8>,
    output: Vec<u8>,
    /// It will send nothing more that matters.
    has_finished: bool,
}

#[derive(Debug, Default)]
pub(super) struct Clients {
    sources: Sources,
    all: Table<ClientId, Client>,
    next: u64,
}

impl Clients {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            sources,
            ..Self::default()
        }
    }

    /// Adds a client. If all places for its access are taken, one client with the same access is
    /// dropped. Clients with another access keep their places.
    pub(super) fn admit(&mut self, connection: ClientConnection, access: Access) -> ClientId {
        let same = self.all.values().filter(|client| client.access == access);
        if same.count() >= access.places() {
            self.drop_oldest(&[access]);
        }
        let id = ClientId(self.next);
        self.next += 1;
        let source = Source::Client(id);
        let connection = Registered::new(&self.sources, source, connection, Interest::Read);
        self.all.insert(
            id,
            Client {
                connection,
                access,
                stage: Stage::Asking,
                input: Vec::new(),
                output: Vec::new(),
                has_finished: false,
            },
        );
        id
    }

    /// Drops a client that may only read, to free a descriptor. Returns whether there was one.
    pub(super) fn drop_reader(&mut self) -> bool {
        self.drop_oldest(&[Access::Control { may_act: false }, Access::Http])
    }

    /// Drops the oldest client with one of these kinds of access whose request is not complete, or else
    /// the oldest whose request is not being carried out, or else the oldest.
    fn drop_oldest(&mut self, accesses: &[Access]) -> bool {
        let oldest = |is_so: &dyn Fn(&Client) -> bool| {
            let mut all = self.all.iter();
            let is_meant = |client: &Client| accesses.contains(&client.access) && is_so(client);
            all.find_map(|(id, client)| is_meant(client).then_some(id))
        };
        let victim = oldest(&|client| client.stage == Stage::Asking)
            .or_else(|| oldest(&|client| client.stage != Stage::Waiting))
            .or_else(|| oldest(&|_| true));
        victim.is_some_and(|id| self.all.remove(id).is_some())
    }

    /// Continues with a client that can be read from or written to, or has closed its connection.
    pub(super) fn proceed(&mut self, id: ClientId) -> Input<'_> {
        let Some(client) = self.all.get_mut(id) else {
            return Input::Nothing;
        };
        let stays = match client.stage {
            _ if !client.output.is_empty() => client.flush(),
            Stage::Asking => client.read(),
            Stage::Ending => {
                client.input.clear();
                client.read()
            }
            // Only a hang-up is watched.
            Stage::Waiting | Stage::Reading => false,
        };
        if !stays {
            self.all.remove(id);
            return Input::Nothing;
        }
        client.watch();
        match self.all.get(id) {
            Some(client) if client.stage == Stage::Asking => Input::Request {
                access: client.access,
                bytes: &client.input,
                is_all: client.has_finished || client.input.len() >= LONGEST,
            },
            _ => Input::Nothing,
        }
    }

    pub(super) fn has(&self, id: ClientId) -> bool {
        self.all.get(id).is_some()
    }

    /// Its request is being carried out.
    pub(super) fn wait(&mut self, id: ClientId) {
        if let Some(client) = self.all.get_mut(id) {
            client.stage = Stage::Waiting;
            client.watch();
        }
    }

    /// Sends a part of the answer.
    pub(super) fn tell(&mut self, id: ClientId, bytes: &[u8]) {
        self.write(id, bytes, Stage::Waiting);
    }

    /// Sends the rest of the answer. `understood`: the request was read completely.
    pub(super) fn answer(&mut self, id: ClientId, bytes: &[u8], understood: bool) {
        if let Some(client) = self.all.get_mut(id) {
            client.has_finished |= understood;
        }
        self.write(id, bytes, Stage::Reading);
        while self.all.values().map(Client::unread).sum::<usize>() > UNREAD_MAX {
            let unread = self.all.iter().map(|(id, client)| (client.unread(), id));
            if let Some((_, most)) = unread.max() {
                self.all.remove(most);
            }
        }
    }

    fn write(&mut self, id: ClientId, bytes: &[u8], stage: Stage) {
        let Some(client) = self.all.get_mut(id) else {
            return;
        };
        client.stage = stage;
        client.input = Vec::new();
        client.output.extend_from_slice(bytes);
        if client.flush() {
            client.watch();
        } else {
            self.all.remove(id);
        }
    }
}

impl Client {
    fn unread(&self) -> usize {
        self.output.len()
    }

    /// Waits for what comes next.
    fn watch(&self) {
        self.connection.wait_for(match self.stage {
            _ if !self.output.is_empty() => Interest::Write,
            Stage::Asking | Stage::Ending => Interest::Read,
            Stage::Waiting | Stage::Reading => Interest::HangUp,
        });
    }

    /// Whether the client stays connected.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 2048];
        while self.input.len() < LONGEST {
            match self.connection.read(&mut buffer) {
                Read::Bytes(bytes) => {
                    let read = buffer.get(..bytes).unwrap_or_default();
                    self.input.extend_from_slice(read);
                }
                Read::Empty => return true,
                // It may still be waiting for the answer to its request.
                Read::Closed => {
                    self.has_finished = true;
                    return self.stage == Stage::Asking && !self.input.is_empty();
                }
            }
        }
        true
    }

    /// Whether the client stays connected.
    fn flush(&mut self) -> bool {
        let mut written = 0;
        while let Some(rest) = self.output.get(written..).filter(|rest| !rest.is_empty()) {
            match self.connection.write(rest) {
                Sent::Bytes(bytes) => written += bytes,
                Sent::Full => {
                    self.output.drain(..written);
                    return true;
                }
                Sent::Closed => return false,
            }
        }
        self.output = Vec::new();
        match self.stage {
            Stage::Reading if !self.has_finished => {
                self.connection.end();
                self.stage = Stage::Ending;
                true
            }
            Stage::Reading => false,
            Stage::Asking | Stage::Waiting | Stage::Ending => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn connect(clients: &mut Clients, access: Access) -> (ClientId, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (clients.admit(OwnedFd::from(ours).into(), access), theirs)
    }

    const CONTROL: Access = Access::Control { may_act: true };
    const READ_ONLY: Access = Access::Control { may_act: false };

    #[test]
    fn a_request_in_pieces_is_answered_once() {
        let mut clients = Clients::default();
        let (id, mut theirs) = connect(&mut clients, Access::Http);
        for (piece, whole) in [("GET", "GET"), (" /", "GET /")] {
            theirs.write_all(piece.as_bytes()).unwrap();
            let expected = Input::Request {
                access: Access::Http,
                bytes: whole.as_bytes(),
                is_all: false,
            };
            assert_eq!(clients.proceed(id), expected);
        }
        clients.answer(id, b"answer", true);
        assert!(!clients.has(id));
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    #[test]
    fn a_client_that_sends_too_much_still_gets_the_answer() {
        let mut clients = Clients::default();
        let (id, mut theirs) = connect(&mut clients, Access::Http);
        theirs.write_all(&[b'x'; 3 * LONGEST]).unwrap();
        let Input::Request { bytes, is_all, .. } = clients.proceed(id) else {
            panic!("no request");
        };
        assert!(is_all && bytes.len() < LONGEST + 2048);
        clients.answer(id, b"too long", false);
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "too long");
        drop(theirs);
        while clients.has(id) {
            assert_eq!(clients.proceed(id), Input::Nothing);
        }
    }

    #[test]
    fn a_client_that_does_not_read_blocks_no_other() {
        let mut clients = Clients::default();
        let (id, mut theirs) = connect(&mut clients, Access::Http);
        let answer = vec![b'x'; 1024 * 1024];
        clients.answer(id, &answer, true);
        let is_ready = clients.sources.wait(Some(Duration::ZERO), false);
        assert!(!is_ready.unwrap(), "it waits for room, and there is none");
        let mut read = Vec::new();
        let mut block = [0; 65_536];
        while let Ok(bytes @ 1..) = theirs.read(&mut block) {
            read.extend_from_slice(&block[..bytes]);
            assert_eq!(clients.proceed(id), Input::Nothing);
        }
        assert_eq!(read.len(), answer.len());
        assert!(!clients.has(id));
    }

    #[test]
    fn idle_clients_are_dropped_for_clients_with_the_same_access_only() {
        for access in [Access::Http, CONTROL, READ_ONLY] {
            let mut clients = Clients::default();
            let others =
                [Access::Http, CONTROL, READ_ONLY].map(|access| connect(&mut clients, access));
            let (busy, _keep) = connect(&mut clients, access);
            clients.wait(busy);
            let (idle, mut theirs) = connect(&mut clients, access);
            let mut more = Vec::new();
            for _ in 0..3 * access.places() {
                more.push(connect(&mut clients, access));
            }
            let (last, _) = more.last().unwrap();
            assert!(clients.has(busy) && clients.has(*last));
            assert!(!clients.has(idle));
            assert_eq!(theirs.read(&mut [0; 9]).unwrap(), 0);
            let stay = others.iter().filter(|(id, _)| clients.has(*id)).count();
            assert_eq!(stay, 2, "clients with other access");
        }
    }

    #[test]
    fn a_new_client_is_accepted_even_if_all_wait() {
        let mut clients = Clients::default();
        let waiting: Vec<_> = (0..CONTROL.places())
            .map(|_| {
                let client = connect(&mut clients, CONTROL);
                clients.wait(client.0);
                client
            })
            .collect();
        let (newest, _keep) = connect(&mut clients, CONTROL);
        assert!(clients.has(newest) && !clients.has(waiting[0].0));
        assert!(
            !clients.drop_reader(),
            "a client that may act is not dropped for a descriptor"
        );
    }

    #[test]
    fn a_client_that_disconnects_is_removed() {
        let mut clients = Clients::default();
        let (silent, theirs) = connect(&mut clients, Access::Http);
        drop(theirs);
        assert_eq!(clients.proceed(silent), Input::Nothing);
        let (waiting, theirs) = connect(&mut clients, CONTROL);
        clients.wait(waiting);
        drop(theirs);
        assert_eq!(clients.proceed(waiting), Input::Nothing);
        assert!(clients.all.is_empty());
    }
}
