//! The tables and charts of the benchmarks.

use std::process::Command;

use crate::harness::is_installed;

/// RESULTS.md, the charts, and the tables of docs/benchmarks.md and README.md.
#[test]
fn tables_and_charts_are_those_of_the_results() {
    let test = "tables_and_charts_are_those_of_the_results";
    if !is_installed(test, "python3", "python3") {
        return;
    }
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/run");
    let end = Command::new("python3").args([run, "--check"]).output();
    let end = end.unwrap();
    let stale = String::from_utf8_lossy(&end.stderr);
    assert!(end.status.success(), "{stale}");
}
