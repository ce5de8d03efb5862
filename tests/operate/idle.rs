//! What open doors cost when nobody comes.

use crate::harness::admin::AdminEndpoints;
use crate::harness::net::connect_unix;
use crate::harness::{Pidone, processes};

/// Somebody may even stand in the door.
#[test]
fn with_open_doors_pidone_sleeps() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(2);
    let pid = run.pid();
    let standing = (admin.source(), connect_unix(&admin.control));
    admin.ask("status").done();
    for page in ["/metrics", "/status", "/"] {
        assert_eq!(admin.get(page).0, 200);
    }
    processes::wait_for_sleep(pid);
    let before = processes::switches(pid);
    // Some hundred milliseconds of work next to it.
    Pidone::plain()
        .node("setTimeout(() => {}, 300)")
        .run()
        .code(0);
    assert_eq!(processes::switches(pid), before);
    admin.ask("ready").done();
    processes::wait_for_sleep(pid);
    assert_ne!(processes::switches(pid), before);
    drop(standing);
    admin.ask("stop").done();
    run.end();
}
