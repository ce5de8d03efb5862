//! The checked client of the tests (tests/harness/load) as a program, for rows/losses.py.
//!
//! `client PORT RATE IDLE PATIENCE`: so many requests a second, with at most so many connections that are kept (0: a new one for
//! each request), and so many seconds for each answer. A command a line on stdin, and a line on stdout when it is done: `answered N` waits for so many more
//! answers, `by N` for answers of so many processes, `kill PID` kills one, and notes what is inside it. The end of
//! stdin is the end of the load: the last line is what was seen, as JSON.

#![allow(clippy::unwrap_used, clippy::panic)]

use pidone_testkit as harness;

use std::io::BufRead;
use std::time::Duration;

use harness::load::{Failure, Kind, Plan, Report};
use harness::service::Killed;

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
