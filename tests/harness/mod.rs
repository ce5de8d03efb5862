//! Starts the real pidone with real processes, and waits for events, never for time to pass.
//!
//! Whatever is waited for has [`PATIENCE`]; then the test fails and prints all there is to know.
//! Whoever is still alive at the end of a test is killed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod http;
pub mod load;
pub mod net;
pub mod packages;
pub mod processes;
pub mod service;
pub mod words;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Names every process of a test in its environment, so that none is left behind.
const MARK: &str = "TEST_MARK_OF_PIDONE";

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("PIDONE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_pidone").into(), PathBuf::from)
}

/// The probe (tests/init/probe.c), compiled once.
pub fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init/probe.c");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let fresh = directory.join(format!("probe.{}", std::process::id()));
        let done = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&fresh)
            .arg(&source)
            .status()
            .expect("cc compiles the probe");
        assert!(done.success(), "cc {}: {done}", source.display());
        let probe = directory.join("probe");
        std::fs::rename(&fresh, &probe).unwrap();
        probe
    })
}

/// A directory that is gone when the test is over.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pidone-test.{}.{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these contents and this mode.
    pub fn file(&self, name: &str, contents: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How to become PID 1 of a namespace of its own here; `None`: this machine does not let us.
fn init_wrapper() -> Option<&'static [&'static str]> {
    static WRAPPER: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    const ROOT: &[&str] = &[
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ];
    const USER: &[&str] = &[
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ];
    *WRAPPER.get_or_init(|| {
        [ROOT, USER].into_iter().find(|wrapper| {
            let mut command = Command::new(wrapper[0]);
            command
                .args(&wrapper[1..])
                .arg("true")
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    })
}

/// Whether pidone can be made PID 1 here. If not, says which test is left out.
pub fn can_be_init(test: &str) -> bool {
    init_wrapper().is_some() || skipped(test, "this machine permits no PID namespace")
}

/// Whether the tests run as root. If not, says which test is left out.
pub fn is_root(test: &str) -> bool {
    nix::unistd::geteuid().is_root() || skipped(test, "it needs root")
}

/// Says so where the test harness does not swallow it, and in the file of `PIDONE_TEST_SKIPPED`.
pub fn skipped(test: &str, why: &str) -> bool {
    let line = format!("SKIPPED {test}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PIDONE_TEST_SKIPPED") {
        let file = File::options().append(true).create(true).open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
    false
}

/// How to start pidone.
#[must_use]
pub struct Pidone {
    program: OsString,
    options: Vec<OsString>,
    command: Vec<OsString>,
    wrapper: Vec<OsString>,
    circumstances: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clean_env: bool,
    as_init: bool,
    directory: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    terminal: Option<OwnedFd>,
}

fn words<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Vec<OsString> {
    words
        .into_iter()
        .map(|word| word.as_ref().to_owned())
        .collect()
}

impl Pidone {
    /// pidone with these options.
    pub fn new<S: AsRef<OsStr>>(options: impl IntoIterator<Item = S>) -> Self {
        Self {
            program: binary().into(),
            options: words(options),
            command: Vec::new(),
            wrapper: Vec::new(),
            circumstances: Vec::new(),
            env: Vec::new(),
            clean_env: false,
            as_init: false,
            directory: None,
            stdin: None,
            stdout: None,
            stderr: None,
            terminal: None,
        }
    }

    /// pidone without any option.
    pub fn plain() -> Self {
        Self::new::<&str>([])
    }

    /// Another program, with pidone left out.
    pub fn program<S: AsRef<OsStr>>(line: impl IntoIterator<Item = S>) -> Self {
        let mut line = words(line);
        let arguments = line.split_off(1);
        let mut bare = Self::new(arguments);
        bare.program = line.remove(0);
        bare
    }

    /// What follows `--`.
    pub fn command<S: AsRef<OsStr>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.command = words(command);
        self
    }

    /// The probe in one of its modes.
    pub fn probe<S: AsRef<OsStr>>(self, mode: impl IntoIterator<Item = S>) -> Self {
        let mode = words(mode);
        self.command(std::iter::once(probe().as_os_str().to_owned()).chain(mode))
    }

    /// A shell script.
    pub fn shell(self, script: &str) -> Self {
        self.command(["sh", "-c", script])
    }

    /// A Node.js program.
    pub fn node(self, script: &str) -> Self {
        self.command(["node", "-e", script])
    }

    /// A program to start pidone with, and its arguments.
    pub fn under<S: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = words(wrapper);
        self
    }

    /// The circumstances of the start, in the words of the probe's mode `with`.
    pub fn with<S: AsRef<OsStr>>(mut self, circumstances: impl IntoIterator<Item = S>) -> Self {
        self.circumstances.extend(words(circumstances));
        self
    }

    /// As PID 1 of a namespace of its own.
    pub fn init(mut self) -> Self {
        self.as_init = true;
        self
    }

    /// Where it is started.
    pub fn directory(mut self, path: PathBuf) -> Self {
        self.directory = Some(path);
        self
    }

    pub fn env<S: AsRef<OsStr>>(mut self, name: &str, value: S) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Nothing in the environment but what [`Self::env`] puts there.
    pub fn clean_env(mut self) -> Self {
        self.clean_env = true;
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// In a session of its own on a pseudo-terminal, as `docker run -it` does it.
    /// What is not redirected goes there, and what is written there is the run's output.
    pub fn in_terminal(self) -> Self {
        self.on_terminal(&["terminal"])
    }

    /// As a job of a shell on a pseudo-terminal. The shell says at the end who has the foreground.
    pub fn job(self, background: bool) -> Self {
        self.on_terminal(&["terminal", if background { "background" } else { "job" }])
    }

    fn on_terminal(mut self, circumstances: &[&str]) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        self.stdin.get_or_insert_with(slave);
        self.stdout.get_or_insert_with(slave);
        self.stderr.get_or_insert_with(slave);
        // Kept from the child by CLOEXEC, which openpty(3) does not set.
        for fd in [&pty.master, &pty.slave] {
            use nix::fcntl::{FcntlArg, FdFlag, fcntl};
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        self.terminal = Some(pty.master);
        self.with(circumstances.iter().copied())
    }

    /// A shell on a pseudo-terminal, waiting for pidone's command line to be typed. Its prompt is
    /// `SHELL> `.
    pub fn interactive_shell(shell: &str, arguments: &[&str]) -> Run {
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|directory| directory.join(shell))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("{shell} is not in PATH"));
        Self::program(std::iter::once(path.into()).chain(words(arguments)))
            .env("PS1", "SHELL> ")
            .env("TERM", "dumb")
            .in_terminal()
            .start()
    }

    /// Starts it.
    pub fn start(self) -> Run {
        let mut line: Vec<OsString> = Vec::new();
        if self.as_init {
            line.extend(words(init_wrapper().expect("asked can_be_init() before")));
        }
        line.extend(self.wrapper);
        if !self.circumstances.is_empty() {
            line.extend(words([probe().as_os_str(), OsStr::new("with")]));
            line.extend(self.circumstances);
            line.push("--".into());
        }
        line.push(self.program);
        line.extend(self.options);
        if !self.command.is_empty() {
            line.push("--".into());
            line.extend(self.command);
        }
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]);
        let mark = mark();
        if self.clean_env {
            command.env_clear();
        } else {
            for (name, _) in std::env::vars_os() {
                if name.as_bytes().starts_with(b"PIDONE_") {
                    command.env_remove(name);
                }
            }
            command.env(MARK, &mark);
            // The usual place of the control socket is one for all, and tests run side by side.
            command.env("PIDONE_CONTROL", "off");
        }
        command.envs(self.env);
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        if self.terminal.is_none() {
            command.process_group(0);
        }
        command.stdin(self.stdin.unwrap_or_else(Stdio::piped));
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped));
        command.stderr(self.stderr.unwrap_or_else(Stdio::piped));
        Run::start(command, line, mark, self.as_init, self.terminal)
    }

    /// Starts it with nothing on stdin, and waits for its end.
    pub fn run(self) -> End {
        let run = if self.stdin.is_none() {
            self.stdin(Stdio::null())
        } else {
            self
        };
        run.start().end()
    }
}

