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
        let mut goes_on = reader.take('{').is_some();
        core::iter::from_fn(move || {
            // The depth was checked when it was parsed. The end of the object is not a value.
            let name = goes_on.then(|| reader.value(u8::MAX))??;
            reader.take(':')?;
            let value = reader.value(u8::MAX)?;
            goes_on = reader.take(',').is_some();
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
            rest = reader.take(',').map(|()| reader.rest);
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

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn peek(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    /// Consumes a punctuation mark and the white space around it.
    fn take(&mut self, mark: char) -> Option<()> {
        self.space();
        self.rest = self.rest.strip_prefix(mark)?;
        self.space();
        Some(())
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
            b'{' => self.list('}', depth, true)?,
            b'[' => self.list(']', depth, false)?,
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

    fn list(&mut self, end: char, depth: u8, named: bool) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.cut(1)?;
        self.space();
        if self.rest.starts_with(end) {
            self.cut(1)?;
            return Some(());
        }
        loop {
            if named {
                self.string()?;
                self.take(':')?;
            }
            self.value(depth)?;
            if self.take(',').is_none() {
                // Only `end` itself: the caller parses what follows the list.
                self.rest = self.rest.strip_prefix(end)?;
                return Some(());
            }
        }
    }

    /// Consumes a string, and returns the text between its quotes as it was written.
    fn string(&mut self) -> Option<&'a str> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut bytes = self.rest.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let inner = self.cut(at)?;
                    self.cut(1)?;
                    return Some(inner);
                }
                b'\\' => match bytes.next()?.1 {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        hexadecimal(self.rest.get(at + 2..)?)?;
                    }
                    _ => return None,
                },
                0..b' ' => return None,
                _ => {}
            }
        }
        None
    }

    fn number(&mut self) -> Option<()> {
        let digits = |reader: &mut Self| {
            let rest = reader.rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let length = reader.rest.len() - rest.len();
            reader.rest = rest;
            (length > 0).then_some(length)
        };
        self.rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let leading_zero = self.peek() == Some(b'0');
        if digits(self)? > 1 && leading_zero {
            return None;
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            digits(self)?;
        }
        if let Some(rest) = self.rest.strip_prefix(['e', 'E']) {
            self.rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            digits(self)?;
        }
        Some(())
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
