//! Starts a program: clone, a few system calls, exec, and the exact error if it fails.
//!
//! The child runs in pidone's own memory while pidone waits (`CLONE_VM | CLONE_VFORK`, clone(2)),
//! as in posix_spawn(3): nothing is copied, and a failure is written to memory that the parent
//! reads. Between clone and exec nothing is allocated, and only system calls are made.

mod listen_pid;

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;

use super::activation;
use super::environment::{Environment, environ};
use super::identity::Identity;
use crate::config::Command;
use listen_pid::ListenPid;

/// The search path when `PATH` is not set: Docker's default.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Room for the child's few stack frames; untouched pages cost nothing.
const STACK_SIZE: usize = 64 * 1024;

/// A prepared program, which can be started any number of times.
#[derive(Debug)]
pub struct PreparedCommand {
    /// Candidate paths, in the order in which exec tries them.
    candidates: Vec<CString>,
    argv: Vec<CString>,
}

/// A file that the kernel would run with an interpreter, if its first line names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path, as the interpreter gets it.
    pub path: OsString,
    /// The part of it that the kernel reads.
    pub beginning: Vec<u8>,
}

/// `BINPRM_BUF_SIZE` (linux/binfmts.h).
const BEGINNING: u64 = 256;

/// Further settings of a child, applied before exec.
#[derive(Debug, Default)]
pub struct Setup {
    /// Make its process group the foreground group of the terminal on standard input.
    pub foreground: bool,
    pub identity: Option<Identity>,
    /// Its limit of open files, if pidone has raised its own.
    pub open_files: Option<u64>,
    /// Its standard input; `None`: pidone's own.
    pub stdin: Option<OwnedFd>,
}

/// What a child gets that pidone itself does not have, or has elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inheritance<'a> {
    /// Its descriptors 3, 4, … ([`activation::FIRST`]), in place of pidone's descriptors with these
    /// numbers.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// Its environment; `None`: pidone's own.
    pub environment: Option<&'a Environment>,
    /// The directory in which it starts; `None`: pidone's own.
    pub directory: Option<&'a CStr>,
}

/// Why a program did not start.
#[derive(Debug)]
pub struct SpawnError {
    pub step: SpawnStep,
    pub cause: io::Error,
}

/// The steps at which a start can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpawnStep {
    /// The command line or the environment holds a NUL byte.
    Arguments,
    /// clone(2): cannot create a process.
    Clone,
    /// dup2(2): no room for the descriptors it was to get.
    Descriptors,
    /// setgroups(2), setgid(2), setuid(2) or `PR_SET_NO_NEW_PRIVS`.
    Identity,
    /// The program was not found.
    Find,
    /// The program exists, but the kernel cannot execute it.
    Execute,
    /// The program exists, but the interpreter it names does not.
    Interpreter,
}

impl PreparedCommand {
    /// Looks up nothing yet: the child's own exec searches for the program.
    ///
    /// # Errors
    /// [`SpawnStep::Arguments`].
    pub fn new(command: &Command, path: Option<&OsStr>) -> Result<Self, SpawnError> {
        let program = c_string(command.program.as_bytes())?;
        let candidates = if program.as_bytes().contains(&b'/') {
            vec![program.clone()]
        } else {
            path.unwrap_or(OsStr::new(DEFAULT_PATH))
                .as_bytes()
                .split(|byte| *byte == b':')
                .map(|directory| {
                    // An empty entry means the current directory (execvp(3)).
                    let directory = if directory.is_empty() {
                        b"."
                    } else {
                        directory
                    };
                    c_string(&[directory, b"/", program.as_bytes()].concat())
                })
                .collect::<Result<_, _>>()?
        };
        let args = command.args.iter().map(|arg| c_string(arg.as_bytes()));
        let argv = std::iter::once(Ok(program))
            .chain(args)
            .collect::<Result<_, _>>()?;
        Ok(Self { candidates, argv })
    }

    /// The same with one more argument, at this index.
    ///
    /// # Errors
    /// [`SpawnStep::Arguments`].
    pub fn with_word(&self, at: usize, word: &str) -> Result<Self, SpawnError> {
        let mut argv = self.argv.clone();
        argv.insert(at.min(argv.len()), c_string(word.as_bytes())?);
        Ok(Self {
            candidates: self.candidates.clone(),
            argv,
        })
    }

