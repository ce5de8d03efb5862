//! JavaScript's numbers: read from JSON, and written as `String(number)` does. Both are exact: what is
//! written is the shortest text that reads as the same number.
//!
//! The standard library's own algorithms are faster in the worst case, but need tables of powers, 20 KiB
//! of program.

mod big;

use core::cmp::Ordering;
use core::fmt::{self, Write};

use big::Big;

/// The bits of a number's fraction; one more is implied, except in the smallest numbers.
const FRACTION: u32 = 52;

/// The bits of infinity: all larger than those of a finite number.
const INFINITY: u64 = 0x7ff0_0000_0000_0000;

/// A number, displayed as JavaScript does, with infinity and no number as Prometheus reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Number {
    /// Reads a number of JSON's form. Beyond 19 digits, which JavaScript never writes, it may be rounded
    /// to a neighbour.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, negative) = match text.strip_prefix('-') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (number, exponent) = match text.split_once(['e', 'E']) {
            // `+` is part of JSON's form, and of what `parse` reads.
            Some((number, exponent)) => (number, clamped(exponent)?),
            None => (text, 0),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() {
            return None;
        }
        let (mut digits, mut power) = (0_u64, exponent);
        let mut is_full = false;
        for (text, is_part) in [(whole, 0), (part, 1)] {
            for byte in text.bytes() {
                let digit = u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
                let longer = digits
                    .checked_mul(10)
                    .and_then(|ten| ten.checked_add(digit));
                match longer.filter(|_| !is_full) {
                    Some(longer) => {
                        digits = longer;
                        power -= is_part;
                    }
                    // Only its place counts.
                    None => {
                        is_full = true;
                        power += 1 - is_part;
                    }
                }
            }
        }
        let number = read(digits, power);
        Some(Self(if negative { -number } else { number }))
    }
}

/// An exponent, or one that is as far out.
fn clamped(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = if text.starts_with('-') { -9999 } else { 9999 };
    Some(text.parse().unwrap_or(far).clamp(-9999, 9999))
}

/// The number nearest to `digits` times ten to this power; of two, the even one.
fn read(digits: u64, power: i32) -> f64 {
    if digits == 0 || power < -400 {
        return 0.0;
    }
    if power > 400 {
        return f64::INFINITY;
    }
    let is_exact = digits <= 1 << (FRACTION + 1) && power.abs() <= 22;
    let near = scaled(digits, power);
    if is_exact {
        return near;
    }
    // Within a few steps of the result.
    let mut bits = near.to_bits().min(INFINITY - 1);
    let is_above = |bits: u64| match compare(digits, power, bits) {
        Ordering::Greater => true,
        Ordering::Equal => bits % 2 == 1,
        Ordering::Less => false,
    };
    while bits < INFINITY && is_above(bits) {
        bits += 1;
    }
    while let Some(less) = bits.checked_sub(1)
        && !is_above(less)
    {
        bits = less;
    }
    f64::from_bits(bits)
}

/// In the arithmetic of the machine. Powers of ten up to 22 are exact.
fn scaled(digits: u64, power: i32) -> f64 {
    // Rounded, which is accounted for.
    #[allow(clippy::cast_precision_loss)]
    let mut number = digits as f64;
    let mut left = power.unsigned_abs();
    while left > 0 {
        let step = left.min(22);
        left -= step;
        let ten = (0..step).fold(1.0, |ten, _| ten * 10.0);
        if power < 0 {
            number /= ten;
        } else {
            number *= ten;
        }
    }
    number
}

/// A finite number's whole factor, and the power of two that it is multiplied with.
fn split(bits: u64) -> (u64, i32) {
    let fraction = bits & ((1 << FRACTION) - 1);
    // 11 bits.
    match i32::try_from(bits >> FRACTION).unwrap_or_default() {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << FRACTION, exponent - 1075),
    }
}

