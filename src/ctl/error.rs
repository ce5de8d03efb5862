//! Why a running pidone could not be asked: one sentence each.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use crate::cause::Cause;
use crate::signal::Signal;

/// What went wrong between `pidone ctl` and a running pidone.
#[derive(Debug)]
pub enum CtlError {
    /// None of these sockets exists.
    NoSocket(Vec<PathBuf>),
    /// There is something, but nobody listens.
    Stale(PathBuf),
    /// It belongs to somebody else.
    Denied {
        /// The socket.
        path: PathBuf,
        /// To this user, as far as can be seen.
        owner: Option<u32>,
        /// We are root, without what root usually may.
        by_root: bool,
    },
    /// It cannot be connected to for another reason.
    Connect(PathBuf, io::Error),
    /// pidone went away before it had answered.
    Closed,
    /// What came is no answer.
    Strange,
    /// The answer could not be printed.
    Output(io::Error),
    /// Nobody has read on for this long.
    Unread(Duration),
    /// This signal has ended a wait for a reader.
    Ended(Signal),
    /// Waiting or the terminal failed.
    System(io::Error),
}

impl fmt::Display for CtlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket(places) => {
                out.write_str("no pidone found: there is no ")?;
                for (index, place) in places.iter().enumerate() {
                    let or = if index == 0 { "" } else { " and no " };
                    write!(out, "{or}{}", place.display())?;
                }
                out.write_str(
                    "; run this in the container of a pidone that runs with -i or --control PATH",
                )
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
                    Some(owner) if *by_root => write!(
                        out,
                        "as user {owner}, whose socket it is (docker exec -u {owner})"
                    ),
                    None if *by_root => out.write_str("as the user that pidone runs as"),
                    Some(owner) => write!(
                        out,
                        "as user {owner}, who owns it, or as root (docker exec -u {owner})"
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
            Self::Strange => out.write_str(
                "the answer is not one of this version of pidone; \
                 is it pidone's socket, and do both have the same version?",
            ),
            Self::Output(error) => {
                write!(out, "cannot print the answer: {}", Cause(error))
            }
            Self::Unread(patience) => write!(
                out,
                "cannot print: standard output is full and was not read for {patience:?}"
            ),
            Self::Ended(signal) => write!(
                out,
                "cannot print: standard output is full and not read, and {signal} came"
            ),
            Self::System(error) => Cause(error).fmt(out),
        }
    }
}