    /// Whether such a file exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.candidates.iter().any(|path| path_of(path).exists())
    }

    /// The program, if it is a script with an interpreter that can be executed.
    #[must_use]
    pub fn script(&self) -> Option<Script> {
        let is_program = |path: &&Path| {
            let found = path.metadata();
            found.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        let mut paths = self.candidates.iter().map(path_of);
        let path = paths.find(is_program)?;
        let mut beginning = Vec::new();
        let file = File::open(path).ok()?;
        file.take(BEGINNING).read_to_end(&mut beginning).ok()?;
        beginning.starts_with(b"#!").then(|| Script {
            path: path.into(),
            beginning,
        })
    }

    /// Starts the program in a new process group, and returns its process id once exec has succeeded.
    ///
    /// # Errors
    /// Every [`SpawnStep`], with the errno that the child itself saw.
    pub fn spawn(&self, setup: &Setup, inheritance: Inheritance<'_>) -> Result<i32, SpawnError> {
        let candidates = null_terminated(&self.candidates, None);
        let argv = null_terminated(&self.argv, None);
        let listen_pid = ListenPid::default();
        let has_listen_pid = inheritance
            .environment
            .is_some_and(Environment::has_listen_pid);
        let listen_pid = has_listen_pid.then_some(&listen_pid);
        let environment = inheritance.environment.map(|environment| {
            null_terminated(environment.entries(), listen_pid.map(ListenPid::as_ptr))
        });
        let descriptors = inheritance.descriptors.iter().map(AsRawFd::as_raw_fd);
        let descriptors: Vec<_> = descriptors.map(AtomicI32::new).collect();
        let child = Child {
            candidates: candidates.as_ptr(),
            argv: argv.as_ptr(),
            environment: environment.as_ref().map(Vec::as_ptr),
            listen_pid,
            descriptors: &descriptors,
            directory: inheritance.directory.map(CStr::as_ptr),
            setup,
            failed_step: AtomicI32::new(BORN),
            errno: AtomicI32::new(0),
        };
        let mut stack = Box::<[u8; STACK_SIZE]>::new_uninit();
        // SAFETY: one past the end of the allocation is a valid pointer.
        let top = unsafe { stack.as_mut_ptr().cast::<u8>().add(STACK_SIZE) };
        // SAFETY: the stack and `child` outlive the child's use of them, because CLONE_VFORK keeps
        // this thread waiting until the child has exec'ed or ended; `become_program` only makes
        // system calls; every signal is blocked, so no handler can run in the shared memory. The
        // C libraries align the stack pointer themselves.
        let pid = unsafe {
            libc::clone(
                become_program,
                top.cast(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                (&raw const child).cast_mut().cast(),
            )
        };
        let pid = Errno::result(pid).map_err(|errno| SpawnError::at(SpawnStep::Clone, errno))?;
        let errno = Errno::from_raw(child.errno.load(Ordering::Relaxed));
        let step = match child.failed_step.load(Ordering::Relaxed) {
            BORN => return Ok(pid),
            FAILED_DESCRIPTORS => SpawnStep::Descriptors,
            FAILED_IDENTITY => SpawnStep::Identity,
            _ => self.explain(errno),
        };
        super::reaper::discard(pid);
        Err(SpawnError::at(step, errno))
    }

    /// exec fails with ENOENT for a missing program and for a missing interpreter (execve(2)).
    fn explain(&self, errno: Errno) -> SpawnStep {
        match errno {
            Errno::ENOENT if self.exists() => SpawnStep::Interpreter,
            Errno::ENOENT | Errno::ENOTDIR => SpawnStep::Find,
            _ => SpawnStep::Execute,
        }
    }
}

/// The process group of a process; `None`: there is no such process (getpgid(2)).
#[must_use]
pub fn group_of(pid: i32) -> Option<i32> {
    let group = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)));
    group.ok().map(nix::unistd::Pid::as_raw)
}

impl SpawnError {
    fn at(step: SpawnStep, errno: Errno) -> Self {
        Self {
            step,
            cause: errno.into(),
        }
    }
}

fn path_of(path: &CString) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

fn c_string(bytes: &[u8]) -> Result<CString, SpawnError> {
    CString::new(bytes).map_err(|_| SpawnError::at(SpawnStep::Arguments, Errno::EINVAL))
}

fn null_terminated(strings: &[CString], last: Option<*const c_char>) -> Vec<*const c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr());
    pointers
        .chain(last)
        .chain(std::iter::once(std::ptr::null()))
        .collect()
}

