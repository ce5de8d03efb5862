//! The workers' answers with the app's own metrics: each line of the input is one.

use std::collections::BTreeSet;

use pidone::admin::http::Format;
use pidone::app_metrics::{Aggregate, Question};
use pidone::number::Number;

pub fn check(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        let mut question = Question::default();
        assert!(question.ask(7, std::time::Duration::ZERO));
        assert!(
            !question.is_answered(line)
                || line.starts_with(b"{\"type\":\"prom-client:getMetricsRes\"")
        );
        if let Ok(text) = std::str::from_utf8(line)
            && let Some(number) = Number::parse(text)
        {
            check_number(text, number);
        }
    }
    let answers: Vec<_> = data.split(|byte| *byte == b'\n').collect();
    let mut all = Aggregate::new(1);
    let used: Vec<_> = answers
        .iter()
        .enumerate()
        .map(|(place, answer)| all.add(place, answer))
        .collect();
    // As if the others had never answered; and in another order.
    let mut good = Aggregate::new(2);
    for (place, answer) in answers.iter().enumerate().filter(|(place, _)| used[*place]) {
        assert!(good.add(place, answer));
    }
    assert_eq!(all.answers(), good.answers());
    for format in [Format::Text, Format::OpenMetrics] {
        let pages = [&all, &good].map(|aggregate| {
            let mut page = String::new();
            aggregate.write(&mut page, format);
            page
        });
        assert_eq!(pages[0], pages[1]);
        assert!(pages[0].len() <= 16 << 20);
        check_page(&pages[0]);
    }
}

fn check_number(text: &str, number: Number) {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits <= 19
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
    {
        let wanted: f64 = text.parse().unwrap_or(number.0);
        assert_eq!(number.0.to_bits(), wanted.to_bits(), "{text}");
    }
    if number.0.is_finite() {
        let again = number.to_string();
        assert_eq!(again.parse::<f64>().unwrap(), number.0, "{again}");
    }
}

/// Every line is a description or a sample, and no sample comes twice.
fn check_page(page: &str) {
    let mut seen = BTreeSet::new();
    for line in page.split_terminator('\n') {
        if line.starts_with("# TYPE ") || line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series.to_owned()), "{series} twice");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(is_name(name), "{line}");
        let mut rest = labels;
        while let Some((label, value)) = rest.split_once("=\"") {
            assert!(is_name(label.trim_start_matches(',')), "{line}");
            let mut letters = value.char_indices();
            let end = loop {
                match letters.next().expect("an end") {
                    (_, '\\') => assert!(matches!(letters.next(), Some((_, '\\' | 'n' | '"')))),
                    (at, '"') => break at,
                    _ => {}
                }
            };
            rest = &value[end + 1..];
        }
        assert_eq!(rest, "}", "{line}");
    }
}

fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !text.is_empty() && text.bytes().all(is_word) && !text.starts_with(|c: char| c.is_ascii_digit())
}
