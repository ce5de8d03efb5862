//! The events and actions of a run, to compare runs and to print one.

use pidone::supervisor::{Action, Moment};

#[derive(Default)]
pub struct Record {
    /// Prints everything as it happens: a run that panics is then printed up to that point.
    pub print: bool,
    /// The number of events.
    pub steps: u64,
    /// A digest of all actions, to compare runs.
    pub digest: Option<u64>,
}

impl Record {
    pub fn note(&self, now: Moment, what: impl std::fmt::Debug, arrow: &str) {
        if self.print {
            println!("{:>12.6} {arrow} {what:?}", now.as_secs_f64());
        }
    }

    pub fn digest(&mut self, actions: &[Action]) {
        if let Some(digest) = &mut self.digest {
            for byte in format!("{actions:?}").bytes() {
                *digest = (*digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}
