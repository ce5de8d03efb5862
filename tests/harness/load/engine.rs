//! The client's only thread: epoll(7), non-blocking sockets, and a schedule.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

use super::super::http::{Progress, Response, request};
use super::connection::{Connection, Flight};
use super::{Answer, Failure, Kind, Plan, Shared};

type Token = u64;

struct Engine<'a> {
    plan: Plan,
    shared: &'a Shared,
    epoll: Epoll,
    connections: HashMap<Token, Connection>,
    /// The one that has been idle longest first.
    idle: VecDeque<Token>,
    /// In the order of their deadlines, for all have the same timeout.
    deadlines: VecDeque<(Instant, Token, u64)>,
    next_token: Token,
    next_number: u64,
    in_flight: usize,
    block: Vec<u8>,
}

/// The most requests at a time: a slow machine gets fewer requests, and none that its accept queue
/// has no room for (511 connections in Node.js), which the kernel resets.
const MOST: usize = 400;

/// Sends requests until it is told to stop, then waits for the responses.
pub(super) fn run(plan: Plan, shared: &Shared) {
    let mut engine = Engine {
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap(),
        plan,
        shared,
        connections: HashMap::new(),
        idle: VecDeque::new(),
        deadlines: VecDeque::new(),
        next_token: 0,
        next_number: 0,
        in_flight: 0,
        block: vec![0; 65_536],
    };
    let mut due = Instant::now();
    loop {
        let stopping = shared.stop.load(Ordering::Relaxed);
        if stopping {
            let mut report = shared.report();
            report.stopped.get_or_insert_with(Instant::now);
            drop(report);
            if engine.in_flight == 0 {
                return;
            }
        }
        let next = if stopping {
            Instant::now() + Duration::from_millis(50)
        } else {
            due
        };
        // Events that have arrived meanwhile are handled before the next request is sent, as in any
        // event loop: a connection that is known to be closed is not used.
        engine.wait(next);
        engine.expire();
        if !stopping {
            let now = Instant::now();
            while due <= now {
                if engine.in_flight == MOST {
                    due = now;
                } else {
                    engine.ask(due);
                }
                due += engine.plan.interval;
            }
        }
    }
}

