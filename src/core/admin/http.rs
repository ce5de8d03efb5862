//! The pages of `--http`: parses requests for `/livez`, `/readyz`, `/metrics`, `/status` and the live page, and
//! writes responses.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

/// The maximum number of header fields, more than any probe or scraper sends.
const FIELDS: usize = 64;

/// The format of the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, which every scraper reads:
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    #[default]
    Text,
    /// OpenMetrics 1.0, for clients that request it.
    OpenMetrics,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format an `Accept` field prefers (RFC 9110, section 12.5.1). With equal weights,
    /// OpenMetrics, but only if the field names it.
    fn preferred(accept: &str) -> Self {
        let (mut open, mut text) = (0, 0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1000, thousandths);
            match kind.as_str() {
                "application/openmetrics-text" => open = weight.max(open),
                "text/plain" | "text/*" | "*/*" => text = weight.max(text),
                _ => {}
            }
        }
        if open > 0 && open >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// `0.75` as 750; an invalid weight counts as 0.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<3}");
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    number(whole)
        .saturating_mul(1000)
        .saturating_add(part.get(..3).map_or(0, number))
}

/// The live page: page.html, compressed by build.rs. Every browser decompresses it.
const HTML: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"));

/// The header fields of the live page and the status. The page may load nothing and connect only to its
/// own origin; its style and its script are known by their hashes, which tests/operate/page.rs checks. No
/// other site may show the page in a frame or load the status.
const HEADERS: &str = "\
Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; \
style-src 'sha256-1b4zpZhFzHQRRs572xlf2ArvMUqyRRZOHaurm/4wBEo='; \
script-src 'sha256-4xBrpEx4wpxID+A+V8WGZV9KvF/KqTwm+hciml6DHBk='; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Cache-Control: no-store\r\n";

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/`, the live page
    Html,
    /// `/status`
    Status,
    /// `/livez`
    Live,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics(Format),
}

/// A parsed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpRequest {
    /// The head is not complete.
    Partial,
    /// A valid request for a page.
    Page {
        /// The page.
        page: Page,
        /// Whether to send the body: false for HEAD.
        body: bool,
    },
    /// An invalid request, answered with an error.
    Rejected(HttpRejection),
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpRejection {
    /// It is not HTTP/1.
    NotHttp,
    /// There is no such page.
    NoSuchPage,
    /// Neither GET nor HEAD.
    Method,
    /// It has too many bytes or fields.
    TooLong,
}

/// Parses a request's head and ignores what follows it. `is_all`: the client will send nothing more.
#[must_use]
pub fn parse(bytes: &[u8], is_all: bool) -> HttpRequest {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if !is_all => return HttpRequest::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return HttpRequest::Rejected(HttpRejection::TooLong);
        }
        Err(_) => return HttpRequest::Rejected(HttpRejection::NotHttp),
    }
    let target = request.path.unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let page = match path {
        "/" => Page::Html,
        "/status" => Page::Status,
        "/livez" => Page::Live,
        "/readyz" => Page::Ready,
        "/metrics" => {
            let mut fields = request.headers.iter();
            let accept = fields.find(|field| field.name.eq_ignore_ascii_case("accept"));
            let accept = accept.and_then(|field| core::str::from_utf8(field.value).ok());
            Page::Metrics(accept.map_or(Format::Text, Format::preferred))
        }
        _ => return HttpRequest::Rejected(HttpRejection::NoSuchPage),
    };
    match request.method {
        Some("GET") => HttpRequest::Page { page, body: true },
        Some("HEAD") => HttpRequest::Page { page, body: false },
        _ => HttpRequest::Rejected(HttpRejection::Method),
    }
}

/// The response with the live page.
#[must_use]
pub fn html(body: bool) -> Vec<u8> {
    let extra = format!("Content-Encoding: gzip\r\n{HEADERS}");
    response("200 OK", "text/html; charset=utf-8", &extra, HTML, body)
}

/// The response with any other page.
#[must_use]
pub fn page(page: Page, is_ok: bool, text: &str, body: bool) -> Vec<u8> {
    let (kind, extra) = match page {
        Page::Html | Page::Status => ("application/json", HEADERS),
        Page::Metrics(format) => (format.content_type(), ""),
        Page::Live | Page::Ready => ("text/plain; charset=utf-8", ""),
    };
    let status = if is_ok {
        "200 OK"
    } else {
        "503 Service Unavailable"
    };
    response(status, kind, extra, text.as_bytes(), body)
}

impl HttpRejection {
    /// The error response.
    #[must_use]
    pub fn response(self) -> Vec<u8> {
        let (status, extra) = match self {
            Self::NotHttp => ("400 Bad Request", ""),
            Self::NoSuchPage => ("404 Not Found", ""),
            Self::Method => ("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
            Self::TooLong => ("431 Request Header Fields Too Large", ""),
        };
        let text = format!("{self}\n");
        response(
            status,
            "text/plain; charset=utf-8",
            extra,
            text.as_bytes(),
            true,
        )
    }
}

impl fmt::Display for HttpRejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotHttp => "not an HTTP/1 request",
            Self::NoSuchPage => {
                "no such page; use /livez, /readyz or /metrics, and with --http-page on / or /status"
            }
            Self::Method => "method not allowed; use GET or HEAD",
            Self::TooLong => "request head too large: at most 8 KiB and 64 fields",
        })
    }
}

/// One response, after which the connection is closed: probes are rare.
fn response(status: &str, kind: &str, extra: &str, text: &[u8], body: bool) -> Vec<u8> {
    let length = text.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{extra}Connection: close\r\n\r\n"
    )
    .into_bytes();
    if body {
        response.extend_from_slice(text);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn ask(text: &str) -> HttpRequest {
        parse(text.as_bytes(), false)
    }

    #[test]
    fn get_and_head_are_parsed_for_each_page() {
        for (path, page) in [
            ("/livez", Page::Live),
            ("/readyz?verbose", Page::Ready),
            ("/", Page::Html),
            ("/status", Page::Status),
            ("/metrics", Page::Metrics(Format::Text)),
        ] {
            for (method, body) in [("GET", true), ("HEAD", false)] {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                assert_eq!(ask(&request), HttpRequest::Page { page, body });
                for end in 0..request.len() {
                    assert_eq!(ask(&request[..end]), HttpRequest::Partial);
                }
            }
        }
        let old = ask("GET /livez HTTP/1.0\r\n\r\n");
        assert!(matches!(old, HttpRequest::Page { .. }));
    }

    #[test]
    fn metrics_are_in_the_format_the_client_prefers() {
        for (accept, format) in [
            ("text/plain;version=0.0.4", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text; version=1.0.0, */*;q=0.1",
                Format::OpenMetrics,
            ),
            // Prometheus' own header.
            (
                "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0, text/plain", Format::Text),
            (
                "application/openmetrics-text;q=0.4, text/plain;q=0.45",
                Format::Text,
            ),
            ("application/openmetrics-text;q=x", Format::Text),
        ] {
            let request = format!("GET /metrics HTTP/1.1\r\naccept: {accept}\r\n\r\n");
            let page = Page::Metrics(format);
            assert_eq!(
                ask(&request),
                HttpRequest::Page { page, body: true },
                "{accept}"
            );
        }
        let text = page(Page::Metrics(Format::Text), true, "", true);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\r\nContent-Type: text/plain; version=0.0.4;"));
    }

    #[test]
    fn invalid_requests_get_their_error() {
        for (text, wrong) in [
            ("POST /livez HTTP/1.1\r\n\r\n", HttpRejection::Method),
            ("GET /page HTTP/1.1\r\n\r\n", HttpRejection::NoSuchPage),
            ("GET // HTTP/1.1\r\n\r\n", HttpRejection::NoSuchPage),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", HttpRejection::NoSuchPage),
            ("\x16\x03\x01\x02\x00\x01", HttpRejection::NotHttp),
            ("GET /livez\r\n\r\n", HttpRejection::NotHttp),
            ("GET /livez HTTP/3.0\r\n\r\n", HttpRejection::NotHttp),
        ] {
            assert_eq!(ask(text), HttpRequest::Rejected(wrong), "{text:?}");
        }
        let fields = "X: y\r\n".repeat(FIELDS + 1);
        let many = format!("GET /livez HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(ask(&many), HttpRequest::Rejected(HttpRejection::TooLong));
        let long = parse(b"GET /livez HTTP/1.1\r\n", true);
        assert_eq!(long, HttpRequest::Rejected(HttpRejection::TooLong));
    }

    #[test]
    fn the_live_page_is_compressed_and_restricted() {
        let (whole, head) = (html(true), html(false));
        let text = core::str::from_utf8(&head).unwrap();
        let length = format!("\r\nContent-Length: {}\r\n", HTML.len());
        for part in [
            "\r\nContent-Encoding: gzip\r\n",
            "\r\nContent-Security-Policy: default-src 'none'; ",
            "\r\nCache-Control: no-store\r\n",
            &length,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(whole, [&head, HTML].concat());
    }

    #[test]
    fn a_head_response_has_the_content_length_of_its_page() {
        let whole = String::from_utf8(page(Page::Ready, false, "starting\n", true)).unwrap();
        let head = String::from_utf8(page(Page::Ready, false, "starting\n", false)).unwrap();
        assert!(whole.starts_with("HTTP/1.1 503 "));
        assert_eq!(whole, format!("{head}starting\n"));
        assert!(head.contains("\r\nContent-Length: 9\r\n"));
        let wrong = String::from_utf8(HttpRejection::Method.response()).unwrap();
        assert!(wrong.contains("\r\nAllow: GET, HEAD\r\n"));
    }
}
