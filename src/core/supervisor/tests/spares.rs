//! Spares.

use super::*;

fn spare(ready: Readiness) -> RunRules {
    workers_with(1, |rules| {
        rules.spares = 1;
        rules.ready = ready;
    })
}

#[test]
fn a_spare_replaces_a_crashed_worker_and_another_boots() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    assert_eq!(run.serve(), [1]);
    let actions = run.after(20 * SECOND).exits(1, 1);
    assert_eq!(next(&actions), Some(Next::Spare));
    let admit = Action::Admit {
        worker: WorkerId(2),
        member: Member(0),
    };
    // Instance numbers stay unique: the next spare gets the exited worker's.
    assert_eq!(done(actions), [admit, start(3, 0, None)]);
    assert_eq!(run.serve(), []);
    assert_eq!(run.ready(2), [report(Report::AllReady { workers: 1 })]);
    assert_eq!(run.serve(), [2]);
}

#[test]
fn a_booting_spare_is_not_used() {
    let mut run = Run::begin(&spare(Readiness::Listen));
    assert!(run.started(1).contains(&start(2, 1, None)));
    run.ready(1);
    run.started(2);
    assert_eq!(done(run.exits(1, 1)), [start(3, 0, Some(0))]);
}

#[test]
fn a_spare_that_reported_ready_serves_when_admitted() {
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
fn without_readiness_a_spare_is_ready_when_admitted() {
    let mut run = Run::serving(&spare(Readiness::None));
    assert_eq!(run.serve(), [1]);
    run.exits(1, 1);
    assert_eq!(run.serve(), [2]);
}

#[test]
fn crashing_spares_are_delayed_and_never_stop_pidone() {
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
fn a_reload_replaces_every_spare() {
    let mut run = Run::serving(&spare(Readiness::Listen));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    run.ready(3);
    // The new worker exits while the old one is drained, and an old spare replaces it.
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

/// Starting a thousand spares takes seconds.
#[test]
fn a_stop_is_handled_while_many_spares_start() {
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
fn a_booted_spare_fills_an_empty_slot_at_once() {
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
    // The next spare is started when the slot's worker would have been.
    assert_eq!(run.tick(), [start(4, 1, None)]);
    assert_eq!(run.now, 8 * SECOND);
}

#[test]
fn crash_loops_are_detected_with_spares_too() {
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
        // Every spare is booted as soon as it is started.
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
