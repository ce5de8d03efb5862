//! What was told and done, to compare runs and to print one.

use pidone::supervisor::{Action, Moment};

/// What was told and done.
#[derive(Default)]
pub struct Record {
    pub lines: Option<Vec<String>>,
    /// Events told.
    pub steps: u64,
    /// Of all actions, to compare runs.
    pub digest: u64,
}

impl Record {
    pub fn note(&mut self, now: Moment, what: impl std::fmt::Debug, arrow: &str) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12.6} {arrow} {what:?}", now.as_secs_f64()));
        }
    }

    pub fn digest(&mut self, actions: &[Action]) {
        for byte in format!("{actions:?}").bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
