//! The tables and charts of the benchmarks.

use std::process::Command;

/// RESULTS.md, the charts, and the tables of docs/benchmarks.md and README.md.
#[test]
fn tables_and_charts_are_those_of_the_results() {
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/run");
    let Ok(end) = Command::new("python3").args([run, "--check"]).output() else {
        return eprintln!("skipped: no python3 here");
    };
    let stale = String::from_utf8_lossy(&end.stderr);
    assert!(end.status.success(), "{stale}");
}
