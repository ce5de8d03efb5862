//! The aggregated metrics as a part of a page.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::aggregate::{Aggregate, Family, Series, Span};
use super::kinds::{Ending, Kind};
use super::labels::push_escaped;
use crate::admin::http::Format;
use crate::number::Number;

/// A list of series, threaded through another list: the first and the last one.
type Chain = Option<(usize, usize)>;

impl Aggregate {
    /// Appends all metrics. Names are the same in both formats, so that a query needs not know which one
    /// was scraped. OpenMetrics wants the samples of a histogram together, and so on.
    pub fn write(&self, out: &mut String, format: Format) {
        let numbers = self.numbers();
        let mut next = Vec::new();
        next.resize(self.series.len(), None);
        let (mut groups, mut members) = (Vec::<Chain>::new(), Vec::<Chain>::new());
        groups.resize(self.families.len(), None);
        members.resize(self.series.len(), None);
        for (number, series) in self.series.iter().enumerate() {
            let chain = if series.group == number {
                groups.get_mut(series.family)
            } else {
                members.get_mut(series.group)
            };
            if let Some(chain) = chain {
                append(chain, number, &mut next);
            }
        }
        let in_order = |chain: &Chain| {
            let first = chain.map(|(first, _)| first);
            core::iter::successors(first, |number| *next.get(*number)?)
        };
        for (family, groups) in self.families.iter().zip(&groups) {
            self.describe(out, family, format);
            for group in in_order(groups) {
                self.write_sample(out, family, group, &numbers);
                for member in members.get(group).into_iter().flat_map(in_order) {
                    self.write_sample(out, family, member, &numbers);
                }
            }
        }
    }

    fn text_of(&self, span: &Span) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn describe(&self, out: &mut String, family: &Family, format: Format) {
        let (mut name, mut kind) = (self.text_of(&family.name), family.kind.name());
        let is_open = format == Format::OpenMetrics;
        if is_open && family.kind == Kind::Counter {
            // There, the sample of a counter has this ending, and the counter itself does not.
            match name.strip_suffix("_total").filter(|stem| !stem.is_empty()) {
                Some(stem) => name = stem,
                None => kind = "unknown",
            }
        }
        let _ = write!(out, "# TYPE {name} {kind}\n# HELP {name} ");
        push_escaped(out, self.text_of(&family.help), is_open);
        out.push('\n');
    }

    fn write_sample(
        &self,
        out: &mut String,
        family: &Family,
        number: usize,
        numbers: &[Option<Number>],
    ) {
        let (Some(series), Some(Some(value))) = (self.series.get(number), numbers.get(number))
        else {
            return;
        };
        let Series { labels, ending, .. } = series;
        let (labels, own) = (self.text_of(labels), self.text_of(&series.own_label));
        out.push_str(self.text_of(&family.name));
        out.push_str(ending.text());
        let own_label = family.kind.own_label();
        let own_label = own_label.filter(|_| matches!(ending, Ending::None | Ending::Bucket));
        if !labels.is_empty() || own_label.is_some() {
            out.push('{');
            out.push_str(labels);
            if let Some(name) = own_label {
                let comma = if labels.is_empty() { "" } else { "," };
                let _ = write!(out, "{comma}{name}=\"{own}\"");
            }
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }
}

fn append(chain: &mut Chain, number: usize, next: &mut [Option<usize>]) {
    if let Some((_, last)) = chain {
        if let Some(next) = next.get_mut(*last) {
            *next = Some(number);
        }
        *last = number;
    } else {
        *chain = Some((number, number));
    }
}
