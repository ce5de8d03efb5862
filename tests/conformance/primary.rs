//! A primary for one worker, as small as can be: a socket pair, and what the protocol says.

use std::collections::VecDeque;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};
use pidone::channel::cluster::FromWorker;
use pidone::channel::frame::Splitter;
use pidone::channel::outbox::{Outbox, Outcome};
use pidone::channel::query::Query;

use crate::harness::patience;
use crate::node::Node;

pub type Handle = Rc<OwnedFd>;

/// Something the worker has said.
#[derive(Debug)]
pub struct Said {
    pub line: String,
    pub message: FromWorker,
    pub outcome: Outcome<Handle>,
}

/// A worker, and the primary's side of its channel.
pub struct Worker {
    child: Child,
    output: std::process::ChildStderr,
    channel: Option<OwnedFd>,
    splitter: Splitter,
    pub outbox: Outbox<Handle>,
    said: VecDeque<Said>,
    log: Vec<String>,
    deadline: Instant,
    directory: PathBuf,
    is_mute: bool,
}

impl Worker {
    /// Starts a script as a cluster worker.
    pub fn start(node: &Node, script: &str) -> Self {
        Self::start_after(node, "", script)
    }

    /// The same, after something that the shell is to do first.
    pub fn start_after(node: &Node, before: &str, script: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pidone-conformance-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let app = directory.join("app.js");
        std::fs::write(&app, script).unwrap();

        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )
        .unwrap();
        // The shell moves the channel to where it belongs: nobody else can inherit it meanwhile.
        let shell = format!(r#"{before} exec "$@" 3<&0 0</dev/null"#);
        let mut child = Command::new("/bin/sh")
            .args(["-c", &shell, "sh"])
            .arg(&node.path)
            .arg(&app)
            .current_dir(&directory)
            .env("NODE_CHANNEL_FD", "3")
            .env("NODE_UNIQUE_ID", "1")
            .env("NODE_CHANNEL_SERIALIZATION_MODE", "json")
            .env_remove("NODE_OPTIONS")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            output: child.stderr.take().unwrap(),
            child,
            channel: Some(ours),
            splitter: Splitter::new(),
            outbox: Outbox::new(),
            said: VecDeque::new(),
            log: Vec::new(),
            deadline: Instant::now() + patience(),
            directory,
            is_mute: false,
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The working directory of the worker, for its sockets.
    pub fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// The next thing the worker says; `None` at the end of the channel.
    pub fn hear(&mut self) -> Option<Said> {
        loop {
            self.flush();
            if let Some(said) = self.said.pop_front() {
                return Some(said);
            }
            let channel = self.channel.as_ref()?;
            let mut events = PollFlags::POLLIN;
            if !self.is_mute && self.outbox.poll_transmit().is_some() {
                events |= PollFlags::POLLOUT;
            }
            self.wait(channel, events);
            let mut buffer = [0; 65536];
            let channel = self.channel.as_ref()?;
            match nix::unistd::read(channel, &mut buffer) {
                Err(Errno::EAGAIN) => {}
                // The end; a reset if the worker had not read everything.
                Ok(0) | Err(Errno::ECONNRESET) => self.channel = None,
                Ok(length) => self.take(&buffer[..length]),
                Err(error) => panic!("read: {error}"),
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(line) = self.splitter.next(&mut bytes) {
            let message = FromWorker::parse(line);
            let text = match line {
                pidone::channel::frame::Line::Whole(text)
                | pidone::channel::frame::Line::Beginning(text) => text,
            };
            let line = String::from_utf8_lossy(text).into_owned();
            self.log.push(line.chars().take(300).collect());
            let outcome = self.outbox.on_message(&message);
            self.said.push_back(Said {
                line,
                message,
                outcome,
            });
        }
    }

    /// Listens until the worker says what is wanted.
    #[track_caller]
    pub fn until<T>(&mut self, mut wanted: impl FnMut(&Said) -> Option<T>) -> T {
        while let Some(said) = self.hear() {
            if let Some(found) = wanted(&said) {
                return found;
            }
        }
        self.fail("the channel ended");
    }

    /// Listens until the app has sent this, as JSON.
    #[track_caller]
    pub fn until_line(&mut self, line: &str) {
        self.until(|said| (said.line == line).then_some(()));
    }

    /// Listens until the app sends something, and returns it as JSON.
    #[track_caller]
    pub fn until_user_message(&mut self) -> String {
        self.until(|said| {
            matches!(said.message, FromWorker::UserMessage).then(|| said.line.clone())
        })
    }

    /// Listens until the worker wants to listen.
    #[track_caller]
    pub fn until_query(&mut self) -> Query {
        self.until(|said| match &said.message {
            FromWorker::Query(query) => Some(query.clone()),
            _ => None,
        })
    }

    /// Listens until the worker listens, and returns its port.
    #[track_caller]
    pub fn until_listening(&mut self) -> Query {
        self.until(|said| match &said.message {
            FromWorker::Listening(query) => Some(query.clone()),
            _ => None,
        })
    }

    /// Has a ping answered.
    #[track_caller]
    pub fn ping(&mut self) {
        assert!(self.outbox.ping());
        self.until(|said| matches!(said.outcome, Outcome::PingAnswered).then_some(()));
    }

    /// Listens until the channel ends.
    pub fn until_end(&mut self) -> Vec<Said> {
        std::iter::from_fn(|| self.hear()).collect()
    }

    /// Writes what the outbox has to say.
    pub fn flush(&mut self) {
        if self.is_mute {
            return;
        }
        while let (Some(channel), Some(transmit)) = (&self.channel, self.outbox.poll_transmit()) {
            match send(channel, transmit.bytes, transmit.handle.map(Rc::as_ref)) {
                Ok(written) => self.outbox.wrote(written),
                Err(Errno::EAGAIN | Errno::EPIPE | Errno::ECONNRESET) => break,
                Err(error) => panic!("sendmsg: {error}"),
            }
        }
    }

    /// Writes a line past the outbox, to see what happens.
    pub fn send_raw(&mut self, line: &str, handle: Option<&OwnedFd>) {
        let channel = self.channel.as_ref().unwrap();
        let line = format!("{line}\n");
        assert_eq!(send(channel, line.as_bytes(), handle), Ok(line.len()));
    }

    /// Writes bytes past the outbox.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let channel = self.channel.as_ref().unwrap();
        assert_eq!(send(channel, bytes, None), Ok(bytes.len()));
    }

    /// Fills the channel with messages for the app, until not one more is taken.
    pub fn fill(&mut self) {
        let channel = self.channel.as_ref().unwrap();
        while send(channel, b"5\n", None).is_ok() {}
    }

    pub fn close_channel(&mut self) {
        self.channel = None;
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Stops the worker, until it has stopped.
    pub fn stop(&self) {
        use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
        self.signal(nix::sys::signal::Signal::SIGSTOP);
        let pid = nix::unistd::Pid::from_raw(self.pid());
        let status = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(status, WaitStatus::Stopped(..)), "{status:?}");
    }

    pub fn resume(&self) {
        self.signal(nix::sys::signal::Signal::SIGCONT);
    }

    /// Waits for the end of the process: its status, and what it wrote to standard error.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            // A worker that still wants to say something must not be kept from it.
            self.wait(&self.output, PollFlags::POLLIN);
            match self.output.read(&mut buffer).unwrap() {
                0 => break,
                length => text.extend_from_slice(&buffer[..length]),
            }
        }
        let status = self.child.wait().unwrap();
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    /// Waits for the end of the process, which must be a good one.
    #[track_caller]
    pub fn ends_well(&mut self) {
        let (status, errors) = self.end();
        assert_eq!(status.code(), Some(0), "{errors}\n{:#?}", self.log);
    }

    /// Waits for the worker to close the channel, and then for a good end.
    #[track_caller]
    pub fn ends_well_after_the_channel(&mut self) {
        self.until_end();
        self.ends_well();
    }

    /// Fails when it has taken too long.
    #[track_caller]
    pub fn lives(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it has ended");
        assert!(Instant::now() < self.deadline, "it takes too long");
    }

    /// From now on only what is sent past the outbox is sent.
    pub fn stop_answering(&mut self) {
        self.is_mute = true;
    }

    /// Waits for the end of the process by this error.
    #[track_caller]
    pub fn crashes(&mut self, error: &str) {
        let (status, errors) = self.end();
        assert!(!status.success(), "{status}");
        assert!(errors.contains(error), "{status}: {errors}");
    }

    fn wait(&self, descriptor: &impl AsFd, events: PollFlags) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut poll_fds = [PollFd::new(descriptor.as_fd(), events)];
        let timeout = PollTimeout::try_from(left).unwrap();
        if poll(&mut poll_fds, timeout).unwrap() == 0 {
            self.fail("nothing happens any more");
        }
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        panic!("{why}; the worker said {:#?}", self.log);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let mut errors = String::new();
            let _ = self.output.read_to_string(&mut errors);
            eprintln!("said: {:#?}\nstandard error: {errors}", self.log);
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn send(channel: &OwnedFd, bytes: &[u8], handle: Option<&OwnedFd>) -> nix::Result<usize> {
    let descriptors: Vec<_> = handle.iter().map(|handle| handle.as_raw_fd()).collect();
    let control = [ControlMessage::ScmRights(&descriptors)];
    sendmsg::<()>(
        channel.as_raw_fd(),
        &[IoSlice::new(bytes)],
        if descriptors.is_empty() {
            &[]
        } else {
            &control
        },
        MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
        None,
    )
}
