//! Parsers for the options' values.

#![forbid(unsafe_code)]

use std::str::FromStr;
use std::time::Duration;

use crate::address::{AddressError, Endpoint, LONGEST_UNIX_NAME};
use crate::config::{Control, Instances, MemoryLimit, Surge, UserSpec};
use crate::signal::Signal;

/// Why a value is invalid, as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidValue {
    /// The valid values.
    Give(&'static str),
    /// A number without its unit, and the likely units.
    NoUnit([&'static str; 2]),
    /// An invalid address.
    Address(AddressError),
}

impl InvalidValue {
    /// The end of the error message about this value.
    pub(super) fn about(self, value: &str) -> String {
        match self {
            Self::Give(accepted) => format!("give {accepted}"),
            Self::NoUnit([one, other]) => {
                format!("it has no unit; did you mean {value}{one} or {value}{other}?")
            }
            Self::Address(error) => error.to_string(),
        }
    }
}

pub(super) fn switch(text: &str) -> Result<bool, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(InvalidValue::Give(
            "1 or 0, true or false, yes or no, on or off",
        )),
    }
}

/// The number of steps in verbosity: a switch, or a count.
pub(super) fn verbosity(text: &str) -> Result<u32, InvalidValue> {
    let count = text.parse().ok().filter(|count| *count <= 9);
    count
        .or_else(|| switch(text).ok().map(u32::from))
        .ok_or(InvalidValue::Give("0, 1 (debug) or 2 (trace)"))
}

pub(super) fn signal(text: &str) -> Result<Signal, InvalidValue> {
    Signal::parse(text).ok_or(InvalidValue::Give(
        "a name such as TERM, SIGHUP or RTMIN+3, or a number from 1 to 64",
    ))
}

/// `FROM:TO`, with `None` for a signal that is dropped.
pub(super) fn rewrite(text: &str) -> Result<(Signal, Option<Signal>), InvalidValue> {
    const ACCEPTED: InvalidValue = InvalidValue::Give(
        "FROM:TO with names or numbers, as in TERM:QUIT, and 0 as TO to drop the signal",
    );
    const UNSEEN: InvalidValue = InvalidValue::Give(
        "as FROM any signal but KILL, STOP and CHLD, which pidone cannot forward",
    );
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

/// `500ms`, `10s`, `2m`, `1h`, or `0`; may have a decimal point.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidValue> {
    const ACCEPTED: InvalidValue =
        InvalidValue::Give("a time such as 500ms, 10s, 2m or 1h, at most 1000h");
    const LONGEST: Duration = Duration::from_secs(1000 * 3600);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let number = |digits: &str| whole::<u32>(digits).ok_or(ACCEPTED);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("ms") => Duration::from_millis(1),
        Some("s") => Duration::from_secs(1),
        Some("m") => Duration::from_secs(60),
        Some("h") => Duration::from_secs(3600),
        Some("") if number(text).is_ok() => return Err(InvalidValue::NoUnit(["s", "ms"])),
        _ => return Err(ACCEPTED),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    // Integers, as floating point code is large: this limits the number of digits.
    let places = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    let parts = 10_u32.checked_pow(places).ok_or(ACCEPTED)?;
    let part = unit.checked_mul(number(fraction)?).ok_or(ACCEPTED)? / parts;
    let duration = unit.checked_mul(number(integer)?).ok_or(ACCEPTED)? + part;
    if duration > LONGEST {
        return Err(ACCEPTED);
    }
    Ok(duration)
}

pub(super) fn exit_code(text: &str) -> Result<u8, InvalidValue> {
    text.parse()
        .map_err(|_| InvalidValue::Give("a number from 0 to 255"))
}

pub(super) fn user(text: &str) -> Result<UserSpec, InvalidValue> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if user.is_empty() || group.is_some_and(|group| group.is_empty() || group.contains(':')) {
        return Err(InvalidValue::Give("USER or USER:GROUP, names or numbers"));
    }
    Ok(UserSpec {
        user: user.to_owned(),
        group: group.map(str::to_owned),
    })
}