fn mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{}.{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// What is known of a run by now.
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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Code(i32),
    Killed(i32),
}

/// A pidone that runs.
pub struct Run {
    child: Child,
    line: Vec<OsString>,
    mark: String,
    as_init: bool,
    stdin: Option<Box<dyn Write>>,
    news: News,
    started: Instant,
    over: bool,
}

/// What is left of it.
pub struct End {
    pub status: Status,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
    line: Vec<OsString>,
}

impl Run {
    fn start(
        mut command: Command,
        line: Vec<OsString>,
        mark: String,
        as_init: bool,
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
                // The test reads the pipe; the terminal is kept from filling up, and stands in for
                // standard error where that is no pipe.
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
            // Left a zombie, so that its process id stays its own for as long as the test runs.
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
            as_init,
            stdin,
            news,
            started,
            over: false,
        }
    }

    /// Waits until there is something to be found in what is known.
    fn wait<T>(&self, what: &str, mut find: impl FnMut(&mut Known) -> Option<T>) -> T {
        let (known, changed) = &*self.news;
        let mut known = known.lock().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find(&mut known) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(known);
                panic!("waited in vain for {what}");
            }
            known = changed.wait_timeout(known, left).unwrap().0;
        }
    }

    /// The next line of its output, without the line's end.
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
        let line = line.unwrap_or_else(|| panic!("its output has ended, and a line was wanted"));
        line.trim_end_matches('\r').to_owned()
    }

    /// The next line must begin like this; the rest of it is returned.
    #[track_caller]
    pub fn expect(&self, start: &str) -> String {
        let line = self.line();
        let rest = line.strip_prefix(start);
        rest.unwrap_or_else(|| panic!("{line:?} instead of {start:?}"))
            .trim()
            .to_owned()
    }

    /// Reads on until this has been seen; for terminals, where more than lines is said.
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
        found.unwrap_or_else(|| panic!("its output has ended without {text:?}"))
    }

    /// Reads its standard error until this has been seen.
    #[track_caller]
    pub fn until_stderr(&self, text: &str) {
        self.until_stderr_times(text, 1);
    }

    /// Reads its standard error until this has been seen so often.
    #[track_caller]
    pub fn until_stderr_times(&self, text: &str, times: usize) {
        let found = self.wait(&format!("{text:?} on stderr, {times} times"), |known| {
            if known.stderr_count(text) >= times {
                Some(true)
            } else {
                known.stderr_ended.then_some(false)
            }
        });
        assert!(found, "its standard error has ended without {text:?}");
    }

    /// How often this has been seen on its standard error until now.
    pub fn stderr_count(&self, text: &str) -> usize {
        self.news.0.lock().unwrap().stderr_count(text)
    }

    /// Writes to its stdin, or types at its terminal.
    pub fn write(&mut self, bytes: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is not a pipe");
        stdin.write_all(bytes.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The end of its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The process that was started: pidone, or what it was started with.
    pub fn outer_pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// pidone's process id, seen from here. Ask when its child has said something.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        let pids = processes::family(self.outer_pid());
        let name = binary().canonicalize().unwrap();
        let pidone =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == name);
        pids.into_iter().find(pidone).expect("pidone runs")
    }

    /// The process id, seen from here, of pidone's only child.
    #[track_caller]
    pub fn child_pid(&self) -> i32 {
        let children = processes::children(self.pid());
        assert_eq!(children.len(), 1, "children: {children:?}");
        children[0]
    }

    /// The process id of pidone's first child, whoever else has come to pidone since.
    #[track_caller]
    pub fn child_of_pid(&self) -> i32 {
        let children = processes::children(self.pid());
        *children.iter().min().expect("a child")
    }

    /// Waits until the child runs its program, for programs that say nothing.
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

    /// Waits for its end and for the end of its output, when all who could write to it are gone.
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

