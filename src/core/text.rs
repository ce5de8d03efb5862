//! The text form of durations, sizes and reasons, the same in every message.

use core::fmt;
use core::time::Duration;

use crate::supervisor::{Done, Reason, Refusal};

/// A duration, in two units at most: `0.3 ms`, `449 ms`, `1.5 s`, `3 min 5 s`, `2 h 14 min`, `9 d 3 h`.
#[derive(Debug, Clone, Copy)]
pub struct HumanDuration(pub Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (whole, unit, rest, smaller) = match seconds {
            0 if self.0.subsec_millis() < 10 => {
                return tenths(out, u64::from(self.0.subsec_micros() / 100), "ms");
            }
            0 => (u64::from(self.0.subsec_millis()), "ms", 0, ""),
            1..60 => {
                let part = u64::from(self.0.subsec_millis() / 100);
                return tenths(out, seconds * 10 + part, "s");
            }
            60..3_600 => (seconds / 60, "min", seconds % 60, "s"),
            3_600..86_400 => (seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
            _ => (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
        };
        write!(out, "{whole} {unit}")?;
        match rest {
            0 => Ok(()),
            _ => write!(out, " {rest} {smaller}"),
        }
    }
}

/// An amount of memory: `512 KiB`, `300 MiB`, `1.5 GiB`.
#[derive(Debug, Clone, Copy)]
pub struct HumanBytes(pub u64);

impl fmt::Display for HumanBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.0 >> 10;
        match kib {
            0..0x400 => write!(out, "{kib} KiB"),
            0x400..0x10_0000 => tenths(out, (kib * 10) >> 10, "MiB"),
            _ => tenths(out, (kib * 10) >> 20, "GiB"),
        }
    }
}

fn tenths(out: &mut fmt::Formatter<'_>, tenths: u64, unit: &str) -> fmt::Result {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => write!(out, "{whole} {unit}"),
        (whole, tenth) => write!(out, "{whole}.{tenth} {unit}"),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Memory { bytes, limit } => write!(
                out,
                "uses more memory than --max-memory allows: {} of {}",
                HumanBytes(bytes),
                HumanBytes(limit)
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
                write!(out, "no slot {slot}; the only slot is 0")
            }
            Self::NoSuchSlot { slot, slots } => {
                write!(
                    out,
                    "no slot {slot}; slots are 0 to {}",
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
                write!(out, "done in {}", HumanDuration(took))?;
                if serving < wanted {
                    write!(out, "; {serving} of {wanted} slots have a worker")?;
                }
                Ok(())
            }
            Self::Begun => out.write_str("reload started"),
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
            (0.0, "0 ms"),
            (0.000_312, "0.3 ms"),
            (0.449, "449 ms"),
            (2.0, "2 s"),
            (59.99, "59.9 s"),
            (60.0, "1 min"),
            (185.0, "3 min 5 s"),
            (7_200.0, "2 h"),
            (8_070.0, "2 h 14 min"),
            (788_400.0, "9 d 3 h"),
        ] {
            let duration = Duration::from_secs_f64(seconds);
            assert_eq!(HumanDuration(duration).to_string(), text);
        }
    }

    #[test]
    fn sizes_are_in_binary_units() {
        for (bytes, text) in [
            (0, "0 KiB"),
            (512 << 10, "512 KiB"),
            (100 << 20, "100 MiB"),
            (130_652_569, "124.5 MiB"),
            (3 << 29, "1.5 GiB"),
        ] {
            assert_eq!(HumanBytes(bytes).to_string(), text);
        }
    }
}
