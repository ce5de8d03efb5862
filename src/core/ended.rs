//! How a process ended.

use core::fmt;

use crate::signal::Signal;

/// How a process ended (waitpid(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Code(u8),
    /// This signal killed it.
    Killed(Signal),
}

impl Ended {
    /// The status that shells and Docker report for it: the code, or 128 + the signal's number.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Killed(signal) => signal.exit_code(),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exit status {code}"),
            Self::Killed(signal) => write!(out, "killed by {signal}"),
        }
    }
}
