//! JavaScript's numbers: read from JSON, and written as `String(number)` does. Both are exact: what is
//! written is the shortest text that reads as the same number.
//!
//! The standard library's own algorithms are faster in the worst case, but need tables of powers, 20 KiB
//! of program.

use core::cmp::Ordering;
use core::fmt::{self, Write};

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

/// The most that is needed is 1140 bits, for the smallest number.
const LIMBS: usize = 20;

/// A whole number of at most 1280 bits, the lowest ones first.
#[derive(Clone)]
struct Big {
    limbs: [u64; LIMBS],
    /// Those above are zero.
    used: usize,
}

impl Big {
    fn of(number: u64) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[0] = number;
        Self { limbs, used: 1 }
    }

    fn add_limb(&mut self, limb: u64) {
        if limb > 0
            && let Some(next) = self.limbs.get_mut(self.used)
        {
            *next = limb;
            self.used += 1;
        }
    }

    /// Multiplies it with a power of a number that is at most 10.
    fn raise(&mut self, base: u64, mut power: u32) {
        while power > 0 {
            // Below 2^64.
            let step = power.min(19);
            power -= step;
            let by = u128::from(base.pow(step));
            let mut carry = 0;
            for limb in self.limbs.iter_mut().take(self.used) {
                let product = u128::from(*limb) * by + carry;
                *limb = low(product);
                carry = product >> 64;
            }
            self.add_limb(low(carry));
        }
    }

    fn sum(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.used = self.used.max(other.used);
        let mut carry = false;
        for (limb, other) in sum.limbs.iter_mut().zip(other.limbs).take(sum.used) {
            let (half, first) = limb.overflowing_add(other);
            let (whole, second) = half.overflowing_add(u64::from(carry));
            *limb = whole;
            carry = first || second;
        }
        sum.add_limb(u64::from(carry));
        sum
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, other) in self.limbs.iter_mut().zip(other.limbs).take(self.used) {
            let (half, first) = limb.overflowing_sub(other);
            let (whole, second) = half.overflowing_sub(u64::from(borrow));
            *limb = whole;
            borrow = first || second;
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let used = self.used.max(other.used);
        let pairs = self.limbs.iter().zip(&other.limbs).take(used);
        pairs
            .rev()
            .map(|(one, other)| one.cmp(other))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[allow(clippy::cast_possible_truncation)]
fn low(number: u128) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn show(number: f64) -> std::string::String {
        Number(number).to_string()
    }

    #[test]
    fn numbers_are_written_as_javascript_does() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(show(number), text);
        }
    }

    #[test]
    fn only_numbers_are_read() {
        for text in [
            "", "-", "x", "1x", "1e", "1e+", "--1", "1e1.5", "Infinity", "1.2.3",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        for (text, number) in [
            ("0", 0.0),
            ("1e400", f64::INFINITY),
            ("-1e99999999999999999999", f64::NEG_INFINITY),
            ("1e-99999999999999999999", 0.0),
            ("0e99999999999999999999", 0.0),
            ("1.7976931348623159e308", f64::INFINITY),
            ("2e-324", 0.0),
            ("3e-324", 5e-324),
            ("100000000000000000000000", 1e23),
        ] {
            assert_eq!(Number::parse(text), Some(Number(number)), "{text}");
        }
    }

    /// The standard library's reader and writer are exact, too.
    #[test]
    fn numbers_agree_with_the_standard_library() {
        let mut state = 1_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for turn in 0..20_000 {
            let bits = random();
            let number = match turn % 4 {
                0 => f64::from_bits(bits),
                // Sums of ordinary durations, and what lies beside powers of two.
                1 => (bits >> 40) as f64 * 1e-4 + 0.1,
                2 => f64::from_bits((bits & 0x7ff0_0000_0000_0000).wrapping_add(bits & 1)),
                _ => f64::from_bits((bits % 0x7fe0_0000_0000_0000).wrapping_sub(1) & INFINITY),
            };
            if !number.is_finite() {
                continue;
            }
            let text = show(number);
            assert_eq!(text.parse::<f64>().unwrap(), number, "{bits:x}");
            assert_eq!(Number::parse(&text), Some(Number(number)), "{text}");
            let digits = |text: &str| {
                let text = text.trim_start_matches('-').split('e').next().unwrap();
                let text = text.replace('.', "");
                text.trim_matches('0').len()
            };
            let shortest = std::format!("{number:e}");
            assert_eq!(digits(&text), digits(&shortest), "{text} {shortest}");
            let any = std::format!(
                "{}.{}e{}",
                bits % 1000,
                random() % 1_000_000,
                (random() % 700) as i32 - 350
            );
            let wanted: f64 = any.parse().unwrap();
            assert_eq!(Number::parse(&any), Some(Number(wanted)), "{any}");
        }
    }
}
