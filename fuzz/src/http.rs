//! Requests to `--http`, and the responses.

use pidone::admin::http::{self, HttpRequest, Page};

pub fn check(data: &[u8]) {
    let now = http::parse(data, false);
    for end in [1, 4, 16, 64, data.len().saturating_sub(1)] {
        let early = http::parse(&data[..end.min(data.len())], false);
        assert!(
            early == HttpRequest::Partial || early == now,
            "{early:?}, then {now:?}"
        );
    }
    let all = http::parse(data, true);
    assert!(all == now || now == HttpRequest::Partial);
    match all {
        HttpRequest::Partial => panic!("nothing more will come"),
        HttpRequest::Page { page, body } => {
            let path = match page {
                Page::Html => "/",
                Page::Status => "/status",
                Page::Live => "/livez",
                Page::Ready => "/readyz",
                Page::Metrics(_) => "/metrics",
            };
            let method = if body { "GET" } else { "HEAD" };
            let begin = data.trim_ascii_start();
            let begin = begin.strip_prefix(method.as_bytes()).expect(method);
            assert!(begin.trim_ascii_start().starts_with(path.as_bytes()));
            let text = String::from_utf8_lossy(data);
            well_formed(&http::page(page, true, &text, body), &text, body);
        }
        HttpRequest::Rejected(wrong) => {
            let text = format!("{wrong}\n");
            well_formed(&wrong.response(), &text, true);
        }
    }
}

/// A response whose Content-Length is right.
fn well_formed(response: &[u8], text: &str, body: bool) {
    let response = std::str::from_utf8(response).unwrap();
    let (head, rest) = response.split_once("\r\n\r\n").unwrap();
    assert_eq!(rest, if body { text } else { "" });
    let length = format!("Content-Length: {}", text.len());
    assert!(head.starts_with("HTTP/1.1 ") && head.lines().any(|line| line == length));
}
