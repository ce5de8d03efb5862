//! Reads the part of OpenMetrics that pidone writes, by the specification's grammar:
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>

use std::collections::BTreeSet;

/// The number of samples of a page.
///
/// # Panics
/// If the page violates the grammar.
pub fn samples(page: &str) -> usize {
    let body = page.strip_suffix("# EOF\n").expect("an end");
    let mut families = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let (mut family, mut kind) = ("", "");
    let mut samples = 0;
    for line in body.split_terminator('\n') {
        if let Some(described) = line.strip_prefix("# ") {
            let [word, name, rest] = described.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            match word {
                "TYPE" => {
                    assert!(families.insert(name.to_owned()), "{name} twice");
                    assert!(matches!(rest, "gauge" | "counter" | "summary"), "{line}");
                    (family, kind) = (name, rest);
                }
                "HELP" => assert_eq!(name, family),
                "UNIT" => assert!(name == family && name.ends_with(&format!("_{rest}"))),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(seen.insert(series.to_owned()), "{series} twice");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        // A summary without quantiles has only these.
        let ends: &[&str] = match kind {
            "counter" => &["_total"],
            "summary" => &["_count", "_sum"],
            _ => &[""],
        };
        let is_named = |end: &&str| name.strip_prefix(family) == Some(end);
        assert!(ends.iter().any(is_named), "{line}");
        for label in labels
            .strip_suffix('}')
            .expect("an end")
            .split_terminator("\",")
        {
            let (label, text) = label.split_once("=\"").expect("a label");
            assert!(
                label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{line}"
            );
            let text = text.strip_suffix('"').unwrap_or(text);
            assert!(!text.contains(['"', '\\', '{', '}', ' ']), "{line}");
        }
        let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        assert!(is_number(whole) && is_number(part), "{line}");
        samples += 1;
    }
    samples
}
