use super::*;
use crate::admin::http::Format;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

fn answer(metrics: &str) -> String {
    format!("{{\"type\":\"prom-client:getMetricsRes\",\"requestId\":7,\"metrics\":[[{metrics}]]}}")
}

/// A metric, as `getMetricsAsJSON()` has it.
fn metric(name: &str, kind: &str, aggregator: &str, values: &str) -> String {
    format!(
        "{{\"help\":\"Help.\",\"name\":\"{name}\",\"type\":\"{kind}\",\"values\":[{values}],\"aggregator\":\"{aggregator}\"}}"
    )
}

/// The samples of a page, and whether each answer could be used.
#[track_caller]
fn samples(answers: &[String], format: Format) -> (Vec<String>, Vec<bool>) {
    let mut aggregate = Aggregate::new(1);
    let added = answers.iter().enumerate();
    let added = added.map(|(place, answer)| aggregate.add(place, answer.as_bytes()));
    let added = added.collect();
    let mut page = String::new();
    aggregate.write(&mut page, format);
    let lines = page.lines().filter(|line| !line.starts_with("# HELP"));
    (lines.map(String::from).collect(), added)
}

#[track_caller]
fn page(answers: &[String]) -> Vec<String> {
    let (lines, added) = samples(answers, Format::Text);
    assert!(added.iter().all(|is_added| *is_added), "{added:?}");
    lines
}

#[test]
fn each_aggregator_makes_one_number_of_all() {
    for (aggregator, wanted) in [
        ("sum", "m 4.5"),
        ("first", "m 3"),
        ("min", "m -1"),
        ("max", "m 3"),
        ("average", "m 1.125"),
    ] {
        let values = ["3", "2.5", "-1", "null"];
        let answers = values.map(|value| {
            let value = format!("{{\"value\":{value},\"labels\":{{}}}}");
            answer(&metric("m", "gauge", aggregator, &value))
        });
        assert_eq!(page(&answers), ["# TYPE m gauge", wanted], "{aggregator}");
    }
    let omitted = answer(&metric("m", "gauge", "omit", "{\"value\":1,\"labels\":{}}"));
    assert_eq!(page(&[omitted]), Vec::<String>::new());
    let null = answer(&metric(
        "m",
        "gauge",
        "first",
        "{\"value\":null,\"labels\":{}}",
    ));
    assert_eq!(page(&[null]), ["# TYPE m gauge", "m NaN"]);
}

#[test]
fn the_sum_does_not_depend_on_who_is_faster() {
    let answers = ["0.1", "0.2", "0.3"].map(|value| {
        let value = format!("{{\"value\":{value},\"labels\":{{}}}}");
        answer(&metric("m", "counter", "sum", &value))
    });
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut aggregate = Aggregate::new(1);
        for place in order {
            assert!(aggregate.add(place, answers[place].as_bytes()));
        }
        let mut page = String::new();
        aggregate.write(&mut page, Format::Text);
        assert!(page.ends_with("m 0.6000000000000001\n"), "{page}");
    }
}

