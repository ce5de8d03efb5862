//! A stop under load: whatever the kernel has accepted is answered.

use std::time::Duration;

use crate::BALANCES;
use crate::harness::load::{Kind, Plan};
use crate::harness::service::{App, CLOSE, FASTIFY, FASTIFY_CLOSE, PLAIN, Service};
use crate::harness::{alone, scaled_ms};

#[track_caller]
fn stop_under(service: Service, plan: Plan) {
    let load = plan.start();
    load.until_answered(500);
    service.stop().code(0);
    let report = load.stop();
    report.only_failures("refused after the stop", |failure| {
        !failure.established && failure.kind == Kind::Refused
    });
    // The load went on until the end and after it.
    assert!(!report.failures.is_empty(), "{report}");
}

#[test]
fn what_was_accepted_is_answered_whatever_handlers_the_app_has() {
    let _alone = alone();
    for app in [PLAIN, CLOSE, FASTIFY, FASTIFY_CLOSE] {
        for slow in [None, Some(Duration::from_millis(200))] {
            let service = App::named(app).workers(2, [""; 0]).ready();
            let plan = service.load();
            let plan = slow.into_iter().fold(plan, Plan::slow);
            stop_under(service, plan);
        }
    }
}

#[test]
fn what_was_accepted_is_answered_in_any_way_of_balancing() {
    let _alone = alone();
    for balance in BALANCES {
        for slow in [None, Some(Duration::from_millis(200))] {
            let service = App::named(PLAIN).workers(4, ["--balance", balance]).ready();
            let plan = service.load();
            let plan = slow.into_iter().fold(plan, Plan::slow);
            stop_under(service, plan);
        }
    }
}

#[test]
fn kept_connections_lose_nothing_with_http_drain() {
    let _alone = alone();
    for app in [PLAIN, FASTIFY_CLOSE] {
        for delay in ["0s", "1s"] {
            let drain = scaled_ms(2000);
            let options = ["--http-drain", &drain, "--drain-delay", delay];
            let service = App::named(app).workers(2, options).ready();
            let plan = service.load().keep_alive(64);
            stop_under(service, plan);
        }
    }
}
