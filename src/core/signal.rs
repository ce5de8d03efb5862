//! Signals by number and by name, as `kill -l` prints them.
//!
//! Pure: masks, handlers and delivery are in `sys::signal`.

use core::fmt;

/// The first real-time signal that a user can name: `RTMIN` of `kill -l` (signal(7)).
///
/// A constant rather than `libc::SIGRTMIN()`: musl reserves one more than glibc, and the number
/// must not depend on the libc that pidone was built with.
const RTMIN: u8 = 34;

/// The last signal on Linux (`_NSIG`, signal(7)).
const RTMAX: u8 = 64;

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Names of the standard signals by number, from 1 on, as on x86 and ARM (signal(7)).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

macro_rules! named {
    ($($name:ident $number:literal),*) => {
        $(#[doc = concat!("`SIG", stringify!($name), "` (signal(7)).")]
        pub const $name: Signal = Signal($number);)*
    };
}

impl Signal {
    named!(HUP 1, INT 2, QUIT 3, ABRT 6, KILL 9, TERM 15, CHLD 17, CONT 18, STOP 19, TSTP 20, TTIN 21, TTOU 22, WINCH 28);

    /// The signal with this number, if there is one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|number| (1..=RTMAX).contains(number))
            .map(Self)
    }

    /// Reads `15`, `TERM`, `SIGTERM`, `sigterm`, `RTMIN+3` or `RTMAX-1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_number(text.parse().ok()?);
        }
        let upper = text.to_ascii_uppercase();
        let name = match upper.strip_prefix("SIG").unwrap_or(&upper) {
            "CLD" => "CHLD",
            "IOT" => "ABRT",
            "POLL" => "IO",
            name => name,
        };
        Self::parse_real_time(name).or_else(|| {
            (1..RTMIN)
                .map(Self)
                .find(|signal| signal.short_name() == Some(name))
        })
    }

    fn parse_real_time(name: &str) -> Option<Self> {
        let number = if let Some(rest) = name.strip_prefix("RTMIN") {
            let offset = if rest.is_empty() {
                0
            } else {
                digits(rest.strip_prefix('+')?)?
            };
            RTMIN.checked_add(offset)?
        } else {
            let rest = name.strip_prefix("RTMAX")?;
            let offset = if rest.is_empty() {
                0
            } else {
                digits(rest.strip_prefix('-')?)?
            };
            RTMAX.checked_sub(offset)?
        };
        (RTMIN..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// The number that the kernel uses.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// The exit status that shells and Docker report for a death by this signal: 128 + number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        128 + self.0
    }

    /// TERM, INT and QUIT: the signals that container runtimes, terminals and users send to stop a
    /// program.
    #[must_use]
    pub fn asks_to_stop(self) -> bool {
        matches!(self, Self::TERM | Self::INT | Self::QUIT)
    }

    fn short_name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0).checked_sub(1)?).copied()
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// Whether the set contains a signal.
    #[must_use]
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// Numbers are 1 to 64.
    fn bit(signal: Signal) -> u64 {
        1 << (signal.0 - 1)
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        Self(
            signals
                .into_iter()
                .map(Self::bit)
                .fold(0, |all, bit| all | bit),
        )
    }
}

fn digits(text: &str) -> Option<u8> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.short_name(), self.0) {
            (Some(name), _) => write!(out, "SIG{name}"),
            (None, RTMIN) => out.write_str("SIGRTMIN"),
            (None, RTMAX) => out.write_str("SIGRTMAX"),
            (None, number) if number > RTMIN => write!(out, "SIGRTMIN+{}", number - RTMIN),
            (None, number) => write!(out, "signal {number}"),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_spelling_names_the_same_signal() {
        for text in ["15", "TERM", "SIGTERM", "term", "SigTerm"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        assert_eq!(Signal::parse("RTMIN+3").map(Signal::number), Some(37));
        assert_eq!(Signal::parse("SIGRTMAX-1").map(Signal::number), Some(63));
        assert_eq!(Signal::parse("RTMIN").map(Signal::number), Some(34));
    }

    #[test]
    fn text_that_names_no_signal_is_rejected() {
        for text in [
            "",
            "0",
            "65",
            "-1",
            "+15",
            "SIG",
            "TERMINATE",
            "RTMIN+31",
            "RTMIN3",
            "RTMAX-31",
            "999999999999999999999",
        ] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_set_contains_exactly_the_signals_added() {
        let ends = [1, 15, 64].map(|number| Signal::from_number(number).unwrap());
        let set: SignalSet = ends.into_iter().collect();
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(set.contains(signal), ends.contains(&signal), "{number}");
        }
    }

    #[test]
    fn a_name_reads_back_as_its_signal() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            let name = signal.to_string();
            if !name.starts_with("signal ") {
                assert_eq!(Signal::parse(&name), Some(signal), "{name}");
            }
        }
    }
}
