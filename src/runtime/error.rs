//! Why a run could not be: one sentence and one exit status each.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::ports::OpenError;
use crate::address::Endpoint;
use crate::sys::activation::ActivationError;
use crate::sys::identity::IdentityError;
use crate::sys::process::{SpawnError, Step};

/// pidone's own failure, or its command's failure to start.
#[derive(Debug)]
pub enum RunError {
    /// `--user` names somebody who is not there.
    User(IdentityError),
    /// `--subreaper` was insisted on, and the kernel refused.
    Subreaper(io::Error),
    /// `--parent-death` was refused.
    ParentDeath(io::Error),
    /// The command did not start.
    Spawn(OsString, SpawnError),
    /// Sockets that pidone was given are no use.
    Activation(ActivationError),
    /// `--listen` names something that cannot be had.
    Listen(OpenError),
    /// `--http` names something that cannot be had.
    Http(Endpoint, io::Error),
    /// `--control` names something that cannot be had.
    Control(PathBuf, io::Error),
    /// `--max-memory` is so many percent of a limit that is not there.
    NoMemoryLimit(u8),
    /// No channel to a worker.
    Channel(io::Error),
    /// A system call failed that pidone cannot do without.
    System(io::Error),
}

impl RunError {
    /// The status to leave with, as `docker run` has it: 127 not found, 126 cannot be executed,
    /// 125 everything that is not the command's fault.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Spawn(_, error) => match error.step {
                Step::Find => 127,
                Step::Execute | Step::Interpreter => 126,
                Step::Arguments | Step::Clone | Step::Descriptors | Step::Identity => 125,
            },
            _ => 125,
        }
    }
}

impl From<IdentityError> for RunError {
    fn from(error: IdentityError) -> Self {
        Self::User(error)
    }
}

impl From<ActivationError> for RunError {
    fn from(error: ActivationError) -> Self {
        Self::Activation(error)
    }
}

impl From<OpenError> for RunError {
    fn from(error: OpenError) -> Self {
        Self::Listen(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => error.fmt(out),
            Self::Subreaper(cause) => write!(out, "--subreaper: the kernel refuses: {cause}"),
            Self::ParentDeath(cause) => write!(out, "--parent-death: the kernel refuses: {cause}"),
            Self::Spawn(program, error) => explain(out, &program.to_string_lossy(), error),
            Self::Activation(error) => error.fmt(out),
            Self::Listen(error) => error.fmt(out),
            Self::Http(endpoint, cause) => write!(
                out,
                "--http {endpoint}: cannot listen there: {cause}; name a port of this machine that is free"
            ),
            Self::Control(path, cause) if cause.kind() == io::ErrorKind::AddrInUse => write!(
                out,
                "--control {}: another pidone listens there, or it is no socket; name another path, or remove it",
                path.display()
            ),
            Self::Control(path, cause) => write!(
                out,
                "--control {}: cannot be made: {cause}; name a path in a directory that pidone can write to",
                path.display()
            ),
            Self::NoMemoryLimit(percent) => write!(
                out,
                "--max-memory: {percent}% of what? The control group has no memory limit; \
                 give the container one (docker run --memory), or give a size such as 300M"
            ),
            Self::Channel(cause) => write!(
                out,
                "cannot start a worker: no channel to be had: {cause}; raise the limit of descriptors (ulimit -n)"
            ),
            Self::System(cause) => write!(out, "cannot go on: {cause}"),
        }
    }
}

fn explain(out: &mut fmt::Formatter<'_>, program: &str, error: &SpawnError) -> fmt::Result {
    let cause = &error.cause;
    match error.step {
        Step::Arguments => write!(
            out,
            "cannot start \"{program}\": an argument holds a NUL byte"
        ),
        Step::Clone => write!(
            out,
            "cannot start \"{program}\": no process to be had: {cause}; look at the container's pids limit and at `ulimit -u`"
        ),
        Step::Descriptors => write!(
            out,
            "cannot start \"{program}\": its sockets cannot be passed on: {cause}; look at `ulimit -n`"
        ),
        Step::Identity => write!(
            out,
            "--user: cannot become that user: {cause}; pidone itself must be started as root for that, or as the very user"
        ),
        Step::Find if program.contains('/') => {
            write!(
                out,
                "cannot start \"{program}\": {cause}; give the path of a program"
            )
        }
        Step::Find => write!(
            out,
            "cannot start \"{program}\": it is nowhere in PATH; install it, or give its full path"
        ),
        Step::Interpreter => write!(
            out,
            "cannot start \"{program}\": it is there, but the interpreter it needs is not (its #! line, or the dynamic loader it was linked for): {cause}"
        ),
        Step::Execute => {
            let remedy = match cause.raw_os_error() {
                Some(libc_errno::EACCES) => {
                    "; it must be a file, not a directory, and executable (chmod +x)"
                }
                Some(libc_errno::ENOEXEC) => {
                    "; it must be a program for this machine's architecture, or a script that begins with #!"
                }
                _ => "",
            };
            write!(out, "cannot start \"{program}\": {cause}{remedy}")
        }
    }
}

/// The two errno values that have a remedy of their own (errno(3), the same on every architecture).
mod libc_errno {
    pub(super) const ENOEXEC: i32 = 8;
    pub(super) const EACCES: i32 = 13;
}
