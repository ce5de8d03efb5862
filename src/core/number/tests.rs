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
