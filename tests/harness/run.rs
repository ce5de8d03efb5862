//! A running pidone: its output, its processes, and waiting for either.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::{End, Status, binary, patience, processes};

/// Marks every process of a test in its environment, so that all can be killed.
pub(super) const MARK: &str = "TEST_MARK_OF_PIDONE";

/// What is known of a run so far.
#[derive(Default)]
struct Known {
    stdout: Vec<u8>,
    /// How much of it the test has read.
    read: usize,
    stdout_ended: bool,
    stderr: Vec<u8>,
    stderr_ended: bool,
    status: Option<Status>,
}

impl Known {
    fn stderr_count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.stderr).matches(text).count()
    }
}

type News = Arc<(Mutex<Known>, Condvar)>;

/// A running pidone.
pub struct Run {
    child: Child,
    line: Vec<OsString>,
    mark: String,
    stdin: Option<Box<dyn Write>>,
    news: News,
    started: Instant,
    over: bool,
}

impl Run {
    pub(super) fn start(
        mut command: Command,
        line: Vec<OsString>,
        mark: String,
        terminal: Option<OwnedFd>,
    ) -> Self {
        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{line:?}: {error}"));
        drop(command);
        let news = News::default();
        let mut stdin = child
            .stdin
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Write>);
        let terminal = terminal.map(File::from);
        if let Some(terminal) = &terminal {
            stdin = Some(Box::new(terminal.try_clone().unwrap()));
        }
        let pipe = child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let mut errors = child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let pipe = match (pipe, terminal) {
            (pipe, None) => pipe,
            (None, Some(terminal)) => Some(Box::new(terminal) as Box<dyn Read + Send>),
            (Some(pipe), Some(terminal)) => {
                // The test reads the pipe; the terminal is read too so that it does not fill up,
                // and serves as standard error where that is not a pipe.
                errors = Some(Box::new(terminal) as Box<dyn Read + Send>);
                Some(pipe)
            }
        };
        collect(&news, pipe, |known, bytes| match bytes {
            Some(bytes) => known.stdout.extend_from_slice(bytes),
            None => known.stdout_ended = true,
        });
        collect(&news, errors, |known, bytes| match bytes {
            Some(bytes) => known.stderr.extend_from_slice(bytes),
            None => known.stderr_ended = true,
        });
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let shared = Arc::clone(&news);
        thread::spawn(move || {
            // Not reaped, so that its process id is not reused while the test runs.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(nix::errno::Errno::EINTR) {}
            let status = processes::wait_status(pid.as_raw());
            let (known, changed) = &*shared;
            known.lock().unwrap().status = Some(status);
            changed.notify_all();
        });
        Self {
            child,
            line,
            mark,
            stdin,
            news,
            started,
            over: false,
        }
    }

    /// Waits until `find` returns a value.
    fn wait<T>(&self, what: &str, mut find: impl FnMut(&mut Known) -> Option<T>) -> T {
        let (known, changed) = &*self.news;
        let mut known = known.lock().unwrap();
        let deadline = Instant::now() + patience();
        loop {
            if let Some(found) = find(&mut known) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(known);
                panic!("timed out waiting for {what}");
            }
            known = changed.wait_timeout(known, left).unwrap().0;
        }
    }

    /// The next line of its output, without the newline.
    #[track_caller]
    pub fn line(&self) -> String {
        let line = self.wait("a line", |known| {
            let rest = &known.stdout[known.read..];
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
                    known.read += end + 1;
                    Some(Some(line))
                }
                None => known.stdout_ended.then_some(None),
            }
        });
        let line = line.unwrap_or_else(|| panic!("its output ended where a line was expected"));
        line.trim_end_matches('\r').to_owned()
    }

    /// The next line must begin like this; returns the rest of it.
    #[track_caller]
    pub fn expect(&self, start: &str) -> String {
        let line = self.line();
        let rest = line.strip_prefix(start);
        rest.unwrap_or_else(|| panic!("{line:?} instead of {start:?}"))
            .trim()
            .to_owned()
    }

    /// Reads on until this text; for terminals, whose output is not only lines.
    #[track_caller]
    pub fn until(&self, text: &str) -> String {
        let found = self.wait(&format!("{text:?}"), |known| {
            let rest = &known.stdout[known.read..];
            let at = rest
                .windows(text.len())
                .position(|part| part == text.as_bytes());
            match at {
                Some(at) => {
                    let before = String::from_utf8_lossy(&rest[..at]).into_owned();
                    known.read += at + text.len();
                    Some(Some(before))
                }
                None => known.stdout_ended.then_some(None),
            }
        });
        found.unwrap_or_else(|| panic!("its output ended without {text:?}"))
    }

    /// Reads its standard error until this text.
    #[track_caller]
    pub fn until_stderr(&self, text: &str) {
        self.until_stderr_times(text, 1);
    }

    /// Reads its standard error until this text has occurred this many times.
    #[track_caller]
    pub fn until_stderr_times(&self, text: &str, times: usize) {
        let found = self.wait(&format!("{text:?} on stderr, {times} times"), |known| {
            if known.stderr_count(text) >= times {
                Some(true)
            } else {
                known.stderr_ended.then_some(false)
            }
        });
        assert!(found, "its standard error ended without {text:?}");
    }

    /// How often this text has occurred on its standard error so far.
    pub fn stderr_count(&self, text: &str) -> usize {
        self.news.0.lock().unwrap().stderr_count(text)
    }

    /// Writes to its stdin, or types at its terminal.
    pub fn write(&mut self, bytes: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is not a pipe");
        stdin.write_all(bytes.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The process that was started: pidone, or the program it was started with.
    pub fn outer_pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// pidone's process id, in this namespace. Call it after the child's first output.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        let pids = processes::family(self.outer_pid());
        let name = binary().canonicalize().unwrap();
        let pidone =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == name);
        pids.into_iter().find(pidone).expect("pidone runs")
    }

    /// The process id of pidone's only child, in this namespace.
    #[track_caller]
    pub fn child_pid(&self) -> i32 {
        let children = processes::children(self.pid());
        assert_eq!(children.len(), 1, "children: {children:?}");
        children[0]
    }

    /// The process id of pidone's first child, even if pidone has adopted others since.
    #[track_caller]
    pub fn child_of_pid(&self) -> i32 {
        let children = processes::children(self.pid());
        *children.iter().min().expect("a child")
    }

    /// Waits until the child runs its program, for programs without output.
    #[track_caller]
    pub fn until_started(&self) {
        let name = binary().canonicalize().unwrap();
        let exe = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        processes::wait_until("the child runs", || {
            let family = processes::family(self.outer_pid());
            let mut rest = family
                .iter()
                .skip_while(|pid| exe(pid).as_ref() != Some(&name));
            rest.nth(1).and_then(exe).is_some_and(|other| other != name)
        });
    }

    /// Sends pidone a signal.
    #[track_caller]
    pub fn signal(&self, number: i32) {
        processes::kill(self.pid(), number);
    }

    /// Waits for its exit and for the end of its output, when all processes that could write to it
    /// have exited.
    #[track_caller]
    pub fn end(mut self) -> End {
        let status = self.wait("its end", |known| known.status);
        let took = self.started.elapsed();
        self.wait("the end of its output", |known| {
            (known.stdout_ended && known.stderr_ended).then_some(())
        });
        self.over = true;
        let (known, _) = &*self.news;
        let mut known = known.lock().unwrap();
        let read = known.read;
        End {
            status,
            stdout: std::mem::take(&mut known.stdout).split_off(read),
            stderr: String::from_utf8_lossy(&known.stderr).into_owned(),
            took,
            line: self.line.clone(),
        }
    }
}

