//! Errors in the command line and the environment, one sentence each.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt;

use super::values::InvalidValue;

/// A command line or environment that pidone cannot act on.
#[derive(Debug)]
pub enum CliError {
    /// Nothing to run.
    NoCommand,
    /// No such option.
    Unknown {
        /// The option as it was written.
        option: String,
        /// The option that looks most like it.
        nearest: Option<String>,
    },
    /// `pidone ctl` has no such option.
    NoCtlOption {
        /// The option as it was written.
        option: String,
        /// The option that looks most like it.
        nearest: Option<String>,
    },
    /// The last argument is an option that needs a value.
    MissingValue {
        /// The option as it was written.
        option: String,
        /// The placeholder of the value.
        value: &'static str,
    },
    /// A switch was given a value.
    UnexpectedValue {
        /// The option as it was written.
        option: String,
        /// The value.
        value: OsString,
    },
    /// The value is invalid.
    BadValue {
        /// The option or the variable.
        name: String,
        /// The value.
        value: OsString,
        /// The reason, and valid values.
        why: String,
    },
    /// Two options that contradict each other.
    Conflict(&'static str, &'static str),
    /// An option that has no effect with the others, or contradicts them.
    Unusable {
        /// The option or the variable.
        name: String,
        /// The reason and the remedy.
        why: String,
    },
    /// A command that cannot be a worker.
    Command(String),
}

impl CliError {
    pub(super) fn bad(name: String, value: OsString, wrong: InvalidValue) -> Self {
        let why = wrong.about(&value.to_string_lossy());
        Self::BadValue { name, value, why }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => out.write_str(
                "no command given; add one, as in: pidone -- node server.js (see pidone --help)",
            ),
            Self::Unknown { option, nearest } => {
                write!(out, "{option}: no such option; ")?;
                match nearest {
                    Some(nearest) => write!(out, "did you mean {nearest}?"),
                    None => out.write_str("pidone --help lists them, and the command's own options go after the command"),
                }
            }
            Self::NoCtlOption { option, nearest } => {
                write!(out, "{option}: no such option of pidone ctl; ")?;
                match nearest {
                    Some(nearest) => write!(out, "did you mean {nearest}?"),
                    None => out.write_str("pidone ctl --help lists them"),
                }
            }
            Self::MissingValue { option, value } => {
                write!(out, "{option}: needs a value, {option} {value}")
            }
            Self::UnexpectedValue { option, value } => {
                let value = value.to_string_lossy();
                write!(
                    out,
                    "{option}: takes no value, but was given \"{value}\"; leave it out"
                )
            }
            Self::BadValue { name, value, why } => {
                let value = value.to_string_lossy();
                write!(out, "{name}: \"{value}\" is not accepted; {why}")
            }
            Self::Conflict(one, other) => {
                write!(
                    out,
                    "{one} and {other} contradict each other; leave one out"
                )
            }
            Self::Unusable { name, why } => write!(out, "{name}: {why}"),
            Self::Command(refusal) => refusal.fmt(out),
        }
    }
}

/// The candidate with the fewest edits from `word`, if few enough for a typing error.
pub(super) fn nearest(
    word: &str,
    // `dyn`: one copy of this function in the program, not one for each kind of list.
    candidates: &mut dyn Iterator<Item = String>,
) -> Option<String> {
    let allowed = (word.len() / 3).max(1);
    candidates
        .map(|candidate| (distance(word, &candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of insertions, deletions and replacements between two words (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.bytes().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(a != b))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (one, other, edits) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("grace", "grace", 0),
            ("grcae", "grace", 2),
            ("grce", "grace", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), edits, "{one} {other}");
        }
    }

    #[test]
    fn only_similar_words_are_suggested() {
        let nearest = |word| {
            nearest(
                word,
                &mut ["grace", "group", "user"].map(String::from).into_iter(),
            )
        };
        assert_eq!(nearest("grase"), Some("grace".into()));
        assert_eq!(nearest("usr"), Some("user".into()));
        assert_eq!(nearest("instances"), None);
    }
}
