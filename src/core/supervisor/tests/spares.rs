//! Workers in reserve.

use super::*;

fn spare(ready: Readiness) -> RunRules {
    workers_with(1, |rules| {
        rules.spares = 1;
        rules.ready = ready;
    })
}

#[test]
fn a_spare_takes_a_dead_workers_place_at_once_and_another_one_boots() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    assert_eq!(run.serve(), [1]);
    let actions = run.after(20 * SECOND).exits(1, 1);
    assert_eq!(next(&actions), Some(Next::Spare));
    let admit = Action::Admit {
        worker: WorkerId(2),
        member: Member(0),
    };
    // The numbers stay unique: the next one gets the dead one's.
    assert_eq!(done(actions), [admit, start(3, 0, None)]);
    assert_eq!(run.serve(), []);
    assert_eq!(run.ready(2), [report(Report::AllReady { workers: 1 })]);
    assert_eq!(run.serve(), [2]);
}

#[test]
fn a_spare_that_still_boots_is_of_no_help() {
    let mut run = Run::begin(&spare(Readiness::Listen));
    assert!(run.started(1).contains(&start(2, 1, None)));
    run.ready(1);
    run.started(2);
    assert_eq!(done(run.exits(1, 1)), [start(3, 0, Some(0))]);
}

#[test]
fn one_that_has_said_so_before_it_has_a_place_serves_as_soon_as_it_has() {
    let mut run = Run::serving(&spare(Readiness::Message));
    assert_eq!(run.ready(2), []);
    assert_eq!(run.serve(), [1]);
    assert!(
        run.exits(1, 1)
            .contains(&report(Report::AllReady { workers: 1 }))
    );
    assert_eq!(run.serve(), [2]);
}

#[test]
fn where_workers_are_ready_at_once_a_spare_is_when_it_gets_its_place() {
    let mut run = Run::serving(&spare(Readiness::None));
    assert_eq!(run.serve(), [1]);
    run.exits(1, 1);
    assert_eq!(run.serve(), [2]);
}

#[test]
fn spares_that_crash_wait_longer_and_longer_and_end_nothing() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    let mut id = 2;
    for _ in 0..100 {
        run.after(MS);
        if matches!(next(&run.exits(id, 1)), Some(Next::Restart(Duration::ZERO))) {
        } else {
            run.tick();
        }
        id += 1;
        run.started(id);
    }
    assert_eq!(run.serve(), [1]);
    assert!(run.now > 60 * SECOND);
}

#[test]
fn a_reload_replaces_spares_too_and_leaves_none_of_the_old_ones_behind() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    run.ready(3);
    // The new worker dies while the old one leaves, and an old spare stands in.
    let actions = run.after(MS).exits(3, 1);
    assert_eq!(next(&actions), Some(Next::Spare));
    run.started(4);
    run.tell(Event::Held(WorkerId(4)));
    run.ready(2);
    assert_eq!(run.serve(), [2]);
    let actions = run.exits(1, 0);
    assert!(
        actions.contains(&start(5, 1, Some(0))),
        "not done yet: {actions:?}"
    );
    run.started(5);
    run.ready(5);
    let actions = done(run.drains(2));
    assert!(
        matches!(actions[..], [Action::Report(Report::ReloadDone { .. })]),
        "{actions:?}"
    );
    assert_eq!(run.serve(), [5]);
}

/// A thousand take seconds.
#[test]
fn a_stop_is_heard_while_many_spares_are_started() {
    let mut run = Run::begin(&workers_with(1, |rules| rules.spares = 1000));
    let starts = |actions: &[Action]| {
        let starts = actions.iter().filter(|it| matches!(it, Action::Start(_)));
        starts.count()
    };
    assert_eq!(starts(&run.started(1)), 4);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now));
    assert_eq!(starts(&run.tick()), 4);
    run.signal(Signal::TERM);
    assert_eq!(starts(&run.tell(Event::Tick)), 0);
    assert_eq!(run.now, Duration::ZERO);
}

#[test]
fn a_spare_that_gets_booted_does_not_wait_beside_an_empty_slot() {
    let mut config = spare(Readiness::Listen);
    (config.restart.min_delay, config.restart.max_delay) = (8 * SECOND, 8 * SECOND);
    let mut run = Run::serving(&config);
    assert_eq!(next(&run.exits(1, 1)), Some(Next::Spare));
    run.started(3);
    run.ready(2);
    // The next spare still boots.
    assert_eq!(next(&run.exits(2, 1)), Some(Next::Restart(8 * SECOND)));
    let admit = Action::Admit {
        worker: WorkerId(3),
        member: Member(0),
    };
    let actions = run.after(SECOND).tell(Event::Held(WorkerId(3)));
    assert_eq!(actions, [admit]);
    run.ready(3);
    assert_eq!(run.serve(), [3]);
    // The spare after it comes when the slot's worker would have.
    assert_eq!(run.tick(), [start(4, 1, None)]);
    assert_eq!(run.now, 8 * SECOND);
}

#[test]
fn slots_that_spares_fill_are_a_crash_loop_all_the_same() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    let mut newest = 2;
    let mut ends = 0;
    loop {
        ends += 1;
        let slot = run.supervisor.slots().next().unwrap();
        let current = slot.worker.unwrap().0;
        run.ready(current);
        let mut actions = run.exits(current, 1);
        if next(&actions) == Some(Next::Nothing) {
            break;
        }
        // Whoever is started is booted at once.
        loop {
            for start in actions {
                if let Action::Start(start) = start {
                    newest = start.worker.0;
                    run.started(newest);
                    if start.member.is_none() {
                        run.tell(Event::Held(start.worker));
                    }
                }
            }
            if run.supervisor.slots().next().unwrap().worker.is_some() {
                break;
            }
            actions = run.tick();
        }
    }
    assert_eq!(ends, 11, "ten restarts are allowed");
    assert!(run.now < 60 * SECOND && newest > 5);
}
