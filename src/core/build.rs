//! Makes the live page small: without indentation and lines that are only a comment, and compressed.

// A panic here ends the build, and nothing else.
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::collections::HashMap;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=admin/page.html");
    let source = fs::read_to_string("admin/page.html")?;
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let lines: Vec<_> = source.lines().map(str::trim).filter(is_code).collect();
    let page = lines.join("\n");
    let directory = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(
        Path::new(&directory).join("page.html.gz"),
        gzip(page.as_bytes()),
    )
}

/// A gzip file (RFC 1952) of one block.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.extend(deflate(text));
    bytes.extend(checksum(text).to_le_bytes());
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes
}

/// The CRC-32 of RFC 1952.
fn checksum(text: &[u8]) -> u32 {
    !text.iter().fold(!0, |sum, byte| {
        let step = |sum: u32, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        (0..8).fold(sum ^ u32::from(*byte), step)
    })
}

/// A block with the fixed codes (RFC 1951, section 3.2.6): what occurred before is a reference to it.
fn deflate(text: &[u8]) -> Vec<u8> {
    let mut out = Bits::default();
    // The last block, with fixed codes.
    out.push(0b011, 3);
    // Where each three bytes have occurred.
    let mut seen: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut at = 0;
    while at < text.len() {
        let common = |from: &usize| {
            let pairs = text[*from..].iter().zip(&text[at..]);
            pairs.take(258).take_while(|(a, b)| a == b).count()
        };
        let before = text.get(at..at + 3).and_then(|three| seen.get(three));
        let longest = before
            .into_iter()
            .flatten()
            .max_by_key(|from| (common(from), **from));
        let length = longest.map_or(1, common);
        match longest {
            Some(from) => {
                // Lengths from 3 on have 4 codes for each number of extra bits, distances from 1 on have 2. The
                // longest has a code of its own.
                let (code, extra) = match length {
                    258 => (28, (0, 0)),
                    _ => class(length - 3, 4),
                };
                out.symbol(257 + code);
                out.push(extra.0, extra.1);
                let (code, extra) = class(at - from - 1, 2);
                out.code(code, 5);
                out.push(extra.0, extra.1);
            }
            None => out.symbol(text[at].into()),
        }
        for start in at..at + length {
            if let Some(three) = text.get(start..start + 3) {
                seen.entry(three).or_default().push(start);
            }
        }
        at += length;
    }
    out.symbol(256);
    out.bytes
}

/// The code of a number, and the extra bits that follow: the first `2 * group` numbers have a code each; then each
/// `group` codes have one extra bit more.
fn class(number: usize, group: usize) -> (usize, (usize, usize)) {
    let mut bits = 0;
    while number >> bits >= 2 * group {
        bits += 1;
    }
    let code = bits * group + (number >> bits);
    (code, (number & ((1 << bits) - 1), bits))
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// How many bits the last byte has.
    used: usize,
}

impl Bits {
    /// A number, its lowest bit first.
    fn push(&mut self, number: usize, count: usize) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((number >> bit & 1) as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }

    /// A code, its highest bit first.
    fn code(&mut self, code: usize, count: usize) {
        for bit in (0..count).rev() {
            self.push(code >> bit, 1);
        }
    }

    /// A literal or a length.
    fn symbol(&mut self, symbol: usize) {
        match symbol {
            0..144 => self.code(0x30 + symbol, 8),
            144..256 => self.code(0x190 + symbol - 144, 9),
            256..280 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }
}