#[test]
fn series_are_those_with_the_same_labels() {
    let value = |labels: &str| format!("{{\"labels\":{{{labels}}},\"value\":1}}");
    let values = [
        value(r#""b":"x","a":2"#),
        value(r#""a":2,"b":"x""#),
        value(r#""a":"2","b":"\"\\\né""#),
        value(r#""a":true"#),
        value(""),
    ];
    let lines = page(&[answer(&metric("m", "gauge", "sum", &values.join(",")))]);
    let wanted = [
        "# TYPE m gauge",
        r#"m{a="2",b="x"} 2"#,
        r#"m{a="2",b="\"\\\né"} 1"#,
        r#"m{a="true"} 1"#,
        "m 1",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn the_samples_of_a_histogram_stay_together() {
    let value = |ending: &str, labels: &str, value: u32| {
        format!(
            "{{\"labels\":{{{labels}}},\"value\":{value},\"metricName\":\"h_{ending}\",\"exemplar\":{{\"labelSet\":{{}}}}}}"
        )
    };
    let of = |path: &str, number: u32| {
        let path = format!("\"path\":\"{path}\"");
        [
            value("bucket", &format!("\"le\":0.5,{path}"), number),
            value("bucket", &format!("\"le\":\"+Inf\",{path}"), number),
            value("sum", &path, number),
            value("count", &path, number),
        ]
        .join(",")
    };
    let metric_of = |values: &str| answer(&metric("h", "histogram", "sum", values));
    let answers = [
        metric_of(&of("/a", 1)),
        metric_of(&format!("{},{}", of("/b", 2), of("/a", 3))),
        // None of these has a place on a page.
        metric_of(
            &[
                value("bucket", "", 9),
                value("sum", "\"le\":1", 9),
                value("max", "", 9),
            ]
            .join(","),
        ),
    ];
    let wanted = [
        "# TYPE h histogram",
        r#"h_bucket{path="/a",le="0.5"} 4"#,
        r#"h_bucket{path="/a",le="+Inf"} 4"#,
        r#"h_sum{path="/a"} 4"#,
        r#"h_count{path="/a"} 4"#,
        r#"h_bucket{path="/b",le="0.5"} 2"#,
        r#"h_bucket{path="/b",le="+Inf"} 2"#,
        r#"h_sum{path="/b"} 2"#,
        r#"h_count{path="/b"} 2"#,
    ];
    assert_eq!(page(&answers), wanted);
    let quantile = "{\"labels\":{\"quantile\":0.5},\"value\":2},{\"labels\":{},\"metricName\":\"s_sum\",\"value\":3}";
    let lines = page(&[answer(&metric("s", "summary", "average", quantile))]);
    assert_eq!(
        lines,
        ["# TYPE s summary", r#"s{quantile="0.5"} 2"#, "s_sum 3"]
    );
}

#[test]
fn a_counter_has_the_same_name_in_both_formats() {
    let value = "{\"labels\":{},\"value\":1}";
    let both = ["hits_total", "hits"].map(|name| metric(name, "counter", "sum", value));
    let answers = [answer(&both.join(","))];
    let (lines, _) = samples(&answers, Format::OpenMetrics);
    let wanted = [
        "# TYPE hits counter",
        "hits_total 1",
        "# TYPE hits unknown",
        "hits 1",
    ];
    assert_eq!(lines, wanted);
    let wanted = [
        "# TYPE hits_total counter",
        "hits_total 1",
        "# TYPE hits counter",
        "hits 1",
    ];
    assert_eq!(page(&answers), wanted);
}

#[test]
fn help_is_escaped_for_its_format() {
    let metric = r#"{"help":"a \"b\" \\ c\nd","name":"m","type":"gauge","values":[]}"#;
    for (format, wanted) in [
        (Format::Text, "# HELP m a \"b\" \\\\ c\\nd\n"),
        (Format::OpenMetrics, "# HELP m a \\\"b\\\" \\\\ c\\nd\n"),
    ] {
        let mut aggregate = Aggregate::new(1);
        assert!(aggregate.add(0, answer(metric).as_bytes()));
        let mut page = String::new();
        aggregate.write(&mut page, format);
        assert_eq!(page, format!("# TYPE m gauge\n{wanted}"));
    }
}

#[test]
fn the_names_of_pidone_stay_its_own() {
    let value = "{\"labels\":{},\"value\":1}";
    let lines = page(&[answer(&metric("pidone_ready", "gauge", "sum", value))]);
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn of_an_answer_that_cannot_be_used_nothing_stays() {
    let good = answer(&metric(
        "m",
        "gauge",
        "sum",
        "{\"labels\":{\"a\":1},\"value\":1}",
    ));
    let value = "{\"labels\":{\"a\":1},\"value\":2},{\"labels\":{\"a\":2},\"value\":2}";
    let begins = format!("{},", metric("m", "gauge", "sum", value));
    let more = |end: &str| answer(&format!("{begins}{end}"));
    let many: Vec<_> = (0..65).map(|label| format!("\"l{label}\":1")).collect();
    let many = format!("{{\"labels\":{{{}}},\"value\":1}}", many.join(","));
    let bad = [
        String::new(),
        "{}".into(),
        good[..good.len() - 1].into(),
        format!("{good}x"),
        "{\"metrics\":7}".into(),
        "{\"error\":\"broken\",\"metrics\":[]}".into(),
        more("7"),
        more("{}"),
        more(&metric("a b", "gauge", "sum", "")),
        more(&metric("n", "other", "sum", "")),
        more(&metric("n", "gauge", "mine", "")),
        more(&metric(
            "n",
            "gauge",
            "sum",
            "{\"labels\":{\"a-b\":1},\"value\":1}",
        )),
        more(&metric(
            "n",
            "gauge",
            "sum",
            "{\"labels\":{\"a\":1,\"a\":1},\"value\":1}",
        )),
        more(&metric(
            "n",
            "gauge",
            "sum",
            "{\"labels\":{\"a\":[]},\"value\":1}",
        )),
        more(&metric(
            "n",
            "gauge",
            "sum",
            "{\"labels\":{},\"value\":\"1\"}",
        )),
        more(&metric("n", "gauge", "sum", &many)),
        more(&format!(
            "{{\"name\":{}7{}}}",
            "[".repeat(99),
            "]".repeat(99)
        )),
        more(&metric(&"n".repeat(PAGE_MAX / 3), "gauge", "sum", "")),
    ];
    for bad in bad {
        let shown: String = bad.chars().take(200).collect();
        for answers in [[good.clone(), bad.clone()], [bad, good.clone()]] {
            let (lines, added) = samples(&answers, Format::Text);
            assert_eq!(lines, ["# TYPE m gauge", "m{a=\"1\"} 1"], "{shown}");
            assert_eq!(
                added.iter().filter(|is_added| **is_added).count(),
                1,
                "{shown}"
            );
        }
    }
}

#[test]
fn a_long_page_needs_no_more_than_its_bound() {
    let values: Vec<_> = (0..30_000)
        .map(|number| format!("{{\"labels\":{{\"n\":{number}}},\"value\":1}}"))
        .collect();
    let long = |name: &str| answer(&metric(name, "gauge", "sum", &values.join(",")));
    let name = "n".repeat(200);
    let (lines, added) = samples(&[long("m"), long(&name), long("m")], Format::Text);
    assert_eq!(added, [true, false, true]);
    assert_eq!(lines.len(), 1 + values.len());
    assert!(lines[1..].iter().all(|line| line.ends_with(" 2")));
}

#[test]
fn a_worker_has_one_open_question() {
    let mut question = Question::default();
    let at = Duration::from_secs;
    assert!(question.ask(7, at(1)));
    assert!(!question.ask(8, at(2)));
    assert!(question.is_open(7) && !question.is_open(8));
    let line = answer("");
    for other in [
        "{}",
        "{\"type\":\"prom-client:getMetricsRes\"}",
        &line.replace('7', "8"),
    ] {
        assert!(!question.is_answered(other.as_bytes()));
    }
    assert!(question.is_answered(line.as_bytes()) && !question.is_open(7));
    assert!(!question.is_answered(line.as_bytes()));
    assert!(question.ask(8, at(2)));
    // It does not answer: it is asked again after a long time.
    assert!(!question.ask(9, at(2) + AGAIN - at(1)));
    assert!(question.ask(10, at(2) + AGAIN));
}

#[test]
fn a_round_ends_with_the_last_answer_or_in_time() {
    let at = Duration::from_secs(5);
    let mut round = Round::new(7, 2, at, 1);
    assert!(round.is_over(at, false) && !round.is_over(at, true));
    assert!(round.is_over(round.due(), true));
    assert_eq!((round.due(), round.missing()), (at + PATIENCE, 2));
    assert!(round.aggregate.add(1, answer("").as_bytes()));
    assert!(!round.aggregate.add(0, b"{"));
    assert_eq!(round.missing(), 1);
}

#[test]
fn a_question_is_one_line_for_prom_client() {
    let line = question(7);
    assert_eq!(
        line,
        "{\"type\":\"prom-client:getMetricsReq\",\"requestId\":7}\n"
    );
}