/// The meaning of the given word.
pub(super) fn one_of<T: Copy>(
    text: &str,
    words: &[(&str, T)],
    wrong: InvalidValue,
) -> Result<T, InvalidValue> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or(wrong)
}

pub(super) fn on_or_off(text: &str) -> Result<bool, InvalidValue> {
    let words = [("on", true), ("off", false)];
    one_of(text, &words, InvalidValue::Give("on or off"))
}

/// No machine that runs pidone has more CPUs than this.
const INSTANCES_MAX: u16 = Instances::MAX;

pub(super) fn instances(text: &str) -> Result<Instances, InvalidValue> {
    match text {
        // pm2 calls it max and 0.
        "auto" | "max" | "0" => Ok(Instances::Auto),
        _ => concurrency(text)
            .map(Instances::Count)
            .map_err(|_| InvalidValue::Give("a number from 1 to 1024, or auto")),
    }
}

/// The value of `WEB_CONCURRENCY`.
pub(super) fn concurrency(text: &str) -> Result<u16, InvalidValue> {
    let count = whole(text).filter(|count| (1..=INSTANCES_MAX).contains(count));
    count.ok_or(InvalidValue::Give("a number from 1 to 1024"))
}

/// A number of spares.
pub(super) fn count(text: &str) -> Result<u16, InvalidValue> {
    let count = whole(text).filter(|count| *count <= INSTANCES_MAX);
    count.ok_or(InvalidValue::Give("a number from 0 to 1024"))
}

/// How many workers are replaced at a time: a number, or a percentage of all.
pub(super) fn surge(text: &str) -> Result<Surge, InvalidValue> {
    let surge = match text.strip_suffix('%') {
        Some(share) => whole(share)
            .filter(|share| (1..=100).contains(share))
            .map(Surge::Percent),
        None => concurrency(text).ok().map(Surge::Count),
    };
    surge.ok_or(InvalidValue::Give(
        "a number from 1 to 1024, or a percentage of the workers from 1% to 100%",
    ))
}

/// A port that a client can connect to: not 0.
pub(super) fn port(text: &str) -> Option<u16> {
    whole(text).filter(|port| *port > 0)
}

/// Accepts digits only; `parse` alone would accept a plus sign.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The name of a variable, as a shell accepts it.
pub(super) fn variable_name(text: &str) -> Result<String, InvalidValue> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let number = |c: char| c.is_ascii_digit();
    if text.is_empty() || text.starts_with(number) || !text.chars().all(word) {
        return Err(InvalidValue::Give("the name of a variable, such as PORT"));
    }
    Ok(text.to_owned())
}

/// The name of a variable for a worker's number. Another pidone, Node.js and libraries for socket
/// activation would take the number for something else.
pub(super) fn instance_var(text: &str) -> Result<String, InvalidValue> {
    const ACCEPTED: InvalidValue = InvalidValue::Give(
        "the name of a variable that begins with none of NODE_, LISTEN_ and PIDONE_, \
         such as INSTANCE_ID",
    );
    let name = variable_name(text).map_err(|_| ACCEPTED)?;
    let taken = ["NODE_", "LISTEN_", "PIDONE_"];
    if taken.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(ACCEPTED);
    }
    Ok(name)
}

/// A duration that is not zero.
pub(super) fn some_time(text: &str) -> Result<Duration, InvalidValue> {
    let time = duration(text)?;
    (!time.is_zero()).then_some(time).ok_or(InvalidValue::Give(
        "a time above 0 such as 500ms, 10s, 2m or 1h, at most 1000h",
    ))
}

/// How long an event loop may block. With less than a second, a garbage collection of Node.js would be
/// taken for a hang.
pub(super) fn hang(text: &str) -> Result<Duration, InvalidValue> {
    const ACCEPTED: InvalidValue = InvalidValue::Give("a time from 1s to 1000h, such as 10s or 1m");
    match duration(text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        Err(no_unit @ InvalidValue::NoUnit(_)) => Err(no_unit),
        _ => Err(ACCEPTED),
    }
}