/// Reads a stream to its end in a thread of its own, so that nobody ever waits for the test.
fn collect(news: &News, stream: Option<Box<dyn Read + Send>>, put: fn(&mut Known, Option<&[u8]>)) {
    let Some(mut stream) = stream else {
        put(&mut news.0.lock().unwrap(), None);
        return;
    };
    let news = Arc::clone(news);
    thread::spawn(move || {
        let mut block = [0; 65_536];
        loop {
            // A terminal that nobody holds any more ends with EIO.
            let read = stream.read(&mut block).unwrap_or(0);
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
            let known = known
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
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
            // Who watches it must have seen its end before it is reaped.
            let (known, changed) = &*self.news;
            if let Ok(known) = known.lock() {
                drop(changed.wait_while(known, |known| known.status.is_none()));
            }
        }
        let _ = self.child.wait();
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "{:?}\n{:?} after {:?}",
            self.line, self.status, self.took
        )?;
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(
            out,
            "--- stdout:\n{stdout}\n--- stderr:\n{}\n---",
            self.stderr
        )
    }
}

impl End {
    /// It left with this code.
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        assert_eq!(self.status, Status::Code(code), "{self:#?}");
        self
    }

    /// It said nothing of its own, and neither did the child, on standard error.
    #[track_caller]
    pub fn quiet(&self) -> &Self {
        assert_eq!(self.stderr, "", "{self:#?}");
        self
    }

    /// pidone said one line, with all of this in it.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        assert!(
            self.stderr.starts_with("pidone: ") && self.stderr.ends_with('\n'),
            "{self:#?}"
        );
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }

    /// What the child wrote and the test has not read yet.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// The value of a `name value` line of the probe's report.
    #[track_caller]
    pub fn report(&self, name: &str) -> String {
        let text = self.text();
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines
            .next()
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"))
            .trim()
            .to_owned()
    }
}

impl From<std::process::ExitStatus> for Status {
    fn from(status: std::process::ExitStatus) -> Self {
        status
            .signal()
            .map_or_else(|| Self::Code(status.code().unwrap()), Self::Killed)
    }
}
