//! Idle costs nothing.

use crate::harness::{Pidone, can_be_init, processes};

/// One thread, in one call, without a time limit; and it stays there while others work.
#[test]
fn between_two_events_pidone_sleeps() {
    let options = ["--grace", "5s", "-w"];
    let mut pidones = vec![Pidone::plain(), Pidone::new(options)];
    if can_be_init("between_two_events_pidone_sleeps, as PID 1") {
        pidones.push(Pidone::new(options).init());
    }
    for pidone in pidones {
        let run = pidone.probe(["signals", "10"]).start();
        run.expect("ready");
        let pid = run.pid();
        processes::wait_for_sleep(pid);
        assert_eq!(processes::status(pid, "Threads"), "1");
        let before = processes::switches(pid);
        // Some hundred milliseconds of work next to it.
        Pidone::plain()
            .node("setTimeout(() => {}, 300)")
            .run()
            .code(0);
        assert_eq!(processes::switches(pid), before);
        // An event wakes it, and afterwards it sleeps as before.
        run.signal(12);
        run.expect("SIGNAL 12 ");
        processes::wait_for_sleep(pid);
        assert_ne!(processes::switches(pid), before);
        run.signal(10);
        run.expect("SIGNAL 10 ");
        run.end().code(0);
    }
}

#[test]
fn after_a_storm_pidone_sleeps_again() {
    let mut run = Pidone::plain().probe(["orphans", "3000", "0"]).start();
    run.expect("born and gone 3000");
    processes::wait_for_sleep(run.pid());
    run.close_stdin();
    run.end().code(0);
}
