//! What open doors cost when nobody comes.

use super::admin::AdminEndpoints;
use crate::harness::net::connect_unix;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, binary, processes};

fn switches(pid: i32) -> [String; 2] {
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
        .map(|name| processes::status(pid, name))
}

/// Somebody may even stand in the door.
#[test]
fn with_open_doors_pidone_sleeps() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(2);
    let pid = run.pid();
    let standing = (admin.source(), connect_unix(&admin.control));
    admin.ask("status").done();
    assert_eq!(admin.get("/metrics").0, 200);
    processes::wait_for_sleep(pid);
    let before = switches(pid);
    // Some hundred milliseconds of work next to it.
    Pidone::plain()
        .node("setTimeout(() => {}, 300)")
        .run()
        .code(0);
    assert_eq!(switches(pid), before);
    admin.ask("ready").done();
    processes::wait_for_sleep(pid);
    assert_ne!(switches(pid), before);
    drop(standing);
    admin.ask("stop").done();
    run.end();
}

/// All of the binary that is shipped; of a debug build, which has much more code, what it has made itself.
#[test]
fn sixty_four_workers_take_less_than_two_mebibytes() {
    let is_shipped = std::env::var_os("PIDONE_BIN").is_some();
    let what = if is_shipped { "VmRSS" } else { "RssAnon" };
    let _alone = crate::harness::alone();
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
