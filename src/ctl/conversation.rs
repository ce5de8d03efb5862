//! One request and its answer, line by line.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::CtlError;
use crate::admin::control::{ControlRequest, printable};
use crate::sys::identity;

/// The maximum length of a line: a status of a thousand workers has about 300 KB.
const LONGEST: usize = 1 << 20;

/// A connection to a running pidone on which a request was sent.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: UnixStream,
    /// Received bytes that are not parsed yet.
    input: Vec<u8>,
    /// The connection has ended.
    ended: bool,
}

impl Conversation {
    /// Sends a request to the first pidone found at these paths.
    pub(super) fn begin(places: &[PathBuf], request: ControlRequest) -> Result<Self, CtlError> {
        let mut stream = connect(places)?;
        let line = format!("{request}\n");
        // A pidone that closes the connection unread may have sent the reason first, so read in any case.
        let _ = stream.write_all(line.as_bytes());
        stream.set_nonblocking(true).map_err(CtlError::System)?;
        Ok(Self {
            stream,
            input: Vec::new(),
            ended: false,
        })
    }

    /// Takes a received line, without its newline; `None`: no whole line was received yet.
    pub(super) fn line(&mut self) -> Result<Option<String>, CtlError> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            return match self.input.len() {
                ..LONGEST => Ok(None),
                _ => Err(CtlError::InvalidAnswer),
            };
        };
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        let line = String::from_utf8(line).map_err(|_| CtlError::InvalidAnswer)?;
        Ok(Some(printable(&line)))
    }

    /// Whether the connection has ended. A partial line at the end is ignored.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads the bytes available.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => self.input.extend(buffer.iter().take(length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                // ECONNRESET: pidone closed it without reading the request.
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

/// Connects to the first of these paths that works. An error about an existing file takes precedence
/// over missing ones.
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

/// The owner of a file; `None`: no permission to search its directory.
fn owner(place: &Path) -> Option<u32> {
    place.metadata().ok().map(|metadata| metadata.uid())
}
