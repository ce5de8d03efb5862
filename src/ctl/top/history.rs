//! What each worker has used in the last minute, and its sparklines.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::admin::status::{Status, WorkerStatus};

/// The time that a sparkline shows, in samples: a minute.
const WINDOW: usize = 60;

/// The length of the longest sparkline.
pub(super) const LONGEST: usize = 30;

/// The levels of a sparkline.
pub(super) const LEVELS: u64 = 8;

/// The measures of a worker: CPU in tenths of a percent, memory in bytes, event-loop delay in
/// microseconds, accept queue in connections.
///
/// Each with its smallest scale, as noise must not fill a sparkline; and the part of the highest value that
/// stays free above it, as memory hardly changes, and a full sparkline says nothing.
const SCALES: [(u64, Option<u64>); 4] = [(1000, None), (1, Some(3)), (10_000, None), (8, None)];

/// The values of a worker at one time.
pub(super) type Values = [Option<u64>; SCALES.len()];

/// A slot, whichever worker it has; or a spare, by its instance.
type Place = (Option<usize>, usize);

/// The values of all workers over the last minute.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The samples taken so far.
    taken: usize,
    /// The newest comes last.
    samples: VecDeque<Vec<(Place, Values)>>,
}

impl History {
    /// Takes a sample. `before` is the status of the last one.
    pub(super) fn add(&mut self, status: &Status, before: &Status) {
        let sample = status.all().map(|worker| {
            let values = [
                status.cpu_share(worker, before),
                worker.resident,
                worker.loop_delay_us,
                worker.queue.map(u64::from),
            ];
            (place(worker), values)
        });
        self.samples.push_back(sample.collect());
        self.taken += 1;
        if self.samples.len() > WINDOW + LONGEST {
            self.samples.pop_front();
        }
    }

    /// The newest values of a worker.
    pub(super) fn now(&self, worker: &WorkerStatus) -> Values {
        let newest = self.samples.back();
        newest.map_or(Values::default(), |sample| of_place(sample, place(worker)))
    }

    /// The sparkline of a worker's measure, as levels from 0 on; `None`: no value. Each is the highest of
    /// as many samples as fit the window into `length`. All workers have one scale.
    pub(super) fn sparkline(
        &self,
        worker: &WorkerStatus,
        measure: usize,
        length: usize,
    ) -> Vec<Option<u64>> {
        let scale = self.scale(measure);
        let each = WINDOW.div_ceil(length.max(1));
        // Grouped from the first sample on, so that a level stays what it is while it moves.
        let group = |age: usize| self.taken.saturating_sub(age + 1) / each;
        let mut levels = vec![None; length];
        for (age, sample) in self.samples.iter().rev().enumerate() {
            let Some(at) = length.checked_sub(group(0) - group(age) + 1) else {
                break;
            };
            let values = of_place(sample, place(worker));
            let value = values.get(measure).copied().flatten();
            // Rounded.
            let level = value.map(|value| (value.saturating_mul(LEVELS - 1) + scale / 2) / scale);
            if let Some(highest) = levels.get_mut(at) {
                *highest = level.max(*highest);
            }
        }
        levels
    }

    /// The value that fills a sparkline of this measure.
    fn scale(&self, measure: usize) -> u64 {
        let (least, free) = SCALES.get(measure).copied().unwrap_or((1, None));
        let all = self.samples.iter().flatten();
        let highest = all.filter_map(|(_, values)| *values.get(measure)?).max();
        let highest = highest.unwrap_or_default();
        let free = free.map_or(0, |part| highest / part);
        highest.saturating_add(free).max(least)
    }
}

fn place(worker: &WorkerStatus) -> Place {
    match worker.slot {
        // A spare that takes a slot keeps its instance.
        Some(slot) => (Some(slot), 0),
        None => (None, worker.instance),
    }
}

fn of_place(sample: &[(Place, Values)], place: Place) -> Values {
    let found = sample.iter().find(|(known, _)| *known == place);
    found.map_or(Values::default(), |(_, values)| *values)
}