/// Reads a stream to its end in a separate thread, so that no process blocks on the test.
fn collect(news: &News, stream: Option<Box<dyn Read + Send>>, put: fn(&mut Known, Option<&[u8]>)) {
    let Some(mut stream) = stream else {
        put(&mut news.0.lock().unwrap(), None);
        return;
    };
    let news = Arc::clone(news);
    thread::spawn(move || {
        let mut block = [0; 65_536];
        loop {
            // A terminal that no process has open ends with EIO, which may come before the last bytes: the kernel looks
            // for bytes, and then whether it is open (n_tty_read, drivers/tty/n_tty.c). Then the next read has them.
            let read = stream.read(&mut block);
            let read = read.or_else(|_| stream.read(&mut block)).unwrap_or(0);
            let (known, changed) = &*news;
            put(
                &mut known.lock().unwrap(),
                (read > 0).then(|| &block[..read]),
            );
            changed.notify_all();
            if read == 0 {
                return;
            }
        }
    });
}

impl Drop for Run {
    fn drop(&mut self) {
        if thread::panicking() {
            let (known, _) = &*self.news;
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!(
                "--- after {:?}: {:?}\n--- status: {:?}\n--- stdout, of which {} bytes were read:\n{}\n--- stderr:\n{}\n---",
                self.started.elapsed(),
                self.line,
                known.status,
                known.read,
                String::from_utf8_lossy(&known.stdout),
                String::from_utf8_lossy(&known.stderr)
            );
        }
        if !self.over {
            processes::kill_all(self.outer_pid(), &format!("{MARK}={}", self.mark));
            // The waiting thread must have seen its exit before it is reaped.
            let (known, changed) = &*self.news;
            if let Ok(known) = known.lock() {
                drop(changed.wait_while(known, |known| known.status.is_none()));
            }
        }
        let _ = self.child.wait();
    }
}
