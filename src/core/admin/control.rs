//! The control socket's protocol: one request line, then answer lines that each begin with a tag.
//!
//! | tag | meaning |
//! | --- | --- |
//! | `> ` | progress |
//! | `. ` | the answer, or a part of it; as the last tag: success |
//! | `! ` | failure |
//!
//! Then pidone closes the connection.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use crate::supervisor::ScaleTo;

/// The default paths of the socket; the second is used where the first cannot be created.
pub const PLACES: [&str; 2] = ["/run/pidone.sock", "/tmp/pidone.sock"];

/// The maximum length of a request line, in bytes.
pub const REQUEST_MAX: usize = 256;

/// A request of a control client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRequest {
    /// Show the status.
    Status {
        /// As JSON, for programs.
        json: bool,
    },
    /// As `status --json`, but repeated soon: pidone measures the event loops.
    Top,
    /// Replace all workers.
    Reload {
        /// The answer comes when that is done.
        waits: bool,
    },
    /// Replace the worker of one slot.
    Restart(usize),
    /// Run this number of workers.
    Scale(ScaleTo),
    /// Stop everything.
    Stop,
    /// Whether pidone is ready to serve requests.
    Ready,
    /// Whether pidone runs.
    Live,
}

impl ControlRequest {
    /// The first word of each request.
    pub const VERBS: [&str; 8] = [
        "status", "top", "reload", "restart", "scale", "stop", "ready", "live",
    ];

    /// Parses the bytes received so far; `None`: the request is not complete. `is_all`: the
    /// client will send nothing more.
    #[must_use]
    pub fn read(bytes: &[u8], is_all: bool) -> Option<Result<Self, InvalidRequest>> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        // A prefix of it might be another valid request.
        if line.len() > REQUEST_MAX {
            return Some(Err(InvalidRequest::TooLong));
        }
        (is_all || end.is_some()).then(|| Self::parse(&String::from_utf8_lossy(line)))
    }

    /// Parses a request.
    ///
    /// # Errors
    /// Why the line is not a valid request.
    pub fn parse(line: &str) -> Result<Self, InvalidRequest> {
        let mut words = line.split_ascii_whitespace();
        let Some(verb) = words.next() else {
            return Err(InvalidRequest::Nothing);
        };
        let request = match verb {
            "status" => Self::Status { json: false },
            "top" => Self::Top,
            "reload" => Self::Reload { waits: true },
            "restart" => Self::Restart(number(words.next(), RESTART)?),
            "scale" => Self::Scale(scale_to(words.next())?),
            "stop" => Self::Stop,
            "ready" => Self::Ready,
            "live" => Self::Live,
            _ => return Err(InvalidRequest::Verb(verb.to_owned())),
        };
        match (request, words.next(), words.next()) {
            (_, None, _) => Ok(request),
            (Self::Status { .. }, Some("--json"), None) => Ok(Self::Status { json: true }),
            (Self::Reload { .. }, Some("--no-wait"), None) => Ok(Self::Reload { waits: false }),
            (_, Some(word), _) => Err(InvalidRequest::Surplus(word.to_owned())),
        }
    }
}

/// The request line, without its newline.
impl fmt::Display for ControlRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { json: false } => out.write_str("status"),
            Self::Status { json: true } => out.write_str("status --json"),
            Self::Top => out.write_str("top"),
            Self::Reload { waits: true } => out.write_str("reload"),
            Self::Reload { waits: false } => out.write_str("reload --no-wait"),
            Self::Restart(slot) => write!(out, "restart {slot}"),
            Self::Scale(ScaleTo::Number(number)) => write!(out, "scale {number}"),
            Self::Scale(ScaleTo::More(more)) => write!(out, "scale +{more}"),
            Self::Scale(ScaleTo::Fewer(fewer)) => write!(out, "scale -{fewer}"),
            Self::Scale(ScaleTo::Auto) => out.write_str("scale auto"),
            Self::Scale(ScaleTo::Percent(percent)) => write!(out, "scale {percent}%"),
            Self::Stop => out.write_str("stop"),
            Self::Ready => out.write_str("ready"),
            Self::Live => out.write_str("live"),
        }
    }
}

const RESTART: &str = "restart needs the number of a slot, as in: restart 0";
const SCALE: &str = "scale needs a number of workers: 4, +1, -1, auto, or 50% of auto";

