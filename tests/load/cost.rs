//! What pidone itself costs: it is not in the data path, and it is small.

use std::time::Duration;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{alone, binary, processes};

#[test]
fn requests_cost_pidone_nothing_if_the_kernel_spreads_them() {
    assert!(share_of_20_000_requests("reuseport") < 0.002);
}

/// It looks at the queues some 80 times a second: 2 % of the workers' time, and more in a debug build.
#[test]
fn requests_cost_pidone_little_if_it_may_move_them() {
    assert!(share_of_20_000_requests("auto") < 0.2);
}

/// The CPU time that pidone uses for them, as a share of the workers'.
fn share_of_20_000_requests(balance: &str) -> f64 {
    let _alone = alone();
    let options = ["--balance", balance];
    let service = App::named(PLAIN).workers(2, options).ready();
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
    println!("{balance}: {spent:?} of {workers:?}");
    service.stop().code(0);
    spent.as_secs_f64() / workers.as_secs_f64()
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
