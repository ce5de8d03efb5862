//! `pidone ctl`: what it asks for is done, or refused with a reason, and always comes to an end.

use super::*;

/// The reports among the actions that end what was asked for.
fn ends(actions: &[Action]) -> usize {
    let is_end = |action: &&Action| {
        matches!(
            action,
            Action::Report(Report::ReloadDone { .. } | Report::ReloadFailed { .. })
        )
    };
    actions.iter().filter(is_end).count()
}

#[test]
fn a_restart_replaces_the_worker_of_one_slot_and_no_other() {
    let mut run = Run::serving(&workers(3));
    assert_eq!(
        run.after(SECOND).asks(Request::Restart { slot: 1 }),
        [
            report(Report::RestartBegun { slot: 1 }),
            start(4, 1, Some(3))
        ]
    );
    assert!(run.supervisor.is_reloading());
    run.started(4);
    let steered = steer(&[Some(0), Some(3), Some(4)]);
    assert_eq!(run.ready(4), [replaced(1, 4), steered]);
    let took = 10 * MS;
    assert_eq!(done(run.drains(2)), [report(Report::ReloadDone { took })]);
    assert_eq!(run.serve(), [1, 3, 4]);
    assert!(!run.supervisor.is_reloading());
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_restart_that_fails_keeps_the_old_worker() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    let worker = WorkerId(3);
    assert_eq!(
        done(run.exits(3, 1)),
        [report(Report::ReloadFailed { worker })]
    );
    assert_eq!(run.serve(), [1, 2]);
}

#[test]
fn a_restart_during_another_one_waits_its_turn_and_both_end_together() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    assert_eq!(
        run.after(SECOND).asks(Request::Restart { slot: 1 }),
        [report(Report::RestartBegun { slot: 1 })]
    );
    run.ready(3);
    let actions = run.drains(1);
    assert_eq!(ends(&actions), 0);
    assert_eq!(done(actions), [start(4, 1, Some(3))]);
    run.started(4);
    run.ready(4);
    assert_eq!(ends(&run.drains(2)), 1);
    assert_eq!(run.serve(), [3, 4]);
}

#[test]
fn a_slot_that_waits_for_its_next_start_is_started_at_once() {
    let mut run = Run::serving(&workers(2));
    run.exits(1, 1);
    run.started(3);
    let actions = run.exits(3, 1);
    assert_eq!(next(&actions), Some(Next::Restart(100 * MS)));
    assert_eq!(
        run.asks(Request::Restart { slot: 0 }),
        [
            report(Report::RestartBegun { slot: 0 }),
            start(4, 0, Some(0))
        ]
    );
    run.started(4);
    assert_eq!(ends(&run.ready(4)), 1);
    assert_eq!(run.serve(), [2, 4]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_slot_whose_worker_has_left_for_good_can_be_filled_again() {
    let mut config = workers(2);
    config.restart.policy = RestartPolicy::Never;
    let mut run = Run::serving(&config);
    assert_eq!(done(run.exits(1, 0)), [steer(&[None, Some(2)])]);
    // A reload leaves it alone.
    let actions = run.after(SECOND).asks(Request::Reload);
    assert_eq!(actions[1..], [start(3, 1, Some(3))]);
    run.started(3);
    run.ready(3);
    run.drains(2);
    let actions = run.asks(Request::Restart { slot: 0 });
    assert_eq!(actions[1..], [start(4, 0, Some(0))]);
    run.started(4);
    assert_eq!(ends(&run.ready(4)), 1);
}

#[test]
fn a_number_that_is_reached_already_is_reached_at_once() {
    let mut run = Run::serving(&workers(2));
    assert_eq!(
        run.asks(Request::Scale { to: 2 }),
        [report(Report::ScaleDone { workers: 2 })]
    );
    let actions = run.asks(Request::Scale { to: 4 });
    assert_eq!(
        actions[..3],
        [
            report(Report::Scaled { from: 2, to: 4 }),
            start(3, 2, Some(4)),
            start(4, 3, Some(6))
        ]
    );
    // Asked once more, it is no news, and still not done.
    assert_eq!(run.asks(Request::Scale { to: 4 }), []);
    run.started(3);
    run.started(4);
    run.ready(3);
    let actions = run.ready(4);
    assert!(actions.contains(&report(Report::ScaleDone { workers: 4 })));
    assert_eq!(run.supervisor.target(), 4);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let mut run = Run::begin(&workers(2));
    assert_eq!(run.refuses(Request::Reload), Refusal::NotStarted);
    let mut run = Run::serving(&workers(2));
    assert_eq!(
        run.refuses(Request::Restart { slot: 2 }),
        Refusal::NoSuchSlot { slot: 2, slots: 2 }
    );
    assert_eq!(run.refuses(Request::Scale { to: 0 }), Refusal::TooFew);
    assert_eq!(
        run.refuses(Request::Scale { to: 1025 }),
        Refusal::TooMany { most: 1024 }
    );
    assert_eq!(
        run.asks(Request::Stop)[0],
        report(Report::Stopping {
            signal: Signal::TERM
        })
    );
    assert_eq!(run.refuses(Request::Reload), Refusal::Stopping);
    assert_eq!(run.refuses(Request::Scale { to: 3 }), Refusal::Stopping);
    assert_eq!(run.after(SECOND).asks(Request::Stop), []);
}

#[test]
fn there_are_no_more_workers_than_ports() {
    let config = workers_with(1, |rules| {
        rules.port_env = Some(crate::config::PortEnv {
            name: "PORT".into(),
            base: 65_534,
        });
    });
    let mut run = Run::serving(&config);
    assert_eq!(
        run.refuses(Request::Scale { to: 3 }),
        Refusal::TooMany { most: 2 }
    );
    run.signal(Signal::TTIN);
    let why = Refusal::TooMany { most: 2 };
    assert_eq!(
        run.signal(Signal::TTIN),
        [report(Report::RequestRefused { why })]
    );
}

#[test]
fn a_single_child_can_be_stopped_and_nothing_else() {
    let mut run = Run::of(&config());
    assert_eq!(run.refuses(Request::Reload), Refusal::SingleMode);
    assert_eq!(run.asks(Request::Stop), [signal(1, Signal::TERM)]);
    assert!(run.supervisor.is_stopping());
    assert_eq!(run.after(SECOND).asks(Request::Stop), []);
}
