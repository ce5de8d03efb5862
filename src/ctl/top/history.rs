//! What each worker has used in the last minute, and its sparklines.

#![forbid(unsafe_code)]

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

/// The values at one time.
#[derive(Debug)]
struct Sample {
    workers: Vec<(Place, Values)>,
    /// Of the container, CPU and memory only.
    container: Values,
}

impl Sample {
    fn of(&self, place: Place) -> Values {
        let found = self.workers.iter().find(|(known, _)| *known == place);
        found.map_or(Values::default(), |(_, values)| *values)
    }
}

/// The values of the last minute.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The samples taken so far.
    taken: usize,
    /// The newest comes last.
    samples: Vec<Sample>,
}

impl History {
    /// Takes a sample. `before` is the status of the last one.
    pub(super) fn add(&mut self, status: &Status, before: &Status) {
        let workers = status.all().map(|worker| {
            let values = [
                status.cpu_share(worker, before),
                worker.resident,
                worker.loop_delay_us,
                worker.queue.map(u64::from),
            ];
            (place(worker), values)
        });
        let (used, memory) = (status.container_cpu_share(before), status.container.memory);
        self.samples.push(Sample {
            workers: workers.collect(),
            container: [used, memory, None, None],
        });
        self.taken += 1;
        if self.samples.len() > WINDOW + LONGEST {
            self.samples.remove(0);
        }
    }

    /// The newest values of a worker.
    pub(super) fn now(&self, worker: &WorkerStatus) -> Values {
        let newest = self.samples.last();
        newest.map_or(Values::default(), |sample| sample.of(place(worker)))
    }

    /// The newest values of the container.
    pub(super) fn container(&self) -> Values {
        let newest = self.samples.last();
        newest.map_or(Values::default(), |sample| sample.container)
    }

    /// The sparkline of a worker's measure. All workers have one scale.
    pub(super) fn sparkline(
        &self,
        worker: &WorkerStatus,
        measure: usize,
        length: usize,
    ) -> Vec<Option<u64>> {
        let place = place(worker);
        self.levels(length, self.scale(measure), &|sample| {
            sample.of(place).get(measure).copied().flatten()
        })
    }

    /// The sparkline of a measure of the container; `limit` fills it.
    pub(super) fn container_sparkline(
        &self,
        measure: usize,
        length: usize,
        limit: u64,
    ) -> Vec<Option<u64>> {
        self.levels(length, limit.max(1), &|sample| {
            sample.container.get(measure).copied().flatten()
        })
    }

    /// Levels from 0 on; `None`: no value. Each is the highest of as many samples as fit the window into `length`.
    fn levels(
        &self,
        length: usize,
        scale: u64,
        value: &dyn Fn(&Sample) -> Option<u64>,
    ) -> Vec<Option<u64>> {
        let each = WINDOW.div_ceil(length.max(1));
        // Grouped from the first sample on, so that a level stays what it is while it moves.
        let group = |age: usize| self.taken.saturating_sub(age + 1) / each;
        let mut levels = vec![None; length];
        for (age, sample) in self.samples.iter().rev().enumerate() {
            let Some(at) = length.checked_sub(group(0) - group(age) + 1) else {
                break;
            };
            // Rounded.
            let level = |value: u64| (value.saturating_mul(LEVELS - 1) + scale / 2) / scale;
            let level = value(sample).map(|value| level(value).min(LEVELS - 1));
            if let Some(highest) = levels.get_mut(at) {
                *highest = level.max(*highest);
            }
        }
        levels
    }

    /// The value that fills a sparkline of this measure.
    fn scale(&self, measure: usize) -> u64 {
        let (least, free) = SCALES.get(measure).copied().unwrap_or((1, None));
        let mut highest = 0;
        for (_, values) in self.samples.iter().flat_map(|sample| &sample.workers) {
            highest = highest.max(values.get(measure).copied().flatten().unwrap_or_default());
        }
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
