//! The text form of durations, sizes and reasons, the same in every message.

use core::fmt;
use core::time::Duration;

use crate::supervisor::{Done, Reason, Refusal};

/// A duration: `449 ms`, `1.5 s`, `30 s`, `3 min 5 s`, `2 h 14 min`, `9 d 3 h`.
#[derive(Debug, Clone, Copy)]
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(out, "{} ms", self.0.as_millis()),
            1..60 => match self.0.subsec_millis() / 100 {
                0 => write!(out, "{seconds} s"),
                tenths => write!(out, "{seconds}.{tenths} s"),
            },
            60..3_600 if seconds.is_multiple_of(60) => write!(out, "{} min", seconds / 60),
            60..3_600 => write!(out, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(out, "{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ => write!(out, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        }
    }
}

/// An amount of memory: `300 MiB`, `1.5 GiB`.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        let mib = self.0 / MIB;
        match mib {
            0..1024 => write!(out, "{}.{} MiB", mib, self.0 % MIB * 10 / MIB),
            _ => write!(out, "{}.{} GiB", mib / 1024, mib % 1024 * 10 / 1024),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Memory { bytes, limit } => write!(
                out,
                "uses more memory than --max-memory allows: {} of {}",
                Size(bytes),
                Size(limit)
            ),
            Self::Age => out.write_str("has reached its --max-age"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SingleMode => out.write_str("single mode has no workers; start pidone with -i N"),
            Self::NotStarted => out.write_str("the first worker has not started yet; try again"),
            Self::Stopping => out.write_str("pidone is stopping"),
            Self::NoSuchSlot { slot, slots: 1 } => {
                write!(out, "there is no slot {slot}; the only slot is 0")
            }
            Self::NoSuchSlot { slot, slots } => {
                write!(
                    out,
                    "there is no slot {slot}; slots are 0 to {}",
                    slots.saturating_sub(1)
                )
            }
            Self::TooFew => {
                out.write_str("at least 1 worker; to stop them all, use pidone ctl stop")
            }
            Self::TooMany { most } => write!(out, "at most {most} workers"),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Replaced {
                took,
                serving,
                wanted,
            } => {
                write!(out, "done in {}", Spoken(took))?;
                if serving < wanted {
                    write!(out, "; {serving} of {wanted} slots have a worker")?;
                }
                Ok(())
            }
            Self::Scaled { workers: 1 } => out.write_str("one worker serves"),
            Self::Scaled { workers } => write!(out, "{workers} workers serve"),
            Self::Stopping => out.write_str("stopping"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn durations_have_units_and_no_more_digits_than_needed() {
        for (seconds, text) in [
            (0.449, "449 ms"),
            (2.0, "2 s"),
            (59.99, "59.9 s"),
            (60.0, "1 min"),
            (185.0, "3 min 5 s"),
            (8_070.0, "2 h 14 min"),
            (788_400.0, "9 d 3 h"),
        ] {
            assert_eq!(Spoken(Duration::from_secs_f64(seconds)).to_string(), text);
        }
    }
}
