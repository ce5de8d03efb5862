//! Checks of every parser of untrusted input: a function for each kind of input, which panics if a property does not
//! hold. The fuzzer calls them (`fuzz_targets/`), and tests/corpus.rs runs them on the files in `corpus/`.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod activation;
pub mod address;
pub mod app_metrics;
pub mod channel;
pub mod choices;
pub mod control;
pub mod http;
pub mod json;
pub mod kernel;
pub mod notify;
pub mod openmetrics;
pub mod options;
pub mod outbox;
pub mod status;
pub mod users;

/// Panics if a property does not hold.
pub type Check = fn(&[u8]);

/// All checks, by the name of their directory in `corpus/`.
pub const ALL: [(&str, Check); 12] = [
    ("activation", activation::check),
    ("address", address::check),
    ("app_metrics", app_metrics::check),
    ("channel", channel::check),
    ("control", control::check),
    ("http", http::check),
    ("json", json::check),
    ("kernel", kernel::check),
    ("notify", notify::check),
    ("options", options::check),
    ("status", status::check),
    ("users", users::check),
];

/// The parts of an input, which a line `--` separates; missing parts are empty.
pub fn parts<const N: usize>(data: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split("\n--\n");
    std::array::from_fn(|_| parts.next().unwrap_or_default().to_owned())
}
