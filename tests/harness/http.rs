//! A strict HTTP/1.1 client: one complete response, and no further bytes.

use std::io::{ErrorKind, Read, Write};

/// A response while it arrives.
#[derive(Default)]
pub struct Response {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    /// The start of the body.
    end: usize,
    length: usize,
    closing: bool,
}

/// What a response contains so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    Incomplete,
    Complete,
    /// More bytes than one response has.
    TooMuch,
}

impl Response {
    /// Adds received bytes. An error is a head that this client cannot parse.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, String> {
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = Head::parse(&self.bytes)?;
        }
        let Some(head) = self.head else {
            return Ok(Progress::Incomplete);
        };
        Ok(match self.bytes.len().cmp(&(head.end + head.length)) {
            std::cmp::Ordering::Less => Progress::Incomplete,
            std::cmp::Ordering::Equal => Progress::Complete,
            std::cmp::Ordering::Greater => Progress::TooMuch,
        })
    }

    /// The number of bytes received.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its status, 0 if unknown.
    pub fn status(&self) -> u16 {
        self.head.map_or(0, |head| head.status)
    }

    /// Whether it has `Connection: close`.
    pub fn closing(&self) -> bool {
        self.head.is_some_and(|head| head.closing)
    }

    pub fn body(&self) -> &str {
        let body = self.head.and_then(|head| {
            let end = self.bytes.len().min(head.end + head.length);
            self.bytes.get(head.end..end)
        });
        body.and_then(|body| std::str::from_utf8(body).ok())
            .unwrap_or_default()
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes[..at]);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| format!("no status line: {first:?}"))?;
        let (mut length, mut closing) = (None, false);
        for line in lines {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("no header: {line:?}"))?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                closing |= value.eq_ignore_ascii_case("close");
            }
        }
        Ok(Some(Self {
            status,
            end: at + 4,
            length: length.ok_or_else(|| format!("no content-length: {text:?}"))?,
            closing,
        }))
    }
}

/// A request for this path.
pub fn request(path: &str, keep_alive: bool) -> String {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n")
}

/// Sends a request on a blocking stream, and waits for the response.
#[track_caller]
pub fn ask(stream: &mut (impl Read + Write), path: &str, keep_alive: bool) -> Response {
    stream
        .write_all(request(path, keep_alive).as_bytes())
        .unwrap();
    answer(stream)
}

/// The process that responds: the apps answer with their id and the name of the request.
#[track_caller]
pub fn server_of(mut stream: impl Read + Write) -> i32 {
    let response = ask(&mut stream, "/who?", false);
    assert_eq!(response.status(), 200, "{}", response.body());
    let pid = response.body().strip_suffix(" /who?");
    pid.and_then(|pid| pid.parse().ok())
        .unwrap_or_else(|| panic!("{:?}", response.body()))
}

/// Waits for the response to a request that was sent.
#[track_caller]
pub fn answer(stream: &mut impl Read) -> Response {
    let mut response = Response::default();
    let mut block = [0; 65_536];
    loop {
        let read = match stream.read(&mut block) {
            // The machine was stopped for a moment, which interrupts a read with a time limit
            // (signal(7), "Interruption of system calls by stop signals").
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        assert!(read > 0, "closed after {} bytes", response.len());
        match response.feed(&block[..read]).unwrap() {
            Progress::Incomplete => {}
            Progress::Complete => return response,
            Progress::TooMuch => panic!("more than one response"),
        }
    }
}
