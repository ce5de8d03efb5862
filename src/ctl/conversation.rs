//! One request and its answer, line by line.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::CtlError;
use crate::protocol::control::{Request, printable};
use crate::sys::identity;

/// Longer than any line of pidone's: a status of a thousand workers has some 300 KB.
const LONGEST: usize = 1 << 20;

/// A connection to a running pidone that has been asked for something.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: UnixStream,
    /// What has come and was not looked at yet.
    input: Vec<u8>,
    /// Nothing more will come.
    ended: bool,
}

impl Conversation {
    /// Asks the first pidone that can be found at these places.
    pub(super) fn begin(places: &[PathBuf], request: Request) -> Result<Self, CtlError> {
        let mut stream = connect(places)?;
        let line = format!("{request}\n");
        // Who closes without listening may still have said why; reading will tell.
        let _ = stream.write_all(line.as_bytes());
        stream.set_nonblocking(true).map_err(CtlError::System)?;
        Ok(Self {
            stream,
            input: Vec::new(),
            ended: false,
        })
    }

    /// Takes a line that has come, without its end; `None`: there is none yet.
    pub(super) fn line(&mut self) -> Result<Option<String>, CtlError> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            return match self.input.len() {
                ..LONGEST => Ok(None),
                _ => Err(CtlError::Strange),
            };
        };
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        let line = String::from_utf8(line).map_err(|_| CtlError::Strange)?;
        Ok(Some(printable(&line)))
    }

    /// Whether all has come. Half a line at the end is none.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what has come since.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => self.input.extend(buffer.iter().take(length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                // ECONNRESET: it was closed with our request unread.
                _ => self.ended = true,
            },
        }
    }
}

impl AsFd for Conversation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a place that is no socket says of itself is worth more than that others do not exist.
fn connect(places: &[PathBuf]) -> Result<UnixStream, CtlError> {
    let mut failure = None;
    for place in places {
        match UnixStream::connect(place) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                failure.get_or_insert((place, error));
            }
        }
    }
    Err(match failure {
        None => CtlError::NoSocket(places.to_vec()),
        Some((place, error)) => match error.kind() {
            ErrorKind::ConnectionRefused => CtlError::Stale(place.clone()),
            ErrorKind::PermissionDenied => CtlError::Denied {
                path: place.clone(),
                owner: owner(place),
                by_root: identity::own_user() == 0,
            },
            _ => CtlError::Connect(place.clone(), error),
        },
    })
}

/// `None`: it is in a directory that may not be looked into.
fn owner(place: &Path) -> Option<u32> {
    place.metadata().ok().map(|metadata| metadata.uid())
}
