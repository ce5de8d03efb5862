//! Orphans, at any rate.

use crate::harness::{Pidone, can_be_init, processes};

const STORM: &str = "20000";

#[test]
fn init_reaps_a_storm_of_orphans() {
    if can_be_init("init_reaps_a_storm_of_orphans") {
        a_storm_of_orphans(Pidone::plain().init());
    }
}

#[test]
fn a_subreaper_reaps_a_storm_of_orphans() {
    a_storm_of_orphans(Pidone::new(["-s"]));
}

fn a_storm_of_orphans(pidone: Pidone) {
    let mut run = pidone.probe(["orphans", STORM, "42"]).start();
    run.expect("born and gone 20000");
    let (pidone, child) = (run.pid(), run.child_of_pid());
    // Reaping has no event that one could wait for; not reaping shows as a zombie for ever.
    processes::wait_until("no zombie is left", || {
        processes::children(pidone) == [child]
    });
    assert_ne!(processes::state(child), Some('Z'));
    run.close_stdin();
    run.end().code(42).quiet();
}

/// They came to pidone, not to whoever is init here.
#[test]
fn pidone_adopts_orphans_wherever_it_runs() {
    let run = Pidone::plain().probe(["linger", "obey", "7"]).start();
    run.expect("ready");
    assert_eq!(processes::children(run.pid()).len(), 2);
}

#[test]
fn a_lone_orphan_is_reaped_at_once_and_reported_when_wanted() {
    for options in [["-w"], ["--warn-on-reap"]] {
        let mut run = Pidone::new(options).probe(["orphans", "1", "0"]).start();
        run.expect("born and gone 1");
        run.until_stderr("reaped");
        run.close_stdin();
        run.end()
            .code(0)
            .says(&["warning: ", "orphan", "exit status 0"]);
    }
}
