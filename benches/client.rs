//! The checked client of the tests (tests/harness/load) as a program, for rows/losses.py.
//!
//! `client PORT RATE IDLE`: so many requests a second, with at most so many connections that are kept (0: a new one for
//! each request). A command a line on stdin, and a line on stdout when it is done: `answered N` waits for so many more
//! answers, `by N` for answers of so many processes, `kill PID` kills one, and notes what is inside it. The end of
//! stdin is the end of the load: the last line is what was seen, as JSON.

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::io::BufRead;
use std::time::Duration;

use harness::load::{Failure, Kind, Plan, Report};
use harness::service::Killed;

/// Longer than anything but a request that nobody has any more.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` runs every benchmark, and this is none by itself.
    let [port, rate, idle] = arguments.as_slice() else {
        println!("usage: client PORT RATE IDLE; benches/run uses it");
        return;
    };
    let (port, rate, idle) = (number(port), number(rate), number(idle));
    let port = u16::try_from(port).unwrap();
    let plan = Plan::of(port).rate(rate).timeout(TIMEOUT);
    let plan = match usize::try_from(idle).unwrap() {
        0 => plan,
        idle => plan.keep_alive(idle),
    };
    let load = plan.start();
    let mut killed = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (command, count) = line.split_once(' ').unwrap();
        let count = number(count);
        match command {
            "answered" => load.until_answered(usize::try_from(count).unwrap()),
            "by" => load.until_answered_by(usize::try_from(count).unwrap()),
            "kill" => killed.push(Killed::now(i32::try_from(count).unwrap(), port)),
            other => panic!("no such command: {other}"),
        }
        println!("done");
    }
    println!("{}", told(&load.stop(), &killed));
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

/// Each failure is counted once.
fn told(report: &Report, killed: &[Killed]) -> String {
    let (mut inside, mut refused, mut lost) = (0, 0, 0);
    let mut kinds = Vec::new();
    for failure in &report.failures {
        if killed.iter().any(|one| one.explains(failure)) {
            inside += 1;
        } else if is_refused(failure) {
            refused += 1;
        } else {
            lost += 1;
            kinds.push(format!("\"{:?}\"", failure.kind));
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    format!(
        "{{\"sent\": {}, \"answered\": {}, \"inside\": {inside}, \"refused\": {refused}, \"lost\": {lost}, \"kinds\": [{}]}}",
        report.sent,
        report.answers.len(),
        kinds.join(", ")
    )
}

/// Nobody listened: the client knows that nothing was done, and may ask elsewhere.
fn is_refused(failure: &Failure) -> bool {
    !failure.established && failure.kind == Kind::Refused
}
