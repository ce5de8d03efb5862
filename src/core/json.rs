//! The subset of JSON that Node's own lines need: typed members of one object, raw values,
//! and strings (RFC 8259).
//!
//! Node's lines are flat objects of known members, so this parses in place and builds no tree. A
//! crate that builds one would be larger than all other channel code.

use alloc::string::String;
use core::fmt::{self, Write};

/// The maximum nesting of a worker's arrays and objects, so that it cannot exhaust the stack.
const DEPTH_MAX: u8 = 8;

/// A well-formed JSON object.
#[derive(Clone, Copy)]
pub struct Object<'a>(&'a str);

/// A well-formed JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

impl<'a> Object<'a> {
    /// Parses one object; `None` if the text is anything else or nested too deep.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        Self::parse_nested(text, DEPTH_MAX)
    }

    /// As [`Self::parse`], with the given maximum nesting, the object's own level included.
    #[must_use]
    pub fn parse_nested(text: &'a [u8], depth: u8) -> Option<Self> {
        Value::parse_nested(text, depth)?.object()
    }

    /// The member of this name; the last one if there are several, as in JavaScript.
    ///
    /// A name written with escapes is not recognised; Node never writes one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let named = self.members().filter(|(member, _)| member.is_string(name));
        named.last().map(|(_, value)| value)
    }

    /// Each member's name, a string, and its value.
    pub fn members(&self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> + use<'a> {
        let mut reader = Reader { rest: self.0 };
        let mut goes_on = reader.take(b'{').is_some();
        core::iter::from_fn(move || {
            // The depth was checked when it was parsed. The end of the object is not a value.
            let name = goes_on.then(|| reader.value(u8::MAX))??;
            reader.take(b':')?;
            let value = reader.value(u8::MAX)?;
            goes_on = reader.take(b',').is_some();
            Some((Value(name), Value(value)))
        })
    }
}

impl<'a> Value<'a> {
    /// Parses one value with at most this nesting; `None` if the text is anything else.
    #[must_use]
    pub fn parse_nested(text: &'a [u8], depth: u8) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?.trim_matches(is_space);
        let mut reader = Reader { rest: text };
        reader.value(depth)?;
        reader.rest.is_empty().then_some(Self(text))
    }

    /// The value as it was written.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// A boolean.
    #[must_use]
    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// An integer, written without fraction or exponent, as JavaScript writes it.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Whether it is this string, written without escapes.
    #[must_use]
    pub fn is_string(self, text: &str) -> bool {
        self.inner() == Some(text)
    }

    /// A string, its escapes resolved; `None` also for half a surrogate pair, which is not text.
    #[must_use]
    pub fn string(self) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.inner()?;
        while let Some((plain, escape)) = rest.split_once('\\') {
            text.push_str(plain);
            let kind = escape.chars().next()?;
            rest = escape.get(1..)?;
            text.push(match kind {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let first = hexadecimal(rest)?;
                    rest = rest.get(4..)?;
                    let mut second = None;
                    if let 0xd800..0xdc00 = first {
                        let pair = rest.strip_prefix("\\u")?;
                        second = Some(hexadecimal(pair)?);
                        rest = pair.get(4..)?;
                    }
                    char::decode_utf16([first].into_iter().chain(second))
                        .next()?
                        .ok()?
                }
                itself => itself,
            });
        }
        text.push_str(rest);
        Some(text)
    }

    /// The value as an object.
    #[must_use]
    pub fn object(self) -> Option<Object<'a>> {
        self.0.starts_with('{').then_some(Object(self.0))
    }

    /// The items of an array; no items for any other value.
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let mut rest = self.0.strip_prefix('[');
        core::iter::from_fn(move || {
            let mut reader = Reader { rest: rest? };
            reader.space();
            // The depth was checked when it was parsed. The end of the array is not a value.
            let item = reader.value(u8::MAX)?;
            rest = reader.take(b',').map(|()| reader.rest);
            Some(Value(item))
        })
    }

    fn inner(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }
}

