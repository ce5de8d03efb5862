//! Lines out of a stream of bytes, in bounded memory.

use alloc::vec::Vec;

/// The longest line that is kept whole, in bytes without the newline.
///
/// Node's own lines stay below 5 KiB (a path of at most 4096 bytes and a little more); longer ones
/// are what the app sends with `process.send`.
pub const LINE_MAX: usize = 64 * 1024;

/// What is kept of the buffer between lines, in bytes.
const BUFFER_KEPT: usize = 4 * 1024;

/// One line, without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The first [`LINE_MAX`] bytes of a longer one, the rest of which has been skipped.
    Beginning(&'a [u8]),
}

/// Puts lines together from whatever pieces `read` returns.
#[derive(Default)]
pub struct Splitter {
    begun: Vec<u8>,
    /// The line in `begun` has been handed out.
    finished: bool,
    /// The line in `begun` goes on beyond [`LINE_MAX`].
    too_long: bool,
}

impl Splitter {
    /// One with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next line of `input`, which is shortened by what has been used.
    ///
    /// `None` when the input is used up; a line begun is remembered for the next call. A caller
    /// that stops early, to be fair to others, comes back with what it has left.
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
        let room = LINE_MAX - self.begun.len();
        let (kept, skipped) = bytes.split_at(room.min(bytes.len()));
        self.begun.extend_from_slice(kept);
        self.too_long |= !skipped.is_empty();
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
    fn the_pieces_do_not_matter() {
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
    fn a_line_at_the_bound_is_whole_and_one_byte_more_is_a_beginning() {
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
    fn a_gigabyte_costs_no_more_than_the_bound_and_nothing_afterwards() {
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
