//! Clients of the admin endpoints: what each has asked so far, and what it is still to be told.
//!
//! Bounded in every direction and without a clock: who takes its time keeps its place until
//! somebody else needs it.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;

use crate::sys::admin::ClientConnection;
use crate::sys::channel::{Read, Sent};
use crate::sys::poll::{Interest, Watched};
use crate::table::Table;

/// The longest request, in bytes.
pub(super) const LONGEST: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientId(pub(super) u64);

/// Which way a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// `--http`
    Http,
    /// `--control`
    Control {
        /// It may do more than look.
        may_act: bool,
    },
}

impl Access {
    /// How many can have come this way. Only the workers' user comes by the last one (`-u`), which
    /// must keep out neither root nor the probes.
    fn places(self) -> usize {
        match self {
            Self::Http => 64,
            Self::Control { may_act: true } => 32,
            Self::Control { may_act: false } => 16,
        }
    }
}

/// What is left to do for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its request is not complete.
    Asking,
    /// What it has asked for takes its time.
    Waiting,
    /// It has not read its whole answer.
    Reading,
    /// It has, but may not have written all it has to say; that must be read, or else closing takes
    /// the answer from it ([`ClientConnection::end`]).
    Ending,
}

/// What a client has to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// Nothing new.
    Nothing,
    /// So much by now; it may not be all.
    Request {
        way: Access,
        bytes: &'a [u8],
        /// It will say nothing more.
        is_all: bool,
    },
}

#[derive(Debug)]
struct Client {
    connection: ClientConnection,
    way: Access,
    stage: Stage,
    input: Vec<u8>,
    output: Vec<u8>,
    /// It has said all it had to say.
    is_silent: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Table<ClientId, Client>,
    next: u64,
}

impl Clients {
    /// Lets one more in. Those who have come the same way have so many places, and one of them
    /// leaves if all are taken; nobody's places are taken by those who have come another way.
    pub(super) fn admit(&mut self, connection: ClientConnection, way: Access) -> ClientId {
        let same = self.all.values().filter(|client| client.way == way);
        if same.count() >= way.places() {
            self.drop_oldest(&[way]);
        }
        let id = ClientId(self.next);
        self.next += 1;
        self.all.insert(
            id,
            Client {
                connection,
                way,
                stage: Stage::Asking,
                input: Vec::new(),
                output: Vec::new(),
                is_silent: false,
            },
        );
        id
    }

    /// Drops one who has only come to look, for want of descriptors. Whether there was one.
    pub(super) fn drop_one(&mut self) -> bool {
        self.drop_oldest(&[Access::Control { may_act: false }, Access::Http])
    }

    /// Drops the oldest of those who have come one of these ways and have not asked anything, or
    /// else the oldest who does not wait for what is being done, or else the oldest.
    fn drop_oldest(&mut self, ways: &[Access]) -> bool {
        let oldest = |is_so: &dyn Fn(&Client) -> bool| {
            let mut all = self.all.iter();
            let is_meant = |client: &Client| ways.contains(&client.way) && is_so(client);
            all.find_map(|(id, client)| is_meant(client).then_some(id))
        };
        let victim = oldest(&|client| client.stage == Stage::Asking)
            .or_else(|| oldest(&|client| client.stage != Stage::Waiting))
            .or_else(|| oldest(&|_| true));
        victim.is_some_and(|id| self.all.remove(id).is_some())
    }

    /// What is to be waited for.
    pub(super) fn watched(&self) -> impl Iterator<Item = (ClientId, Watched<'_>)> {
        self.all.iter().map(|(id, client)| {
            let interest = match client.stage {
                _ if !client.output.is_empty() => Interest::Write,
                Stage::Asking | Stage::Ending => Interest::Read,
                Stage::Waiting | Stage::Reading => Interest::HangUp,
            };
            (id, (client.connection.as_fd(), interest))
        })
    }

    /// Goes on with a client that can be read from or written to, or is gone.
    pub(super) fn attend(&mut self, id: ClientId) -> Heard<'_> {
        let Some(client) = self.all.get_mut(id) else {
            return Heard::Nothing;
        };
        let stays = match client.stage {
            _ if !client.output.is_empty() => client.flush(),
            Stage::Asking => client.read(),
            Stage::Ending => {
                client.input.clear();
                client.read()
            }
            // Nothing is watched but its end.
            Stage::Waiting | Stage::Reading => false,
        };
        if !stays {
            self.all.remove(id);
            return Heard::Nothing;
        }
        match self.all.get(id) {
            Some(client) if client.stage == Stage::Asking => Heard::Request {
                way: client.way,
                bytes: &client.input,
                is_all: client.is_silent || client.input.len() >= LONGEST,
            },
            _ => Heard::Nothing,
        }
    }

    /// Whether it is still there.
    #[cfg(test)]
    fn has(&self, id: ClientId) -> bool {
        self.all.get(id).is_some()
    }

    /// What it has asked for is being done.
    pub(super) fn wait(&mut self, id: ClientId) {
        if let Some(client) = self.all.get_mut(id) {
            client.stage = Stage::Waiting;
        }
    }

    /// Tells a client something, and more may follow.
    pub(super) fn tell(&mut self, id: ClientId, bytes: &[u8]) {
        self.write(id, bytes, Stage::Waiting);
    }

    /// Tells a client the rest. `understood`: it has said all that it had to say.
    pub(super) fn answer(&mut self, id: ClientId, bytes: &[u8], understood: bool) {
        if let Some(client) = self.all.get_mut(id) {
            client.is_silent |= understood;
        }
        self.write(id, bytes, Stage::Reading);
    }

    fn write(&mut self, id: ClientId, bytes: &[u8], stage: Stage) {
        let Some(client) = self.all.get_mut(id) else {
            return;
        };
        client.stage = stage;
        client.input = Vec::new();
        client.output.extend_from_slice(bytes);
        if !client.flush() {
            self.all.remove(id);
        }
    }
}

