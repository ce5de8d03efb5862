//! The last unplanned ends of workers, with their reasons.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::{member, number, wide};
use crate::json::{Object, Quoted};

/// How many are kept.
const KEPT: usize = 10;

/// Why a worker ended or is made to end. Neither names the command, which may contain secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndStatus {
    /// When, as Unix time in ms.
    pub time_ms: u64,
    /// Its slot; `None`: it was a spare, or the only child.
    pub slot: Option<usize>,
    /// Its `NODE_APP_INSTANCE`; `None`: the only child.
    pub instance: Option<usize>,
    /// Its process.
    pub pid: Option<i32>,
    /// What happened, as in the log, without the worker's name.
    pub what: String,
}

/// The last of them, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastEnds(Vec<EndStatus>);

impl LastEnds {
    /// Adds one, and drops the oldest if there are too many.
    pub fn push(&mut self, end: EndStatus) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(end);
    }

    /// From the newest on.
    pub fn newest(&self) -> impl Iterator<Item = &EndStatus> {
        self.0.iter().rev()
    }

    /// Parses the items of the JSON array.
    pub(super) fn from_json(object: Object<'_>) -> Option<Self> {
        let items = object.get("ends")?.items().map(|item| {
            let end = item.object()?;
            Some(EndStatus {
                time_ms: number(end, "time_ms")?,
                slot: number(end, "slot"),
                instance: number(end, "instance"),
                pid: number(end, "pid"),
                what: end.get("what")?.string()?,
            })
        });
        items.collect::<Option<_>>().map(Self)
    }

    /// Writes them as items of a JSON array.
    pub(super) fn write_items(&self, out: &mut String) -> fmt::Result {
        for (index, end) in self.0.iter().enumerate() {
            out.write_str(if index == 0 { "{" } else { ",{" })?;
            write!(out, "\"time_ms\":{}", end.time_ms)?;
            member(out, "slot", end.slot.map(wide))?;
            member(out, "instance", end.instance.map(wide))?;
            member(out, "pid", end.pid.and_then(|pid| pid.try_into().ok()))?;
            write!(out, ",\"what\":{}}}", Quoted(&end.what))?;
        }
        Ok(())
    }
}