impl Engine<'_> {
    /// Handles events until then.
    fn wait(&mut self, until: Instant) {
        let mut events = [EpollEvent::empty(); 256];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let limit = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
            let count = match self.epoll.wait(&mut events, EpollTimeout::from(limit)) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(error) => panic!("epoll_wait: {error}"),
            };
            for event in &events[..count] {
                self.go_on(event.data());
            }
            if count < events.len() {
                return;
            }
        }
    }

    /// Fails the requests that have timed out.
    fn expire(&mut self) {
        let now = Instant::now();
        while let Some((at, token, number)) = self.deadlines.front().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop_front();
            let flight = self.connections.get(&token).map(|one| &one.flight);
            if flight.is_some_and(|flight| flight.as_ref().is_some_and(|one| one.number == number))
            {
                self.fail(token, Kind::TimedOut, String::new());
            }
        }
    }

    fn ask(&mut self, due: Instant) {
        let number = self.next_number;
        self.next_number += 1;
        self.in_flight += 1;
        self.shared.report().sent += 1;
        let name = format!("n={}.{number}", std::process::id());
        let path = match self.plan.slow {
            Some(time) => format!("/slow?ms={}&{name}", time.as_millis()),
            None => format!("/?{name}"),
        };
        let flight = Flight {
            number,
            asked: due,
            out: request(&path, self.plan.idle.is_some()).into_bytes(),
            path,
            sent: 0,
            response: Response::default(),
        };
        let idle = self.idle.pop_front();
        let token = idle.unwrap_or_else(|| self.open(number));
        let connection = self.connections.get_mut(&token).unwrap();
        connection.flight = Some(flight);
        let deadline = Instant::now() + self.plan.timeout;
        self.deadlines.push_back((deadline, token, number));
        if let Some(error) = connection.stillborn {
            self.broken(token, &error.into());
        } else if connection.established {
            self.go_on(token);
        }
    }

    fn open(&mut self, number: u64) -> Token {
        let target = self.plan.target;
        let family = match target {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(family, SockType::Stream, flags, None).unwrap();
        if let Some(source) = source(&self.plan.sources, number) {
            bind(
                fd.as_raw_fd(),
                &SockaddrStorage::from(SocketAddr::new(source, 0)),
            )
            .unwrap();
        }
        let begun = connect(fd.as_raw_fd(), &SockaddrStorage::from(target));
        let stream = TcpStream::from(fd);
        let from = stream.local_addr().unwrap();
        let token = self.next_token;
        self.next_token += 1;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
        self.epoll
            .add(&stream, EpollEvent::new(flags, token))
            .unwrap();
        let connection = Connection {
            stream,
            from,
            established: false,
            answered: 0,
            flight: None,
            watches_room: true,
            stillborn: begun.err().filter(|error| *error != Errno::EINPROGRESS),
        };
        self.connections.insert(token, connection);
        token
    }

    /// Makes all possible progress on a connection.
    fn go_on(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        if !connection.established {
            match connection.stream.take_error() {
                Ok(None) => connection.established = true,
                Ok(Some(error)) | Err(error) => return self.broken(token, &error),
            }
        }
        if let Err(error) = connection.send() {
            return self.broken(token, &error);
        }
        let wants_room = connection.unsent();
        if wants_room != connection.watches_room {
            connection.watches_room = wants_room;
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, wants_room);
            let mut event = EpollEvent::new(flags, token);
            self.epoll.modify(&connection.stream, &mut event).unwrap();
        }
        self.read(token);
    }

    fn read(&mut self, token: Token) {
        while let Some(connection) = self.connections.get_mut(&token) {
            match connection.stream.read(&mut self.block) {
                Ok(0) => return self.closed(token),
                Ok(read) => {
                    let Some(flight) = &mut connection.flight else {
                        let words = String::from_utf8_lossy(&self.block[..read]).into_owned();
                        return self.unasked(token, words);
                    };
                    match flight.response.feed(&self.block[..read]) {
                        Ok(Progress::Incomplete) => {}
                        Ok(Progress::Complete) => self.answered(token),
                        Ok(Progress::TooMuch) => {
                            self.answered(token);
                            return self.unasked(token, "after the response".into());
                        }
                        Err(words) => return self.fail(token, Kind::Malformed, words),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.broken(token, &error),
            }
        }
    }

    /// A response is complete. Checks that it is the right one.
    fn answered(&mut self, token: Token) {
        let connection = self.connections.get_mut(&token).unwrap();
        let response = &connection.flight.as_ref().unwrap().response;
        let (status, closing) = (response.status(), response.closing());
        if status != 200 {
            let body = response.body().to_owned();
            return self.fail(token, Kind::Status(status), body);
        }
        let path = &connection.flight.as_ref().unwrap().path;
        let pid = response
            .body()
            .split_once(' ')
            .filter(|(_, name)| name == path)
            .and_then(|(pid, _)| pid.parse().ok());
        let Some(pid) = pid else {
            let words = format!("{:?} to {path:?}", response.body());
            return self.fail(token, Kind::Wrong, words);
        };
        let flight = connection.flight.take().unwrap();
        self.shared.answered(Answer {
            asked: flight.asked,
            at: Instant::now(),
            pid,
            from: connection.from,
            reused: connection.answered,
            closing,
        });
        connection.answered += 1;
        self.in_flight -= 1;
        // One that must be closed stays until the server closes it: more bytes could still arrive.
        if let Some(most) = self.plan.idle.filter(|_| !closing) {
            if self.idle.len() < most {
                self.idle.push_back(token);
            } else {
                self.remove(token);
            }
        }
    }

    /// The other end has closed it.
    fn closed(&mut self, token: Token) {
        let flight = self
            .connections
            .get(&token)
            .and_then(|one| one.flight.as_ref());
        match flight.map(|flight| flight.response.len()) {
            None => drop(self.remove(token)),
            Some(0) => self.fail(token, Kind::Closed, String::new()),
            Some(_) => self.fail(token, Kind::Short, String::new()),
        }
    }

    /// The socket has an error.
    fn broken(&mut self, token: Token, error: &std::io::Error) {
        if self
            .connections
            .get(&token)
            .is_none_or(|one| one.flight.is_none())
        {
            return drop(self.remove(token));
        }
        let kind = match error.kind() {
            ErrorKind::ConnectionRefused => Kind::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Kind::Reset,
            _ => Kind::Other(error.raw_os_error().unwrap_or_default()),
        };
        self.fail(token, kind, error.to_string());
    }

    /// Bytes have arrived that belong to no response.
    fn unasked(&mut self, token: Token, detail: String) {
        let Some(connection) = self.remove(token) else {
            return;
        };
        let now = Instant::now();
        self.shared.failed(Failure {
            kind: Kind::TooMuch,
            request: self.next_number,
            asked: now,
            at: now,
            port: connection.from.port(),
            established: true,
            reused: connection.answered,
            bytes: 0,
            detail,
        });
    }

    fn fail(&mut self, token: Token, kind: Kind, detail: String) {
        let connection = self.remove(token).unwrap();
        let flight = connection.flight.unwrap();
        self.in_flight -= 1;
        self.shared.failed(Failure {
            kind,
            request: flight.number,
            asked: flight.asked,
            at: Instant::now(),
            port: connection.from.port(),
            established: connection.established,
            reused: connection.answered,
            bytes: flight.response.len(),
            detail,
        });
    }

    fn remove(&mut self, token: Token) -> Option<Connection> {
        self.idle.retain(|idle| *idle != token);
        self.connections.remove(&token)
    }
}

fn source(sources: &[IpAddr], number: u64) -> Option<IpAddr> {
    let count = u64::try_from(sources.len()).unwrap();
    let turn = number.checked_rem(count)?;
    sources.get(usize::try_from(turn).unwrap()).copied()
}
