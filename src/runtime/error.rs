//! Why a run failed: one sentence and one exit status each.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::ports::OpenError;
use crate::address::Endpoint;
use crate::cause::Cause;
use crate::config::Command;
use crate::errno;
use crate::launch;
use crate::sys::activation::ActivationError;
use crate::sys::identity::IdentityError;
use crate::sys::process::{SpawnError, SpawnStep};

/// pidone's own failure, or a failure to start its command.
#[derive(Debug)]
pub enum RunError {
    /// `--user` names an unknown user.
    User(IdentityError),
    /// `--subreaper` is set, and the kernel refused.
    Subreaper(io::Error),
    /// The kernel refused `--parent-death`.
    ParentDeath(io::Error),
    /// The command did not start.
    Spawn {
        /// As the user wrote it.
        program: OsString,
        /// The failed step and its cause.
        error: SpawnError,
        /// What the user probably meant, if pidone can tell.
        meant: Option<String>,
    },
    /// Inherited sockets are unusable.
    Activation(ActivationError),
    /// pidone cannot listen on an address of `--listen`.
    Listen(OpenError),
    /// pidone cannot listen on the address of `--http`.
    Http(Endpoint, io::Error),
    /// pidone cannot create the socket of `--control`.
    Control(PathBuf, io::Error),
    /// `--max-memory` is a percentage, and there is no memory limit.
    NoMemoryLimit(u8),
    /// Cannot create a channel to a worker.
    Channel(io::Error),
    /// A system call failed that pidone cannot work without.
    System(io::Error),
}

impl RunError {
    /// The command did not start.
    pub(super) fn of_command(command: &Command, error: SpawnError) -> Self {
        let meant = launch::meant(&command.words(), &|path| fs::read_to_string(path).ok());
        Self::Spawn {
            program: command.program.clone(),
            error,
            meant,
        }
    }

    /// The exit status, as with `docker run`: 127 not found, 126 cannot be executed, 125 any other
    /// failure.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Spawn { error, .. } => match error.step {
                SpawnStep::Find => 127,
                SpawnStep::Execute | SpawnStep::Interpreter => 126,
                SpawnStep::Arguments
                | SpawnStep::Clone
                | SpawnStep::Descriptors
                | SpawnStep::Identity => 125,
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
            Self::Subreaper(cause) => {
                write!(out, "--subreaper: the kernel refuses: {}", Cause(cause))
            }
            Self::ParentDeath(cause) => {
                write!(out, "--parent-death: the kernel refuses: {}", Cause(cause))
            }
            Self::Spawn {
                program,
                error,
                meant,
            } => explain(out, &program.to_string_lossy(), error, meant.as_deref()),
            Self::Activation(error) => error.fmt(out),
            Self::Listen(error) => error.fmt(out),
            Self::Http(endpoint, cause) => write!(
                out,
                "--http {endpoint}: cannot listen there: {}; choose an address of this machine and a free port",
                Cause(cause)
            ),
            Self::Control(path, cause) if cause.kind() == io::ErrorKind::AddrInUse => write!(
                out,
                "--control {}: another pidone listens there, or the file is not a socket; choose another path, or remove the file",
                path.display()
            ),
            Self::Control(path, cause) => write!(
                out,
                "--control {}: cannot create the socket: {}; choose a path in a directory that pidone can write to",
                path.display(),
                Cause(cause)
            ),
            Self::NoMemoryLimit(percent) => write!(
                out,
                "--max-memory {percent}%: the control group has no memory limit; \
                 give the container one (docker run --memory), or use a size such as 300M"
            ),
            Self::Channel(cause) => write!(
                out,
                "cannot start a worker: cannot create a channel: {}; raise the limit of descriptors (ulimit -n)",
                Cause(cause)
            ),
            Self::System(cause) => write!(out, "cannot continue: {}", Cause(cause)),
        }
    }
}

fn explain(
    out: &mut fmt::Formatter<'_>,
    program: &str,
    error: &SpawnError,
    meant: Option<&str>,
) -> fmt::Result {
    let cause = Cause(&error.cause);
    match error.step {
        SpawnStep::Arguments => write!(
            out,
            "cannot start \"{program}\": an argument contains a NUL byte"
        ),
        SpawnStep::Clone => write!(
            out,
            "cannot start \"{program}\": cannot create a process: {cause}; check the container's pids limit and `ulimit -u`"
        ),
        SpawnStep::Descriptors => write!(
            out,
            "cannot start \"{program}\": cannot pass sockets to it: {cause}; check `ulimit -n`"
        ),
        SpawnStep::Identity => write!(
            out,
            "--user: cannot become that user: {cause}; start pidone itself as root, or as that user"
        ),
        SpawnStep::Find if program.contains('/') => {
            write!(
                out,
                "cannot start \"{program}\": {cause}; {}",
                meant.unwrap_or("give the path of a program")
            )
        }
        SpawnStep::Find => write!(
            out,
            "cannot start \"{program}\": no such program in PATH; {}",
            meant.unwrap_or("install it, or give its full path")
        ),
        SpawnStep::Interpreter => write!(
            out,
            "cannot start \"{program}\": the file exists, but its interpreter does not (the one in its #! line, or the dynamic loader it is linked for): {cause}"
        ),
        SpawnStep::Execute => {
            let remedy = match (error.cause.raw_os_error(), meant) {
                (Some(errno::EACCES | errno::ENOEXEC), Some(meant)) => meant,
                (Some(errno::EACCES), None) => {
                    "it must be a file, not a directory, and executable (chmod +x)"
                }
                (Some(errno::ENOEXEC), None) => {
                    "it must be a program for this machine's architecture, or a script that begins with #!"
                }
                _ => return write!(out, "cannot start \"{program}\": {cause}"),
            };
            write!(out, "cannot start \"{program}\": {cause}; {remedy}")
        }
    }
}
