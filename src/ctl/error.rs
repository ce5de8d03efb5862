//! Errors of `pidone ctl`, one sentence each.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use crate::cause::Cause;
use crate::signal::Signal;
use crate::text::HumanDuration;

/// An error between `pidone ctl` and a running pidone.
#[derive(Debug)]
pub enum CtlError {
    /// None of these sockets exists.
    NoSocket(Vec<PathBuf>),
    /// The path exists, but no process listens on it.
    Stale(PathBuf),
    /// Permission denied.
    Denied {
        /// The socket.
        path: PathBuf,
        /// Its owner, if known.
        owner: Option<u32>,
        /// `pidone ctl` runs as root, but without CAP_DAC_OVERRIDE.
        by_root: bool,
    },
    /// Connecting failed for another reason.
    Connect(PathBuf, io::Error),
    /// pidone closed the connection before the answer was complete.
    Closed,
    /// The received data is not an answer.
    InvalidAnswer,
    /// Printing the answer failed.
    Output(io::Error),
    /// Standard output was not read for this long.
    Unread(Duration),
    /// This signal ended the wait for a reader of standard output.
    Ended(Signal),
    /// Waiting or the terminal failed.
    System(io::Error),
}

impl fmt::Display for CtlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket(places) => {
                out.write_str("no pidone found: no socket at ")?;
                for (index, place) in places.iter().enumerate() {
                    let or = if index == 0 { "" } else { " or " };
                    write!(out, "{or}{}", place.display())?;
                }
                out.write_str("; run this in the container of a pidone with -i or --control PATH")
            }
            Self::Stale(path) => write!(
                out,
                "{}: no pidone listens there; the one that created it has exited",
                path.display()
            ),
            Self::Denied {
                path,
                owner,
                by_root,
            } => {
                write!(out, "{}: permission denied", path.display())?;
                if *by_root {
                    out.write_str(
                        " even to root, which has no CAP_DAC_OVERRIDE here \
                         (--cap-drop ALL, or drop: [ALL])",
                    )?;
                }
                out.write_str("; run this ")?;
                match owner {
                    Some(owner) if *by_root => {
                        write!(out, "as user {owner}, its owner (docker exec -u {owner})")
                    }
                    None if *by_root => out.write_str("as the user that pidone runs as"),
                    Some(owner) => write!(
                        out,
                        "as user {owner}, its owner, or as root (docker exec -u {owner})"
                    ),
                    None => out.write_str("as the user that pidone runs as, or as root"),
                }
            }
            Self::Connect(path, error) => {
                write!(
                    out,
                    "cannot connect to {}: {}",
                    path.display(),
                    Cause(error)
                )
            }
            Self::Closed => out.write_str(
                "the connection ended before the answer was complete; \
                 pidone has stopped, or has too many other clients",
            ),
            Self::InvalidAnswer => out.write_str(
                "the answer is not from this version of pidone; \
                 is it pidone's socket, and do both have the same version?",
            ),
            Self::Output(error) => {
                write!(out, "cannot print the answer: {}", Cause(error))
            }
            Self::Unread(patience) => write!(
                out,
                "cannot print: standard output is full and was not read for {}",
                HumanDuration(*patience)
            ),
            Self::Ended(signal) => write!(
                out,
                "cannot print: received {signal} while standard output was full and not read"
            ),
            Self::System(error) => Cause(error).fmt(out),
        }
    }
}