/// Compares `digits` times ten to this power with the middle between a number and the next one.
fn compare(digits: u64, power: i32, bits: u64) -> Ordering {
    let (factor, two) = split(bits);
    let mut decimal = Big::of(digits);
    let mut middle = Big::of(2 * factor + 1);
    let fives = if power < 0 { &mut middle } else { &mut decimal };
    fives.raise(5, power.unsigned_abs());
    let twos = power - (two - 1);
    let twice = if twos < 0 { &mut middle } else { &mut decimal };
    twice.raise(2, twos.unsigned_abs());
    decimal.compare(&middle)
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        if number.is_nan() {
            return out.write_str("NaN");
        }
        if number < 0.0 {
            out.write_char('-')?;
        }
        let bits = number.to_bits() & (u64::MAX >> 1);
        if bits >= INFINITY {
            // Only the positive one has a sign of its own here.
            return out.write_str(if number < 0.0 { "Inf" } else { "+Inf" });
        }
        // Whole numbers, which most are.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = f64::from_bits(bits) as u64;
        #[allow(clippy::cast_precision_loss)]
        let is_whole = whole <= 1 << (FRACTION + 1) && (whole as f64).to_bits() == bits;
        if is_whole {
            return write!(out, "{whole}");
        }
        let mut digits = [0; 17];
        let (count, point) = shortest(bits, &mut digits);
        let digits = digits.get(..count).unwrap_or_default();
        write_digits(out, digits, point)
    }
}

/// As ECMAScript's `Number::toString` places point and exponent; the point is after this many digits.
fn write_digits(out: &mut fmt::Formatter<'_>, digits: &[u8], point: i32) -> fmt::Result {
    let count = i32::try_from(digits.len()).unwrap_or_default();
    // Where the point is written; and how many zeros before and after the digits.
    let (place, before, after) = match point {
        1..=21 => (point, 0, (point - count).max(0)),
        -5..=0 => (0, -point, 0),
        _ => (1, 0, 0),
    };
    if place == 0 {
        out.write_str("0.")?;
    }
    for _ in 0..before {
        out.write_char('0')?;
    }
    for (index, digit) in (0..).zip(digits) {
        if index == place && place > 0 {
            out.write_char('.')?;
        }
        out.write_char((b'0' + digit).into())?;
    }
    for _ in 0..after {
        out.write_char('0')?;
    }
    match point {
        -5..=21 => Ok(()),
        _ => write!(out, "e{:+}", point - 1),
    }
}

/// The fewest digits that read as this number, and of those the nearest ones: how many there are, and
/// before which one the point is. By Steele and White's algorithm ("How to Print Floating-Point Numbers
/// Accurately", 1990): `rest / unit` is what is still to be written, and what reads as the number
/// reaches from `below / unit` less to `above / unit` more.
fn shortest(bits: u64, digits: &mut [u8; 17]) -> (usize, i32) {
    let (factor, two) = split(bits);
    // Below a power of two, numbers are closer together.
    let is_power = factor == 1 << FRACTION && two > -1074;
    let more = u32::from(is_power);
    let (mut rest, mut unit) = (Big::of(factor), Big::of(1));
    let (mut above, mut below) = (Big::of(1), Big::of(1));
    rest.raise(2, 1 + more);
    unit.raise(2, 1 + more);
    above.raise(2, more);
    if two < 0 {
        unit.raise(2, two.unsigned_abs());
    } else {
        for big in [&mut rest, &mut above, &mut below] {
            big.raise(2, two.unsigned_abs());
        }
    }
    // The number of digits before the point, or one less: the logarithm of two is 315653 / 2^20.
    let log2 = two + 63 - i32::try_from(factor.leading_zeros()).unwrap_or_default();
    let mut point = ((log2 * 315_653) >> 20) + 1;
    if point < 0 {
        for big in [&mut rest, &mut above, &mut below] {
            big.raise(10, point.unsigned_abs());
        }
    } else {
        unit.raise(10, point.unsigned_abs());
    }
    // A number halfway reads as the even one.
    let is_even = factor % 2 == 0;
    let reaches = |order: Ordering| order.is_gt() || (is_even && order.is_eq());
    if reaches(rest.sum(&above).compare(&unit)) {
        point += 1;
    } else {
        for big in [&mut rest, &mut above, &mut below] {
            big.raise(10, 1);
        }
    }
    let mut count = 0;
    for place in digits {
        let mut digit = 0;
        while rest.compare(&unit).is_ge() {
            rest.subtract(&unit);
            digit += 1;
        }
        count += 1;
        let is_low = reaches(below.compare(&rest));
        let is_high = reaches(rest.sum(&above).compare(&unit));
        if is_low || is_high {
            // At the last digit: the nearer one.
            let is_more = match (is_low, is_high) {
                (true, true) => rest.sum(&rest).compare(&unit).is_ge(),
                _ => is_high,
            };
            *place = digit + u8::from(is_more);
            break;
        }
        *place = digit;
        for big in [&mut rest, &mut above, &mut below] {
            big.raise(10, 1);
        }
    }
    (count, point)
}

#[cfg(test)]
mod tests;