fn hexadecimal(text: &str) -> Option<u16> {
    let digits = text.get(..4)?;
    // `from_str_radix` would accept a sign.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u16::from_str_radix(digits, 16).ok())?
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// Reads values one after another. For large texts, which it goes through once: a [`Value`] must know
/// its end before its parts can be looked at.
pub struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// A reader of a text, which must begin with a value.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Reads an object: `each` gets the name of each member, as it was written, and reads its value.
    /// `None`: the text is anything else, or `each` returned it.
    pub fn members(
        &mut self,
        each: &mut dyn FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.list(b'{', b'}', each)
    }

    /// Reads an array: `each` reads each item. `None`: as for [`Self::members`].
    pub fn items(&mut self, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.list(b'[', b']', &mut |reader, _| each(reader))
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.trim_start_matches(is_space).is_empty()
    }

    /// Reads any value.
    pub fn any(&mut self) -> Option<Value<'a>> {
        self.value(DEPTH_MAX).map(Value)
    }

    // What follows goes over slices of bytes: optimised for size, iterators over characters are ten times
    // as slow.

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| is_space(byte.into())) {
            self.skip();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Consumes an ASCII character.
    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Consumes a punctuation mark and the white space around it.
    fn take(&mut self, mark: u8) -> Option<()> {
        self.space();
        self.expect(mark)?;
        self.space();
        Some(())
    }

    fn expect(&mut self, mark: u8) -> Option<()> {
        (self.peek()? == mark).then(|| self.skip())
    }

    /// Consumes `length` bytes.
    fn cut(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Consumes a value, and returns it as it was written.
    fn value(&mut self, depth: u8) -> Option<&'a str> {
        let begin = self.rest;
        match self.peek()? {
            opening @ (b'{' | b'[') => {
                let depth = depth.checked_sub(1)?;
                let closing = if opening == b'{' { b'}' } else { b']' };
                let each = &mut |reader: &mut Self, _: &str| reader.value(depth).map(drop);
                self.list(opening, closing, each)?;
            }
            b'"' => {
                self.string()?;
            }
            b't' => self.take_word("true")?,
            b'f' => self.take_word("false")?,
            b'n' => self.take_word("null")?,
            _ => self.number()?,
        }
        begin.get(..begin.len() - self.rest.len())
    }

    fn take_word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Consumes an object or an array; its items have no names.
    fn list(
        &mut self,
        begin: u8,
        end: u8,
        each: &mut dyn FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.expect(begin)?;
        self.space();
        if self.expect(end).is_some() {
            return Some(());
        }
        loop {
            let mut name = "";
            if end == b'}' {
                name = self.string()?;
                self.take(b':')?;
            }
            each(self, name)?;
            if self.take(b',').is_none() {
                // Only `end` itself: the caller parses what follows the list.
                return self.expect(end);
            }
        }
    }

    /// Consumes a string, and returns the text between its quotes as it was written.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        loop {
            let rest = bytes.get(at..)?;
            at += rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..b' '))?;
            match (bytes.get(at)?, bytes.get(at + 1)) {
                (b'"', _) => break,
                (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => at += 2,
                (b'\\', Some(b'u')) => {
                    hexadecimal(self.rest.get(at + 2..)?)?;
                    at += 6;
                }
                _ => return None,
            }
        }
        let inner = self.cut(at)?;
        self.skip();
        Some(inner)
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.expect(b'-');
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return None;
        }
        if self.expect(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.skip();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.skip();
            }
            self.digits()?;
        }
        Some(())
    }

    /// Consumes at least one digit; returns how many.
    fn digits(&mut self) -> Option<usize> {
        let bytes = self.rest.as_bytes().iter();
        let count = bytes.take_while(|byte| byte.is_ascii_digit()).count();
        self.cut(count)?;
        (count > 0).then_some(count)
    }
}

/// A text as a JSON string (RFC 8259, section 7).
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
                other => out.write_char(other)?,
            }
        }
        out.write_str("\"")
    }
}

#[cfg(test)]
mod tests;
