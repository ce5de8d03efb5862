//! The checked client of the tests (tests/harness/load) as a program, for rows/losses.py and rows/blocked.py.
//!
//! `client PORT RATE IDLE PATIENCE`: RATE requests a second, on at most IDLE kept connections (0: a new connection for each
//! request), and PATIENCE seconds for each answer. It reads a command a line on stdin, and prints a line when it is done: `answered N` waits
//! for N more answers, `by N` for answers of N processes, `kill PID` kills one, and notes what is inside it. The end of
//! stdin is the end of the load: the last line is what was seen, as JSON: requests by what became of them, how many of 1,000
//! answers were late, and times in milliseconds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use pidone_testkit as harness;

use std::io::BufRead;
use std::time::Duration;

use harness::killed::Killed;
use harness::load::{Failure, Kind, Plan, Report};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` runs every benchmark, and this is none by itself.
    let [port, rate, idle, patience] = arguments.as_slice() else {
        println!("usage: client PORT RATE IDLE PATIENCE; benches/run uses it");
        return;
    };
    let port = u16::try_from(number(port)).unwrap();
    let patience = Duration::from_secs(number(patience).into());
    let plan = Plan::of(port).rate(number(rate)).timeout(patience);
    let plan = match usize::try_from(number(idle)).unwrap() {
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
    word.parse()
        .unwrap_or_else(|_| panic!("not a number: {word}"))
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
    let took = report.answers.iter().map(|one| one.at - one.asked);
    let mut took: Vec<_> = took.map(|time| time.as_secs_f64() * 1e3).collect();
    took.sort_unstable_by(f64::total_cmp);
    let late = took.iter().filter(|time| **time > LATE).count();
    let share = |part: f64| took.get((took.len() as f64 * part) as usize);
    format!(
        "{{\"sent\": {}, \"answered\": {}, \"inside\": {inside}, \"refused\": {refused}, \"lost\": {lost}, \"kinds\": [{}], \
         \"late\": {}, \"p99\": {}, \"max\": {}}}",
        report.sent,
        report.answers.len(),
        kinds.join(", "),
        late as f64 * 1e3 / took.len().max(1) as f64,
        share(0.99).unwrap_or(&0.0),
        took.last().unwrap_or(&0.0),
    )
}

/// An answer that took longer, in milliseconds, is late.
const LATE: f64 = 25.0;

/// Nothing listened: the client knows that nothing was done, and may ask elsewhere.
fn is_refused(failure: &Failure) -> bool {
    !failure.established && failure.kind == Kind::Refused
}