/// Shared by parent and child until the child has called exec.
struct Child<'a> {
    candidates: *const *const c_char,
    argv: *const *const c_char,
    /// `None`: pidone's own, unchanged.
    environment: Option<*const *const c_char>,
    listen_pid: Option<&'a ListenPid>,
    /// The descriptors that become 3, 4, …; the child moves them first.
    descriptors: &'a [AtomicI32],
    directory: Option<*const c_char>,
    setup: &'a Setup,
    failed_step: AtomicI32,
    errno: AtomicI32,
}

const BORN: i32 = 0;
const FAILED_DESCRIPTORS: i32 = 1;
const FAILED_IDENTITY: i32 = 2;
const FAILED_EXEC: i32 = 3;

/// The child's code up to exec. Returns only if a step has failed.
extern "C" fn become_program(child: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a pointer to a `Child` that outlives this child.
    let child = unsafe { &*child.cast::<Child<'_>>() };
    let (step, errno) = match prepare(child) {
        Err(failure) => failure,
        Ok(()) => (FAILED_EXEC, exec(child)),
    };
    child.errno.store(errno as i32, Ordering::Relaxed);
    child.failed_step.store(step, Ordering::Relaxed);
    127
}

fn prepare(child: &Child<'_>) -> Result<(), (i32, Errno)> {
    // SAFETY: takes numbers only. It cannot fail for a child that has not exec'ed (setpgid(2)).
    unsafe { libc::setpgid(0, 0) };
    if child.setup.foreground {
        super::terminal::take_foreground();
    }
    if let Some(stdin) = &child.setup.stdin {
        // SAFETY: takes numbers only.
        let placed = unsafe { libc::dup2(stdin.as_raw_fd(), libc::STDIN_FILENO) };
        Errno::result(placed).map_err(|errno| (FAILED_DESCRIPTORS, errno))?;
    }
    if let Some(directory) = child.directory {
        // If that fails, the child stays in pidone's own directory.
        // SAFETY: a string that ends with NUL, in the parent, which waits.
        unsafe { libc::chdir(directory) };
    }
    if let Some(soft) = child.setup.open_files {
        super::limits::restore_open_files(soft);
    }
    place(child.descriptors).map_err(|errno| (FAILED_DESCRIPTORS, errno))?;
    if let Some(identity) = &child.setup.identity {
        identity
            .assume()
            .map_err(|errno| (FAILED_IDENTITY, errno))?;
    }
    if let Some(listen_pid) = child.listen_pid {
        listen_pid.write_own();
    }
    // It cannot fail with a valid mask; the exec that follows is what matters.
    let _ = super::signal::reset_for_exec();
    Ok(())
}

/// Copies the descriptors to 3, 4, …, where exec does not close them.
fn place(descriptors: &[AtomicI32]) -> Result<(), Errno> {
    let targets = activation::FIRST..;
    let count = i32::try_from(descriptors.len()).unwrap_or(i32::MAX);
    let behind = activation::FIRST.saturating_add(count);
    // Moves them out of the range first: one may have the number that another one needs, or be at
    // its own number already, and then dup2(2) would leave its close-on-exec flag set.
    for descriptor in descriptors {
        let now = descriptor.load(Ordering::Relaxed);
        if now < behind {
            // SAFETY: takes numbers only.
            let moved = unsafe { libc::fcntl(now, libc::F_DUPFD_CLOEXEC, behind) };
            descriptor.store(Errno::result(moved)?, Ordering::Relaxed);
        }
    }
    for (descriptor, target) in descriptors.iter().zip(targets) {
        // SAFETY: takes numbers only.
        let placed = unsafe { libc::dup2(descriptor.load(Ordering::Relaxed), target) };
        Errno::result(placed)?;
    }
    Ok(())
}

/// Tries each path, as execvp(3) does, except that it does not pass a file that the kernel cannot
/// execute to a shell.
fn exec(child: &Child<'_>) -> Errno {
    // SAFETY: the C library sets it before `main`, and nothing writes to it.
    let environment = child.environment.unwrap_or(unsafe { environ });
    let mut seen = Errno::ENOENT;
    let mut next = child.candidates;
    loop {
        // SAFETY: the list is null-terminated, and the loop ends there.
        let candidate = unsafe { *next };
        if candidate.is_null() {
            return seen;
        }
        // SAFETY: path, argv and environment are null-terminated as execve(2) wants them.
        unsafe { libc::execve(candidate, child.argv, environment) };
        match Errno::last() {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG | Errno::ELOOP => {}
            Errno::EACCES => seen = Errno::EACCES,
            errno => return errno,
        }
        // SAFETY: the current entry is not the terminator, so another one follows.
        next = unsafe { next.add(1) };
    }
}

#[cfg(test)]
mod tests;
