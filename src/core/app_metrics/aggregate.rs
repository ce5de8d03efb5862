//! The workers' answers, read and put together as prom-client's primary does.
//!
//! Texts are kept once, in one buffer, and numbers in a list for each answer: a few large allocations,
//! which the system gets back after the scrape.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::index::{Index, mixed};
use super::kinds::{Aggregator, Ending, Kind, ending_of};
use super::{PAGE_MAX, labels};
use crate::json::{Reader, Value};
use crate::number::Number;

/// The names that are pidone's own.
const OWN: &str = "pidone_";

/// A part of the texts.
pub(super) type Span = Range<usize>;

pub(super) struct Family {
    pub(super) name: Span,
    pub(super) help: Span,
    pub(super) kind: Kind,
    aggregator: Aggregator,
}

pub(super) struct Series {
    pub(super) family: usize,
    /// Its labels, sorted, as a page has them; without `le` or `quantile`.
    pub(super) labels: Span,
    /// The value of that label.
    pub(super) own_label: Span,
    pub(super) ending: Ending,
    /// The series that stands for its group, or itself.
    pub(super) group: usize,
}

/// The answers of one round so far.
pub struct Aggregate {
    pub(super) text: String,
    pub(super) families: Vec<Family>,
    pub(super) series: Vec<Series>,
    by_name: Index,
    by_labels: Index,
    /// Where hashes begin.
    seed: u64,
    /// At most this many bytes come of it.
    size: usize,
    /// The numbers of each worker, by its place among the workers: sums of fractions depend on the order,
    /// and a counter must not seem to decrease because another worker was faster.
    answers: Vec<(usize, Vec<(usize, f64)>)>,
}

