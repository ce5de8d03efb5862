//! How pidone is started: its options, its command, and its environment.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::run::MARK;
use super::{End, Run, binary, probe, words};

/// The command that makes pidone PID 1 of a new namespace; `None`: this machine does not permit it.
pub(super) fn init_wrapper() -> Option<&'static [&'static str]> {
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

/// How to start pidone.
#[must_use]
pub struct Pidone {
    program: OsString,
    options: Vec<OsString>,
    command: Vec<OsString>,
    wrapper: Vec<OsString>,
    conditions: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clean_env: bool,
    as_init: bool,
    directory: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    terminal: Option<OwnedFd>,
}

impl Pidone {
    /// pidone with these options.
    pub fn new<S: AsRef<OsStr>>(options: impl IntoIterator<Item = S>) -> Self {
        Self {
            program: binary().into(),
            options: words(options),
            command: Vec::new(),
            wrapper: Vec::new(),
            conditions: Vec::new(),
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

    /// Another program, without pidone.
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

    /// The conditions of the start, as arguments of the probe's mode `with`.
    pub fn with<S: AsRef<OsStr>>(mut self, conditions: impl IntoIterator<Item = S>) -> Self {
        self.conditions.extend(words(conditions));
        self
    }

    /// As PID 1 of a new namespace.
    pub fn init(mut self) -> Self {
        self.as_init = true;
        self
    }

    /// The working directory.
    pub fn directory(mut self, path: PathBuf) -> Self {
        self.directory = Some(path);
        self
    }

    pub fn env<S: AsRef<OsStr>>(mut self, name: &str, value: S) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// An empty environment, except for what [`Self::env`] sets.
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

    /// In a new session on a pseudo-terminal, as with `docker run -it`. Standard streams that are
    /// not redirected use it, and its output is the run's output.
    pub fn in_terminal(self) -> Self {
        self.on_terminal(&["terminal"])
    }

    /// As a job of a shell on a pseudo-terminal. At the end, the shell prints which group has the
    /// foreground.
    pub fn job(self, background: bool) -> Self {
        self.on_terminal(&["terminal", if background { "background" } else { "job" }])
    }

    fn on_terminal(mut self, conditions: &[&str]) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        self.stdin.get_or_insert_with(slave);
        self.stdout.get_or_insert_with(slave);
        self.stderr.get_or_insert_with(slave);
        // CLOEXEC keeps it from the child; openpty(3) does not set it.
        for fd in [&pty.master, &pty.slave] {
            use nix::fcntl::{FcntlArg, FdFlag, fcntl};
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        self.terminal = Some(pty.master);
        self.with(conditions.iter().copied())
    }

    /// A shell on a pseudo-terminal, ready for pidone's command line. Its prompt is `SHELL> `.
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
            line.extend(words(init_wrapper().expect("called can_be_init() before")));
        }
        line.extend(self.wrapper);
        if !self.conditions.is_empty() {
            line.extend(words([probe().as_os_str(), OsStr::new("with")]));
            line.extend(self.conditions);
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
            // The default path of the control socket is the same for all, and tests run in
            // parallel.
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
        Run::start(command, line, mark, self.terminal)
    }

    /// Starts it with an empty stdin, and waits for its exit.
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
