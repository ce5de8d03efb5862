//! Workers that are killed under load.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::BALANCES;
use crate::harness::alone;
use crate::harness::killed::Killed;
use crate::harness::load::{Kind, Plan};
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{processes, scaled, scaled_ms, words};

/// Restarts at once, however often.
const AT_ONCE: [&str; 4] = ["--backoff", "10ms..10ms", "--max-restarts", "100/60s"];

/// Clients of many addresses.
fn from_everywhere(plan: Plan) -> Plan {
    plan.from((1..=16).map(|last| [127, 0, 0, last].into()))
}

/// Kills one of two workers ten times under a load. Nothing is lost but what was inside it.
#[track_caller]
fn kill_ten_under(service: &Service, plan: Plan) {
    let load = plan.start();
    load.until_answered(200);
    let mut killed = Vec::new();
    for turn in 0..10 {
        let workers = service.workers();
        let victim = *workers.iter().nth(turn % 2).unwrap();
        killed.push(Killed::now(victim, service.app.port));
        service.run.until_stderr(&words::killed(victim));
        service.up(1);
        load.until_answered(200);
    }
    let report = load.stop();
    report.only_failures("what was inside a killed worker", |failure| {
        killed.iter().any(|one| one.explains(failure))
    });
}

#[test]
fn no_new_connection_is_lost_in_any_way_of_balancing() {
    let _alone = alone();
    for balance in BALANCES {
        let options = ["--balance", balance].into_iter().chain(AT_ONCE);
        let service = App::named(PLAIN).workers(2, options).ready();
        kill_ten_under(&service, from_everywhere(service.load()));
        service.stop().code(0);
    }
}

#[test]
fn slow_requests_die_with_their_worker_and_no_others_do() {
    let _alone = alone();
    let service = App::named(PLAIN).workers(2, AT_ONCE).ready();
    kill_ten_under(&service, service.load().slow(Duration::from_millis(100)));
    service.stop().code(0);
}

#[test]
fn kept_connections_die_with_their_worker_and_no_others_do() {
    let _alone = alone();
    let drain = scaled_ms(2000);
    let options = ["--http-drain", &drain].into_iter().chain(AT_ONCE);
    let service = App::named(PLAIN).workers(2, options).ready();
    kill_ten_under(&service, service.load().keep_alive(64));
    service.stop().code(0);
}

/// kill -9 as it comes, with nobody looking inside first: what began after it is answered.
#[test]
fn a_sudden_death_loses_nothing_that_comes_after_it() {
    let _alone = alone();
    for balance in BALANCES {
        let options = ["--balance", balance].into_iter().chain(AT_ONCE);
        let service = App::named(PLAIN).workers(2, options).ready();
        let load = from_everywhere(service.load()).start();
        load.until_answered_by(2);
        let mut deaths = Vec::new();
        for turn in 0..10 {
            let victim = *service.workers().iter().nth(turn % 2).unwrap();
            deaths.push(Killed::suddenly(victim));
            service.up(1);
            load.until_answered_by(2);
        }
        let report = load.stop();
        // What is inside one that is about to die is known only to who looks before, as above.
        let times: Vec<_> = deaths.iter().map(|one| one.at - report.started).collect();
        let which = format!("asked before a death, and lost at it, which were at {times:?}");
        report.only_failures(&which, |failure| {
            let by = |death: &Killed| {
                failure.asked <= death.at
                    && failure.at >= death.from
                    && failure.at - death.from < scaled(Duration::from_secs(1))
            };
            failure.kind != Kind::TimedOut && failure.established && deaths.iter().any(by)
        });
        service.stop().code(0);
    }
}

/// Says `boot` when it has called listen(), which is as far as a spare gets.
const BOOTING: &str = "
    const server = require('http').createServer(require('./answer.js'));
    server.listen(process.env.PORT);
    setImmediate(() => console.log('boot', process.pid));
";

#[test]
fn a_spare_takes_over_at_once() {
    let _alone = alone();
    let options = ["--spares", "1"].into_iter().chain(AT_ONCE);
    let service = App::script(BOOTING).workers(2, options);
    service.run.until_stderr(words::READY);
    let mut booted: Vec<_> = (0..3).map(|_| service.pid_after("boot ")).collect();
    let load = service.load().start();
    let mut killed = Vec::new();
    for turn in 0..10 {
        let serving: BTreeSet<_> = load.next(300).iter().map(|answer| answer.pid).collect();
        assert_eq!(serving.len(), 2);
        let spare = *booted
            .iter()
            .find(|pid| !serving.contains(pid) && is_alive(**pid))
            .unwrap();
        let victim = *serving.iter().nth(turn % 2).unwrap();
        let death = Killed::now(victim, service.app.port);
        load.until("an answer of the spare", |answers| {
            answers
                .iter()
                .any(|answer| answer.pid == spare)
                .then_some(())
        });
        killed.push(death);
        booted.push(service.pid_after("boot "));
    }
    let report = load.stop();
    report.only_failures("what was inside a killed worker", |failure| {
        killed.iter().any(|one| one.explains(failure))
    });
    service.run.until_stderr_times(words::SPARE, 10);
    assert_eq!(service.run.stderr_count(words::SPARE), 10);
    service.stop().code(0);
}

fn is_alive(pid: i32) -> bool {
    processes::state(pid).is_some_and(|state| state != 'Z')
}