/// Accepts digits only; `parse` alone would accept a plus sign.
fn number(word: Option<&str>, need: &'static str) -> Result<usize, InvalidRequest> {
    let word = word.ok_or(InvalidRequest::Missing(need))?;
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let number = word.parse().ok().filter(|_| digits);
    number.ok_or_else(|| InvalidRequest::Number(need, word.to_owned()))
}

fn scale_to(word: Option<&str>) -> Result<ScaleTo, InvalidRequest> {
    let text = word.ok_or(InvalidRequest::Missing(SCALE))?;
    if text == "auto" {
        return Ok(ScaleTo::Auto);
    }
    let (digits, to): (_, fn(usize) -> ScaleTo) = match text.strip_prefix(['+', '-']) {
        Some(more) if text.starts_with('+') => (more, ScaleTo::More),
        Some(fewer) => (fewer, ScaleTo::Fewer),
        None => match text.strip_suffix('%') {
            Some(percent) => (percent, ScaleTo::Percent),
            None => (text, ScaleTo::Number),
        },
    };
    let invalid = |_| InvalidRequest::Number(SCALE, text.to_owned());
    number(Some(digits), SCALE).map(to).map_err(invalid)
}

/// Why a line is not a valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidRequest {
    /// It is empty.
    Nothing,
    /// Its first word is unknown.
    Verb(String),
    /// The number is missing.
    Missing(&'static str),
    /// The argument is not a number.
    Number(&'static str, String),
    /// It has an unexpected argument.
    Surplus(String),
    /// It has more than [`REQUEST_MAX`] bytes.
    TooLong,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => out.write_str("missing request; use one of ")?,
            Self::Verb(word) => write!(out, "unknown request \"{word}\"; use one of ")?,
            Self::Missing(need) => return out.write_str(need),
            Self::Number(need, word) => return write!(out, "\"{word}\" is not a number; {need}"),
            Self::TooLong => return write!(out, "request too long: at most {REQUEST_MAX} bytes"),
            Self::Surplus(word) => return write!(out, "unexpected argument \"{word}\""),
        }
        out.write_str(&Self::list())
    }
}

impl InvalidRequest {
    fn list() -> String {
        ControlRequest::VERBS.join(", ")
    }
}

/// A line of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerLine<'a> {
    /// Progress.
    Progress(&'a str),
    /// The answer, or a part of it. As the last line: success.
    Done(&'a str),
    /// Failure.
    Failed(&'a str),
}

impl<'a> AnswerLine<'a> {
    /// Parses a line without its newline; `None`: it has no tag.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let (tag, text) = line.split_at_checked(2)?;
        match tag {
            "> " => Some(Self::Progress(text)),
            ". " => Some(Self::Done(text)),
            "! " => Some(Self::Failed(text)),
            _ => None,
        }
    }
}

/// Progress.
#[must_use]
pub fn progress(text: &str) -> String {
    tagged('>', text)
}

/// How many steps of how many a request has done, by a progress line; `None`: the line does not tell.
#[must_use]
pub fn progress_of(text: &str) -> Option<(usize, usize)> {
    let (done, rest) = text.split_once(" of ")?;
    let (of, _) = rest.split_once(':')?;
    Some((done.parse().ok()?, of.parse().ok()?))
}

/// An answer, or success.
#[must_use]
pub fn success(text: &str) -> String {
    tagged('.', text)
}

/// Failure, and its reason.
#[must_use]
pub fn failure(text: &str) -> String {
    tagged('!', text)
}

/// Prefixes each line with the tag, and removes control characters.
fn tagged(tag: char, text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 8);
    for line in text.lines() {
        lines.extend([tag, ' ']);
        lines.push_str(&printable(line));
        lines.push('\n');
    }
    lines
}

