//! What the options' values mean.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::config::UserSpec;
use crate::signal::Signal;

/// A value that means nothing; holds what would be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) &'static str);

pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Wrong("1 or 0, true or false, yes or no, on or off")),
    }
}

/// How many times louder: a switch, or a count.
pub(super) fn verbosity(text: &str) -> Result<u32, Wrong> {
    let count = text.parse().ok().filter(|count| *count <= 9);
    count
        .or_else(|| switch(text).ok().map(u32::from))
        .ok_or(Wrong("0, 1 (debug) or 2 (trace)"))
}

pub(super) fn signal(text: &str) -> Result<Signal, Wrong> {
    Signal::parse(text).ok_or(Wrong(
        "a name such as TERM, SIGHUP or RTMIN+3, or a number from 1 to 64",
    ))
}

/// `FROM:TO`, with `None` for a signal that is dropped.
pub(super) fn rewrite(text: &str) -> Result<(Signal, Option<Signal>), Wrong> {
    const ACCEPTED: Wrong =
        Wrong("FROM:TO with names or numbers, as in TERM:QUIT, and 0 as TO to drop the signal");
    const UNSEEN: Wrong =
        Wrong("as FROM any signal but KILL, STOP and CHLD, which pidone cannot forward");
    let (from, to) = text.split_once(':').ok_or(ACCEPTED)?;
    let from = Signal::parse(from).ok_or(ACCEPTED)?;
    if matches!(from, Signal::KILL | Signal::STOP | Signal::CHLD) {
        return Err(UNSEEN);
    }
    let to = match to {
        "0" => None,
        to => Some(Signal::parse(to).ok_or(ACCEPTED)?),
    };
    Ok((from, to))
}

/// `500ms`, `10s`, `2m`, `1h`, or `0`; with a decimal point if need be.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    const ACCEPTED: Wrong = Wrong("a time such as 500ms, 10s, 2m or 1h, at most 1000h");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_each = match text.get(digits.len()..) {
        Some("ms") => 0.001,
        Some("s") => 1.0,
        Some("m") => 60.0,
        Some("h") => 3600.0,
        _ => return Err(ACCEPTED),
    };
    if !digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Err(ACCEPTED);
    }
    let seconds = digits.parse::<f64>().map_err(|_| ACCEPTED)? * seconds_each;
    if seconds > 3_600_000.0 {
        return Err(ACCEPTED);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| ACCEPTED)
}

pub(super) fn exit_code(text: &str) -> Result<u8, Wrong> {
    text.parse().map_err(|_| Wrong("a number from 0 to 255"))
}

pub(super) fn user(text: &str) -> Result<UserSpec, Wrong> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if user.is_empty() || group.is_some_and(|group| group.is_empty() || group.contains(':')) {
        return Err(Wrong("USER or USER:GROUP, names or numbers"));
    }
    Ok(UserSpec {
        user: user.to_owned(),
        group: group.map(str::to_owned),
    })
}

/// A filter for `env_logger`: a level, or `TARGET=LEVEL` with commas.
pub(super) fn filter(text: &str) -> Result<String, Wrong> {
    let is_level = |word: &str| word.parse::<log::LevelFilter>().is_ok();
    let is_directive = |part: &str| is_level(part.rsplit('=').next().unwrap_or(part).trim());
    if text.split(',').all(is_directive) {
        Ok(text.to_owned())
    } else {
        Err(Wrong("off, error, warn, info, debug or trace"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.5s", 1_500),
            ("1000h", 3_600_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "ms",
            ".",
            "-1s",
            "+1s",
            "1 s",
            "1d",
            "1e3s",
            "infs",
            "NaNs",
            "1.2.3s",
            "1001h",
            "99999999999999999999h",
            "5sec",
            "１s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rewrites_take_names_numbers_and_zero() {
        let term = Signal::parse("TERM").unwrap();
        let quit = Signal::parse("QUIT").unwrap();
        for text in ["TERM:QUIT", "SIGTERM:SIGQUIT", "15:3", "sigterm:quit"] {
            assert_eq!(rewrite(text), Ok((term, Some(quit))), "{text}");
        }
        assert_eq!(rewrite("TERM:0"), Ok((term, None)));
        for text in [
            "",
            "TERM",
            "TERM:",
            ":QUIT",
            "0:TERM",
            "TERM:65",
            "TERM:QUIT:3",
            "KILL:TERM",
            "17:0",
        ] {
            assert!(rewrite(text).is_err(), "{text}");
        }
    }

    #[test]
    fn users_are_split_at_the_colon() {
        assert_eq!(
            user("node").map(|spec| (spec.user, spec.group)),
            Ok(("node".into(), None))
        );
        assert_eq!(
            user("1000:node").map(|spec| (spec.user, spec.group)),
            Ok(("1000".into(), Some("node".into())))
        );
        for text in ["", ":", "node:", ":node", "a:b:c"] {
            assert!(user(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_log_filter_is_made_of_levels() {
        for text in [
            "info",
            "WARN",
            "off",
            "pidone=trace",
            "warn,pidone::runtime=debug",
        ] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["loud", "", "pidone=", "info,loud"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