/// `300M`, `1G`, or `80%` of the control group's limit. Units are always powers of two, as for docker
/// and pm2: `300MB` and `300MiB` are `300M`.
pub(super) fn memory(text: &str) -> Result<MemoryLimit, InvalidValue> {
    const ACCEPTED: InvalidValue = InvalidValue::Give(
        "a size from 1M to 1024G such as 300M or 1G, or a percentage of the container's limit \
         such as 80%",
    );
    if let Some(share) = text.strip_suffix('%') {
        let share = whole(share).filter(|share| (1..=100).contains(share));
        return share.map(MemoryLimit::Percent).ok_or(ACCEPTED);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = whole(digits).ok_or(ACCEPTED)?;
    let unit = text.get(digits.len()..).unwrap_or_default();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "" if (1..=9999).contains(&number) => return Err(InvalidValue::NoUnit(["M", "G"])),
        _ => return Err(ACCEPTED),
    };
    let bytes = number.checked_mul(1 << shift).ok_or(ACCEPTED)?;
    let sensible = (1 << 20)..=(1024 << 30);
    Some(bytes)
        .filter(|bytes| sensible.contains(bytes))
        .map(MemoryLimit::Bytes)
        .ok_or(ACCEPTED)
}

/// The path of the control socket. It must be absolute, so that it is valid in any directory.
pub(super) fn control(text: &str) -> Result<Control, InvalidValue> {
    let fits = text.len() <= LONGEST_UNIX_NAME && !text.ends_with('/');
    match text {
        "off" => Ok(Control::Off),
        path if path.starts_with('/') && fits => Ok(Control::Path(path.into())),
        _ => Err(InvalidValue::Give(
            "off, or the socket's path from the root, such as /run/pidone.sock, in at most 107 bytes",
        )),
    }
}

/// The address for probes and metrics.
pub(super) fn http(text: &str) -> Result<Endpoint, InvalidValue> {
    text.parse().map_err(|_| {
        InvalidValue::Give(
            "a port from 0 to 65535 or ADDRESS:PORT, as in 9090, 127.0.0.1:9090 or [::1]:9090",
        )
    })
}

/// The number of updates of `top`.
pub(super) fn looks(text: &str) -> Result<u32, InvalidValue> {
    let count = whole(text).filter(|count| *count > 0);
    count.ok_or(InvalidValue::Give("a number of at least 1"))
}

/// `MIN..MAX`, both included.
pub(super) fn backoff(text: &str) -> Result<(Duration, Duration), InvalidValue> {
    const ACCEPTED: InvalidValue = InvalidValue::Give(
        "MIN..MAX with two times above 0, the shorter one first, as in 100ms..30s",
    );
    let (min, max) = text.split_once("..").ok_or(ACCEPTED)?;
    let min = some_time(min).map_err(|_| ACCEPTED)?;
    let max = some_time(max).map_err(|_| ACCEPTED)?;
    if min > max {
        return Err(ACCEPTED);
    }
    Ok((min, max))
}

/// `N/WINDOW`.
pub(super) fn rate(text: &str) -> Result<(u32, Duration), InvalidValue> {
    const ACCEPTED: InvalidValue =
        InvalidValue::Give("N/WINDOW, a number from 0 to 1000 and a time above 0, as in 10/60s");
    let (count, window) = text.split_once('/').ok_or(ACCEPTED)?;
    let count = whole(count)
        .filter(|count| *count <= 1000)
        .ok_or(ACCEPTED)?;
    let window = some_time(window).map_err(|_| ACCEPTED)?;
    Ok((count, window))
}

/// A filter for `env_logger`: a level, or `TARGET=LEVEL` with commas.
pub(super) fn filter(text: &str) -> Result<String, InvalidValue> {
    let is_level = |word: &str| word.parse::<log::LevelFilter>().is_ok();
    let is_directive = |part: &str| is_level(part.rsplit('=').next().unwrap_or(part).trim());
    if text.split(',').all(is_directive) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::Give("off, error, warn, info, debug or trace"))
    }
}

#[cfg(test)]
mod tests;