/// Removes control characters, which a terminal would interpret. Any user can own a socket in /tmp,
/// so `pidone ctl` must not trust what it reads from one.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn every_request_is_parsed_as_it_is_written() {
        for request in [
            ControlRequest::Status { json: false },
            ControlRequest::Status { json: true },
            ControlRequest::Top,
            ControlRequest::Reload { waits: true },
            ControlRequest::Reload { waits: false },
            ControlRequest::Restart(0),
            ControlRequest::Restart(12),
            ControlRequest::Scale(ScaleTo::Number(4)),
            ControlRequest::Scale(ScaleTo::More(1)),
            ControlRequest::Scale(ScaleTo::Fewer(2)),
            ControlRequest::Scale(ScaleTo::Auto),
            ControlRequest::Scale(ScaleTo::Percent(150)),
            ControlRequest::Stop,
            ControlRequest::Ready,
            ControlRequest::Live,
        ] {
            let line = request.to_string();
            assert_eq!(ControlRequest::parse(&line), Ok(request), "{line}");
            assert_eq!(ControlRequest::parse(&format!(" {line}\r\n")), Ok(request));
            let verb = line.split(' ').next().unwrap();
            assert!(ControlRequest::VERBS.contains(&verb));
        }
    }

    #[test]
    fn an_invalid_request_has_a_reason() {
        for (line, part) in [
            ("", "missing request; use one of status, top, reload, "),
            ("statsu", "unknown request \"statsu\"; use one of status,"),
            ("RELOAD", "unknown request \"RELOAD\""),
            ("restart", "restart needs the number of a slot"),
            ("restart one", "\"one\" is not a number; restart needs"),
            ("restart +1", "\"+1\" is not a number"),
            ("restart -1", "\"-1\" is not a number"),
            ("restart 99999999999999999999999", "is not a number"),
            ("restart 1 2", "unexpected argument \"2\""),
            ("scale", "scale needs a number of workers"),
            ("scale 1.5", "\"1.5\" is not a number"),
            ("scale +", "\"+\" is not a number"),
            ("scale --1", "\"--1\" is not a number"),
            ("scale +1%", "\"+1%\" is not a number"),
            ("scale %", "\"%\" is not a number"),
            ("scale AUTO", "\"AUTO\" is not a number; scale needs"),
            ("reload --now", "unexpected argument \"--now\""),
            ("restart 1 --no-wait", "unexpected argument"),
            ("reload 1", "unexpected argument \"1\""),
            ("reload --json", "unexpected argument \"--json\""),
            ("status --json x", "unexpected argument"),
            ("status json", "unexpected argument \"json\""),
        ] {
            let why = ControlRequest::parse(line).unwrap_err().to_string();
            assert!(why.contains(part), "{line}: {why}");
        }
    }

    #[test]
    fn a_request_ends_with_a_newline_or_the_stream() {
        let status = Some(Ok(ControlRequest::Status { json: false }));
        assert_eq!(ControlRequest::read(b"status", false), None);
        assert_eq!(ControlRequest::read(b"status\nmore", false), status);
        assert_eq!(ControlRequest::read(b"status", true), status);
        assert_eq!(
            ControlRequest::read(b"", true),
            Some(Err(InvalidRequest::Nothing))
        );
    }

    #[test]
    fn a_line_above_the_bound_is_rejected_as_a_whole() {
        let padded = |length| format!("{:<length$}", "scale 1");
        let (fits, is_longer) = (padded(REQUEST_MAX), padded(REQUEST_MAX) + "0");
        assert_eq!(ControlRequest::read(fits.as_bytes(), false), None);
        let scale = Some(Ok(ControlRequest::Scale(ScaleTo::Number(1))));
        assert_eq!(ControlRequest::read(fits.as_bytes(), true), scale);
        for end in ["", "\n"] {
            let read = ControlRequest::read(format!("{is_longer}{end}").as_bytes(), false);
            assert_eq!(read, Some(Err(InvalidRequest::TooLong)));
        }
    }

    #[test]
    fn progress_is_parsed_as_it_is_written() {
        let (replaced, of) = (3, 16);
        let progress = crate::supervisor::Progress { replaced, of };
        let line = format!("{progress}: slot 2: x");
        assert_eq!(progress_of(&line), Some((replaced, of)));
        for other in ["", "slot 0", "3 of 16", "a of 16:", "3 of :", "3 of -1:"] {
            assert_eq!(progress_of(other), None, "{other:?}");
        }
    }

    #[test]
    fn each_answer_line_has_its_tag() {
        assert_eq!(progress("slot 0: done"), "> slot 0: done\n");
        assert_eq!(success("a\nb é\n"), ". a\n. b é\n");
        assert_eq!(failure("a\u{1b}[2J\tb"), "! a[2Jb\n");
        for (line, wanted) in [
            ("> a b", AnswerLine::Progress("a b")),
            (". ", AnswerLine::Done("")),
            ("! é", AnswerLine::Failed("é")),
        ] {
            assert_eq!(AnswerLine::parse(line), Some(wanted));
        }
        for none in ["", ">", "x y", ".text", "é"] {
            assert_eq!(AnswerLine::parse(none), None, "{none:?}");
        }
    }
}