impl Client {
    /// Whether it stays.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 2048];
        while self.input.len() < LONGEST {
            match self.connection.read(&mut buffer) {
                Read::Bytes(bytes) => {
                    let read = buffer.get(..bytes).unwrap_or_default();
                    self.input.extend_from_slice(read);
                }
                Read::Empty => return true,
                // It may still be waiting for the answer to what it has said before.
                Read::Closed => {
                    self.is_silent = true;
                    return self.stage == Stage::Asking && !self.input.is_empty();
                }
            }
        }
        true
    }

    /// Whether it stays.
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
            Stage::Reading if !self.is_silent => {
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

    fn come(clients: &mut Clients, way: Access) -> (ClientId, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (clients.admit(OwnedFd::from(ours).into(), way), theirs)
    }

    const CONTROL: Access = Access::Control { may_act: true };
    const LOOK: Access = Access::Control { may_act: false };

    #[test]
    fn a_request_may_come_in_pieces_and_is_answered_once() {
        let mut clients = Clients::default();
        let (id, mut them) = come(&mut clients, Access::Http);
        for (piece, whole) in [("GET", "GET"), (" /", "GET /")] {
            them.write_all(piece.as_bytes()).unwrap();
            let heard = Heard::Request {
                way: Access::Http,
                bytes: whole.as_bytes(),
                is_all: false,
            };
            assert_eq!(clients.attend(id), heard);
        }
        clients.answer(id, b"answer", true);
        assert!(!clients.has(id));
        let mut answer = String::new();
        them.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    #[test]
    fn who_says_too_much_still_reads_the_answer() {
        let mut clients = Clients::default();
        let (id, mut them) = come(&mut clients, Access::Http);
        them.write_all(&[b'x'; 3 * LONGEST]).unwrap();
        let Heard::Request { bytes, is_all, .. } = clients.attend(id) else {
            panic!("nothing heard");
        };
        assert!(is_all && bytes.len() < LONGEST + 2048);
        clients.answer(id, b"too long", false);
        let mut answer = String::new();
        them.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "too long");
        drop(them);
        while clients.has(id) {
            assert_eq!(clients.attend(id), Heard::Nothing);
        }
    }

    #[test]
    fn who_does_not_read_keeps_nobody_else_waiting() {
        let mut clients = Clients::default();
        let (id, mut them) = come(&mut clients, Access::Http);
        let answer = vec![b'x'; 1024 * 1024];
        clients.answer(id, &answer, true);
        assert!(
            clients
                .watched()
                .all(|(_, (_, interest))| interest == Interest::Write)
        );
        let mut read = Vec::new();
        let mut block = [0; 65_536];
        while let Ok(bytes @ 1..) = them.read(&mut block) {
            read.extend_from_slice(&block[..bytes]);
            assert_eq!(clients.attend(id), Heard::Nothing);
        }
        assert_eq!(read.len(), answer.len());
        assert!(!clients.has(id));
    }

    #[test]
    fn the_idle_make_room_for_their_own_kind_only() {
        for way in [Access::Http, CONTROL, LOOK] {
            let mut clients = Clients::default();
            let others = [Access::Http, CONTROL, LOOK].map(|way| come(&mut clients, way));
            let (busy, _keep) = come(&mut clients, way);
            clients.wait(busy);
            let (idle, mut them) = come(&mut clients, way);
            let mut more = Vec::new();
            for _ in 0..3 * way.places() {
                more.push(come(&mut clients, way));
            }
            let (last, _) = more.last().unwrap();
            assert!(clients.has(busy) && clients.has(*last));
            assert!(!clients.has(idle));
            assert_eq!(them.read(&mut [0; 9]).unwrap(), 0);
            let stay = others.iter().filter(|(id, _)| clients.has(*id)).count();
            assert_eq!(stay, 2, "of the other kinds");
        }
    }

    #[test]
    fn the_newest_gets_in_even_if_all_wait() {
        let mut clients = Clients::default();
        let waiting: Vec<_> = (0..CONTROL.places())
            .map(|_| {
                let client = come(&mut clients, CONTROL);
                clients.wait(client.0);
                client
            })
            .collect();
        let (newest, _keep) = come(&mut clients, CONTROL);
        assert!(clients.has(newest) && !clients.has(waiting[0].0));
        assert!(
            !clients.drop_one(),
            "who acts stays for want of descriptors"
        );
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut clients = Clients::default();
        let (silent, them) = come(&mut clients, Access::Http);
        drop(them);
        assert_eq!(clients.attend(silent), Heard::Nothing);
        let (waiting, them) = come(&mut clients, CONTROL);
        clients.wait(waiting);
        drop(them);
        assert_eq!(clients.attend(waiting), Heard::Nothing);
        assert!(clients.all.is_empty());
    }
}
