//! Orphans, at any rate.

use crate::harness::{Pidone, can_be_init, processes};

const STORM: &str = "5000";

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
    run.expect("born and gone 5000");
    let (pidone, child) = (run.pid(), run.child_of_pid());
    // Reaping has no event that one could wait for; not reaping shows as a zombie for ever.
    processes::wait_until("no zombie is left", || {
        processes::children(pidone) == [child]
    });
    assert_ne!(processes::state(child), Some('Z'));
    run.close_stdin();
    run.end().code(42).quiet();
}

/// Where each of the dead costs much to find, pidone takes a rest; nobody wakes it from that.
#[test]
fn the_last_dead_of_a_large_family_are_not_forgotten() {
    const LIVING: usize = 2000;
    let living = LIVING.to_string();
    let mut run = Pidone::new(["-s"]).probe(["crowd", &living, "400"]).start();
    run.expect("ready");
    let pidone = run.pid();
    let are_there = |count: usize| processes::children(pidone).len() == count;
    processes::wait_until("they are with pidone", || are_there(LIVING + 1));
    // All die behind its back, so that there is one SIGCHLD, and never another.
    run.signal(libc::SIGSTOP);
    processes::wait_until("it is stopped", || processes::state(pidone) == Some('T'));
    run.write("x");
    run.expect("born and gone 400");
    run.signal(libc::SIGCONT);
    processes::wait_until("no zombie is left", || are_there(LIVING + 1));
    run.close_stdin();
    run.end().code(0);
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