impl Aggregate {
    /// Without answers. `seed`: a number that workers do not know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            text: String::new(),
            families: Vec::new(),
            series: Vec::new(),
            by_name: Index::default(),
            by_labels: Index::default(),
            seed,
            size: 0,
            answers: Vec::new(),
        }
    }

    /// Adds the answer of the worker with this place; returns whether it could be used. If not, nothing of
    /// it stays.
    pub fn add(&mut self, place: usize, line: &[u8]) -> bool {
        let before = (self.text.len(), self.families.len(), self.series.len());
        let size = self.size;
        let mut numbers = Vec::new();
        let read = core::str::from_utf8(line).ok().and_then(|line| {
            let mut reader = Reader::new(line);
            self.answer(&mut reader, &mut numbers)?;
            reader.is_at_end().then_some(())
        });
        if read.is_none() {
            let (text, families, series) = before;
            self.text.truncate(text);
            self.families.truncate(families);
            self.by_name.truncate(families);
            self.series.truncate(series);
            self.by_labels.truncate(series);
            self.size = size;
            return false;
        }
        let at = self.answers.partition_point(|(other, _)| *other < place);
        self.answers.insert(at, (place, numbers));
        true
    }

    fn answer(&mut self, reader: &mut Reader<'_>, numbers: &mut Vec<(usize, f64)>) -> Option<()> {
        let mut has_metrics = false;
        reader.members(&mut |reader, name| match name {
            "metrics" => {
                has_metrics = true;
                // One list for each registry of the worker.
                reader.items(&mut |reader| reader.items(&mut |reader| self.metric(reader, numbers)))
            }
            // The worker could not ask its registry.
            "error" => None,
            _ => reader.any().map(drop),
        })?;
        has_metrics.then_some(())
    }

    fn metric(&mut self, reader: &mut Reader<'_>, numbers: &mut Vec<(usize, f64)>) -> Option<()> {
        let [mut name, mut help, mut kind, mut aggregator, mut values] = [None; 5];
        reader.members(&mut |reader, member| {
            let value = Some(reader.any()?);
            match member {
                "name" => name = value,
                "help" => help = value,
                "type" => kind = value,
                "aggregator" => aggregator = value,
                "values" => values = value,
                _ => {}
            }
            Some(())
        })?;
        let name = name?.string()?;
        if !labels::is_name(&name, true) {
            return None;
        }
        let kind = Kind::read(kind?)?;
        let aggregator = aggregator.map_or(Some(Aggregator::Sum), Aggregator::read)?;
        if aggregator == Aggregator::Omit || name.starts_with(OWN) {
            return Some(());
        }
        let help = help.and_then(Value::string).unwrap_or_default();
        let family = self.family(&name, &help, kind, aggregator)?;
        let Some(values) = values else {
            return Some(());
        };
        let mut texts = labels::Texts::default();
        Reader::new(values.raw()).items(&mut |reader| {
            if let Some(sample) = self.sample(reader, &name, family, &mut texts)? {
                numbers.push(sample);
            }
            Some(())
        })
    }

    /// A family as the first worker has described it.
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: Kind,
        aggregator: Aggregator,
    ) -> Option<usize> {
        let hash = mixed(self.seed, name);
        let (families, text) = (&self.families, &self.text);
        let is_meant = |number: usize| {
            let family = families.get(number);
            family.and_then(|family| text.get(family.name.clone())) == Some(name)
        };
        if let Some(number) = self.by_name.find(hash, is_meant) {
            return Some(number);
        }
        self.grow(3 * name.len() + 2 * help.len())?;
        let number = self.families.len();
        let family = Family {
            name: self.keep(name),
            help: self.keep(help),
            kind,
            aggregator,
        };
        self.families.push(family);
        self.by_name.add(hash, number);
        Some(number)
    }

    /// One sample; `Some(None)`: it has no place on a page, as a histogram's without `le`.
    fn sample(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        family: usize,
        texts: &mut labels::Texts,
    ) -> Option<Option<(usize, f64)>> {
        let [mut labels, mut value, mut metric_name] = [None; 3];
        reader.members(&mut |reader, member| {
            let read = Some(reader.any()?);
            match member {
                "labels" => labels = read,
                "value" => value = read,
                "metricName" => metric_name = read,
                _ => {}
            }
            Some(())
        })?;
        let kind = self.families.get(family)?.kind;
        let has_own_label = texts.read(labels, kind.own_label())?;
        let metric_name = metric_name.filter(|name| !name.is_null());
        let ending = match metric_name {
            Some(full) => full.string()?.strip_prefix(name).and_then(ending_of),
            None => Some(Ending::None),
        };
        let ending = match (kind, ending, has_own_label) {
            (Kind::Counter | Kind::Gauge, Some(ending @ Ending::None), false)
            | (Kind::Histogram, Some(ending @ Ending::Bucket), true)
            | (Kind::Summary, Some(ending @ Ending::None), true)
            | (
                Kind::Histogram | Kind::Summary,
                Some(ending @ (Ending::Sum | Ending::Count)),
                false,
            ) => ending,
            _ => return Some(None),
        };
        // JSON has neither infinity nor NaN: JSON.stringify() makes them null.
        let number = match value.filter(|value| !value.is_null()) {
            Some(value) => Number::parse(value.raw())?.0,
            None => f64::NAN,
        };
        let group = match kind {
            Kind::Counter | Kind::Gauge => None,
            Kind::Histogram | Kind::Summary => {
                Some(self.series_of(name, family, (&texts.labels, ""), Ending::Group, None)?)
            }
        };
        let both = (&*texts.labels, &*texts.own_label);
        let series = self.series_of(name, family, both, ending, group)?;
        Some(Some((series, number)))
    }

    fn series_of(
        &mut self,
        name: &str,
        family: usize,
        (labels, own_label): (&str, &str),
        ending: Ending,
        group: Option<usize>,
    ) -> Option<usize> {
        // The family's number is mixed in, as families have the same labels.
        let mut hash = mixed(self.seed.wrapping_add(family as u64), labels);
        hash = mixed(mixed(hash, own_label), ending.text());
        let (all, text) = (&self.series, &self.text);
        let is_meant = |number: usize| {
            all.get(number).is_some_and(|series| {
                series.family == family
                    && series.ending == ending
                    && text.get(series.labels.clone()) == Some(labels)
                    && text.get(series.own_label.clone()) == Some(own_label)
            })
        };
        if let Some(number) = self.by_labels.find(hash, is_meant) {
            return Some(number);
        }
        self.grow(name.len() + labels.len() + own_label.len())?;
        let number = self.series.len();
        let of_group = group.and_then(|group| self.series.get(group));
        let labels = match of_group.map(|group| group.labels.clone()) {
            Some(labels) => labels,
            None => self.keep(labels),
        };
        let series = Series {
            family,
            labels,
            own_label: self.keep(own_label),
            ending,
            group: group.unwrap_or(number),
        };
        self.series.push(series);
        self.by_labels.add(hash, number);
        Some(number)
    }

    /// `None`: the page would be too long.
    fn grow(&mut self, bytes: usize) -> Option<()> {
        // A number, an ending, and the memory for what is kept beside the texts.
        const EACH: usize = 64;
        self.size += bytes + EACH;
        (self.size <= PAGE_MAX).then_some(())
    }

    fn keep(&mut self, text: &str) -> Span {
        let begin = self.text.len();
        self.text.push_str(text);
        begin..self.text.len()
    }

    /// The number of each series; `None`: it has none.
    pub(super) fn numbers(&self) -> Vec<Option<Number>> {
        let mut all: Vec<(f64, u32)> = Vec::new();
        all.resize(self.series.len(), (0.0, 0));
        let aggregator = |series: usize| {
            let family = self.families.get(self.series.get(series)?.family)?;
            Some(family.aggregator)
        };
        for (series, number) in self.answers.iter().flat_map(|(_, numbers)| numbers) {
            let Some((total, count)) = all.get_mut(*series) else {
                continue;
            };
            // In JavaScript, null counts as 0.
            let plain = if number.is_nan() { 0.0 } else { *number };
            *total = match aggregator(*series) {
                Some(Aggregator::First) if *count > 0 => *total,
                // prom-client shows null itself as +Inf.
                Some(Aggregator::First) => *number,
                Some(Aggregator::Min) if *count > 0 => total.min(plain),
                Some(Aggregator::Max) if *count > 0 => total.max(plain),
                Some(Aggregator::Min | Aggregator::Max) => plain,
                _ => *total + plain,
            };
            *count += 1;
        }
        let finished = |(series, (total, count)): (usize, (f64, u32))| match aggregator(series) {
            _ if count == 0 => None,
            Some(Aggregator::Average) => Some(Number(total / f64::from(count))),
            _ => Some(Number(total)),
        };
        all.into_iter().enumerate().map(finished).collect()
    }

    /// How many answers it has.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.answers.len()
    }
}
