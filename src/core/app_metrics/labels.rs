//! Names and labels, as a page of Prometheus' text format has them, which is OpenMetrics' form too.

use alloc::string::String;
use alloc::vec::Vec;

use crate::json::{Reader, Value};

/// The most labels that a sample may have.
const LABELS_MAX: usize = 64;

/// Whether it is the name of a metric, or of a label, which has no colon.
pub(super) fn is_name(text: &str, colon: bool) -> bool {
    let is_letter =
        |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || (colon && byte == b':');
    let is_word = |byte: u8| is_letter(byte) || byte.is_ascii_digit();
    text.bytes().next().is_some_and(is_letter) && text.bytes().all(is_word)
}

/// The labels of the sample that was read last; the memory is used again for the next one.
#[derive(Default)]
pub(super) struct Texts {
    /// `a="1",b="2"`, sorted by the names.
    pub(super) labels: String,
    /// The value of the family's own label.
    pub(super) own_label: String,
}

impl Texts {
    /// Reads an object of labels; returns whether `own` is among them. `None`: it is anything else.
    pub(super) fn read(&mut self, labels: Option<Value<'_>>, own: Option<&str>) -> Option<bool> {
        self.labels.clear();
        self.own_label.clear();
        let mut all: Vec<(&str, Value<'_>)> = Vec::new();
        let Some(labels) = labels else {
            return Some(false);
        };
        Reader::new(labels.raw()).members(&mut |reader, name| {
            let at = all.partition_point(|(other, _)| *other < name);
            let is_twice = all.get(at).is_some_and(|(other, _)| *other == name);
            if is_twice || all.len() >= LABELS_MAX || !is_name(name, false) {
                return None;
            }
            all.insert(at, (name, reader.any()?));
            Some(())
        })?;
        let mut has_own = false;
        for (name, value) in all {
            if own == Some(name) {
                has_own = true;
                push_value(&mut self.own_label, value)?;
                continue;
            }
            if !self.labels.is_empty() {
                self.labels.push(',');
            }
            self.labels.push_str(name);
            self.labels.push_str("=\"");
            push_value(&mut self.labels, value)?;
            self.labels.push('"');
        }
        Some(has_own)
    }
}

/// A label's value: JSON has numbers as JavaScript shows them.
fn push_value(out: &mut String, value: Value<'_>) -> Option<()> {
    let raw = value.raw();
    match raw.as_bytes().first()? {
        b'{' | b'[' => return None,
        // Without escapes in JSON, none is needed here.
        b'"' if !raw.contains('\\') => out.push_str(raw.get(1..raw.len() - 1)?),
        b'"' => push_escaped(out, &value.string()?, true),
        _ => out.push_str(raw),
    }
    Some(())
}

/// Escapes what ends a line or begins an escape, and, if need be, what ends a string.
pub(super) fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}
