//! Splits a stream of bytes into lines, in bounded memory.

use alloc::vec::Vec;

use super::relay::may_be_library;

/// The maximum length of a line that is kept whole, in bytes without the newline.
///
/// Node's own lines stay below 5 KiB (a path of at most 4096 bytes plus a little); longer lines
/// are messages the app sends with `process.send`.
pub const LINE_MAX: usize = 64 * 1024;

/// The maximum length of a line that may be for other workers (see [`relay`](super::relay)), kept whole: a worker's answer
/// to `fetchSockets()` has about 1 KiB for each of its clients.
pub const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// The buffer capacity kept between lines, in bytes.
const BUFFER_KEPT: usize = 4 * 1024;

/// One line, without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The whole line.
    Whole(&'a [u8]),
    /// The first [`LINE_MAX`] bytes of a longer line; the rest was skipped.
    Beginning(&'a [u8]),
}

/// Assembles lines from the pieces that `read` returns.
#[derive(Default)]
pub struct Splitter {
    begun: Vec<u8>,
    /// The line in `begun` has been returned.
    finished: bool,
    /// The line in `begun` is longer than its maximum.
    too_long: bool,
    /// Every line is kept up to [`MESSAGE_MAX`].
    keeps_all: bool,
}

impl Splitter {
    /// An empty splitter.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty splitter for a worker whose messages all go to the others.
    #[must_use]
    pub fn keeping_all() -> Self {
        Self {
            keeps_all: true,
            ..Self::default()
        }
    }

    /// Returns the next line of `input`, and advances `input` past the consumed bytes.
    ///
    /// `None` when the input is consumed; a partial line is kept for the next call. A caller
    /// that stops early, to be fair to other workers, calls again with the remaining input.
    pub fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Line<'a>> {
        if self.finished {
            self.finished = false;
            self.too_long = false;
            self.begun.clear();
            self.begun.shrink_to(BUFFER_KEPT);
        }
        let bytes = *input;
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.keep(bytes);
            *input = &[];
            return None;
        };
        let (line, rest) = bytes.split_at(end);
        *input = rest.get(1..).unwrap_or_default();
        if self.begun.is_empty() && line.len() <= LINE_MAX {
            return Some(Line::Whole(line));
        }
        self.keep(line);
        self.finished = true;
        Some(if self.too_long {
            Line::Beginning(&self.begun)
        } else {
            Line::Whole(&self.begun)
        })
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.begun.len());
        let (kept, more) = bytes.split_at(room.min(bytes.len()));
        self.begun.extend_from_slice(kept);
        if more.is_empty() || self.too_long {
            return;
        }
        let is_kept = self.keeps_all || may_be_library(&self.begun);
        if is_kept && self.begun.len() + more.len() <= MESSAGE_MAX {
            self.begun.extend_from_slice(more);
        } else {
            self.too_long = true;
            self.begun.truncate(LINE_MAX);
            self.begun.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Every line of `input`, cut into pieces of `size` bytes: (is it whole, its bytes).
    fn lines(splitter: &mut Splitter, input: &[u8], size: usize) -> Vec<(bool, Vec<u8>)> {
        let mut out = Vec::new();
        for mut piece in input.chunks(size) {
            while let Some(line) = splitter.next(&mut piece) {
                out.push(match line {
                    Line::Whole(bytes) => (true, bytes.to_vec()),
                    Line::Beginning(bytes) => (false, bytes.to_vec()),
                });
            }
            assert!(piece.is_empty(), "all of the input is used");
        }
        out
    }

    #[test]
    fn lines_do_not_depend_on_how_input_is_split() {
        let input = "{\"a\":\"é\"}\n\n\"ready\"\nlast\nbegun".as_bytes();
        let whole = |text: &str| (true, text.as_bytes().to_vec());
        let expected = vec![
            whole("{\"a\":\"é\"}"),
            whole(""),
            whole("\"ready\""),
            whole("last"),
        ];
        for size in 1..=input.len() {
            let mut splitter = Splitter::new();
            assert_eq!(lines(&mut splitter, input, size), expected, "size {size}");
            assert_eq!(lines(&mut splitter, b"!\n", 2), [whole("begun!")]);
        }
    }

    #[test]
    fn only_a_line_above_the_bound_is_truncated() {
        for (length, is_whole) in [(LINE_MAX, true), (LINE_MAX + 1, false)] {
            let mut input = vec![b'x'; length];
            input.extend_from_slice(b"\nnext\n");
            for size in [1, 4096, LINE_MAX, input.len()] {
                assert_eq!(
                    lines(&mut Splitter::new(), &input, size),
                    [(is_whole, vec![b'x'; LINE_MAX]), (true, b"next".to_vec())]
                );
            }
        }
    }

    #[test]
    fn a_gigabyte_line_needs_bounded_memory_which_is_freed_afterwards() {
        let mut splitter = Splitter::new();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..1024 {
            assert_eq!(splitter.next(&mut piece.as_slice()), None);
            assert!(splitter.begun.capacity() <= 2 * LINE_MAX);
        }
        let mut input = b"\n\"ready\"\n".as_slice();
        assert!(matches!(
            splitter.next(&mut input),
            Some(Line::Beginning(bytes)) if bytes.len() == LINE_MAX
        ));
        assert_eq!(splitter.next(&mut input), Some(Line::Whole(b"\"ready\"")));
        assert!(splitter.begun.capacity() <= BUFFER_KEPT);
    }
}
