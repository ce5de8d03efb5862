//! The progress of a reload on a terminal: a bar that is redrawn in place.

#![forbid(unsafe_code)]

use std::env;
use std::io::{IsTerminal, stdout};

use super::print;
use crate::admin::control;
use crate::sys::terminal;

/// The longest bar, in columns.
const LONGEST: usize = 40;

/// A shorter bar shows nothing.
const SHORTEST: usize = 8;

/// A line that is redrawn in place. Nothing in it is coloured.
#[derive(Debug)]
pub(super) struct ProgressBar {
    is_drawn: bool,
}

impl ProgressBar {
    /// `None`: standard output is not a terminal, or one that cannot redraw a line.
    pub(super) fn on_terminal() -> Option<Self> {
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        (stdout().is_terminal() && !is_dumb).then_some(Self { is_drawn: false })
    }

    /// The text that draws what a progress line reports; `None`: it is another one.
    pub(super) fn drawn(&mut self, text: &str) -> Option<String> {
        let (done, of) = control::progress_of(text)?;
        self.is_drawn = true;
        let (columns, _) = terminal::size();
        // ECMA-48: to the start of the line, and the rest of it is erased.
        Some(format!("\r{}\x1b[K", line(done, of, columns)))
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.is_drawn {
            // A closed terminal needs no further line.
            let _ = print("\n", None);
        }
    }
}

/// One column stays free: a full line would wrap.
fn line(done: usize, of: usize, columns: usize) -> String {
    let count = format!("{done} of {of}");
    let length = columns.saturating_sub(count.len() + 4).min(LONGEST);
    if length < SHORTEST {
        return count.chars().take(columns.saturating_sub(1)).collect();
    }
    let filled = length.saturating_mul(done.min(of)) / of.max(1);
    format!("[{:-<length$}] {count}", "#".repeat(filled.min(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fits_the_terminal() {
        for (done, of, columns, expected) in [
            (
                0,
                16,
                80,
                "[----------------------------------------] 0 of 16",
            ),
            (
                4,
                16,
                80,
                "[##########------------------------------] 4 of 16",
            ),
            (
                16,
                16,
                80,
                "[########################################] 16 of 16",
            ),
            (1, 2, 21, "[#####------] 1 of 2"),
            (1, 2, 16, "1 of 2"),
            (1, 2, 4, "1 o"),
            (1, 2, 0, ""),
            (3, 0, 21, "[-----------] 3 of 0"),
            (usize::MAX, 2, 40, "[###########] 18446744073709551615 of 2"),
        ] {
            let drawn = line(done, of, columns);
            assert!(drawn.len() < columns.max(1), "{drawn}");
            assert_eq!(drawn, expected);
        }
    }
}
