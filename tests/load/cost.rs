//! pidone is not in the data path.

use std::time::Duration;

use crate::harness::alone;
use crate::harness::processes;
use crate::harness::service::{App, PLAIN};

#[test]
fn a_hundred_thousand_requests_cost_pidone_nothing() {
    let _alone = alone();
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    let pidone = service.run.pid();
    processes::wait_for_sleep(pidone);
    let before = processes::cpu_time(pidone);
    let plans = [
        service.load().rate(1000),
        service.load().rate(5000).keep_alive(64),
    ];
    let loads = plans.map(crate::harness::load::Plan::start);
    let mut answered = 0;
    while answered < 100_000 {
        loads[1].until_answered(5000);
        answered = loads.iter().map(|load| load.report().answers.len()).sum();
    }
    for load in loads {
        load.stop().no_failures();
    }
    let spent = processes::cpu_time(pidone) - before;
    assert!(spent < Duration::from_millis(5), "{spent:?}");
    service.stop().code(0);
}
