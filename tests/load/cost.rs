//! What pidone itself costs: it is not in the data path, and it is small.

use std::time::Duration;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{alone, binary, processes};

#[test]
fn twenty_thousand_requests_cost_pidone_nothing() {
    let _alone = alone();
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    let pidone = service.run.pid();
    processes::wait_for_sleep(pidone);
    let before = processes::cpu_time(pidone);
    let workers = service.workers();
    let plans = [
        service.load().rate(1000),
        service.load().rate(2000).keep_alive(64),
    ];
    let loads = plans.map(crate::harness::load::Plan::start);
    let mut answered = 0;
    while answered < 20_000 {
        loads[1].until_answered(500);
        answered = loads.iter().map(|load| load.report().answers.len()).sum();
    }
    for load in loads {
        load.stop().no_failures();
    }
    let spent = processes::cpu_time(pidone) - before;
    let workers: Duration = workers.iter().map(|pid| processes::cpu_time(*pid)).sum();
    assert!(spent < workers / 500, "{spent:?} of {workers:?}");
    service.stop().code(0);
}

/// All of the binary that is shipped; of a debug build, which has much more code, what it has made itself.
#[test]
fn sixty_four_workers_take_less_than_two_mebibytes() {
    let is_shipped = std::env::var_os("PIDONE_BIN").is_some();
    let what = if is_shipped { "VmRSS" } else { "RssAnon" };
    let _alone = alone();
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 64, &[""; 0]).ready();
    let pid = service.run.pid();
    for _ in 0..20 {
        admin.ask("status").done();
        assert_eq!(admin.get("/metrics").0, 200);
    }
    processes::wait_for_sleep(pid);
    let resident = processes::status(pid, what);
    let kib: u64 = resident.split(' ').next().unwrap().parse().unwrap();
    assert!(kib < 2048, "{}: {what} {resident}", binary().display());
    service.stop().code(0);
}
