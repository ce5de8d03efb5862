//! What a run is made of, and what comes of it.

use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub workers: usize,
    pub arrivals: u64,
    pub per_second: u64,
    /// Connections come in groups of so many.
    pub at_once: u64,
    /// The time for a request, on average.
    pub cost: Duration,
    /// So many of a hundred requests block their worker for so long; 0: only the tenth request.
    pub blocks: Option<(u64, Duration)>,
    /// A worker accepts all that waits at once (Node.js 18), not one connection in a turn of its loop.
    pub accepts_all: bool,
    /// A worker is steered away from, and drains.
    pub leaves: bool,
    pub has_relief: bool,
}

impl Load {
    /// Short requests to workers that are idle most of the time.
    pub fn light(per_second: u64) -> Self {
        Self {
            workers: 4,
            arrivals: per_second * 3,
            per_second,
            at_once: 1,
            cost: Duration::from_micros(300),
            blocks: None,
            accepts_all: false,
            leaves: false,
            has_relief: true,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub events: u64,
    pub time: Duration,
    pub served: u64,
    pub late: u64,
    pub longest: Duration,
    pub longest_beside_idle: Duration,
    pub wakes: u64,
    pub looks: u64,
    pub states: u64,
    pub moves: u64,
}

impl Outcome {
    pub fn add(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            time: self.time + other.time,
            served: self.served + other.served,
            late: self.late + other.late,
            longest: self.longest.max(other.longest),
            longest_beside_idle: self.longest_beside_idle.max(other.longest_beside_idle),
            wakes: self.wakes + other.wakes,
            looks: self.looks + other.looks,
            states: self.states + other.states,
            moves: self.moves + other.moves,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            served,
            late,
            longest,
            longest_beside_idle,
            moves,
            ..
        } = self;
        write!(
            f,
            "{late} of {served} waited over 100 ms, {longest:.1?} at most, {longest_beside_idle:.1?} beside an idle worker, {moves} moves"
        )
    }
}
