//! SIGTTIN and SIGTTOU.

use super::*;

#[test]
fn an_added_worker_gets_connections_when_it_is_ready() {
    let mut run = Run::serving(&workers(1));
    let scaled = report(Report::Scaled { from: 1, to: 2 });
    assert_eq!(
        run.signal(Signal::TTIN),
        [scaled, start(2, 1, Some(2)), steer(&[Some(0), None])]
    );
    run.started(2);
    assert_eq!(
        run.ready(2),
        [
            steer(&[Some(0), Some(2)]),
            report(Report::AllReady { workers: 2 }),
            report(Report::ScaleDone { workers: 2 })
        ]
    );
}

#[test]
fn a_removed_worker_drains_and_its_slot_is_removed() {
    let mut run = Run::serving(&workers(2));
    let scaled = report(Report::Scaled { from: 2, to: 1 });
    assert_eq!(run.signal(Signal::TTOU), [scaled, steer(&[Some(0), None])]);
    let scaled = report(Report::ScaleDone { workers: 1 });
    assert_eq!(done(run.drains(2)), [steer(&[Some(0)]), scaled]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn the_last_worker_cannot_be_removed() {
    let mut run = Run::serving(&workers(1));
    assert_eq!(run.signal(Signal::TTOU), [report(Report::LastWorker)]);
    assert_eq!(run.serve(), [1]);
}

#[test]
fn a_slot_added_again_starts_before_the_old_worker_exits() {
    let mut run = Run::serving(&workers(2));
    run.signal(Signal::TTOU);
    let actions = run.after(SECOND).signal(Signal::TTIN);
    assert_eq!(actions[1], start(3, 1, Some(3)));
    run.started(3);
    run.ready(3);
    assert_eq!(run.serve(), [1, 3]);
    // The slot is kept when its old worker exits.
    assert_eq!(done(run.drains(2)), []);
    assert_eq!(run.serve(), [1, 3]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn removing_a_slot_during_its_reload_is_not_a_failure() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    run.ready(3);
    // Slot 1 is next.
    run.drains(1);
    run.started(4);
    let actions = run.signal(Signal::TTOU);
    assert!(actions.contains(&signal(4, Signal::TERM)), "{actions:?}");
    assert_eq!(done(run.exits(4, 1)), []);
    let actions = done(run.exits(2, 0));
    assert!(
        matches!(actions[1], Action::Report(Report::ReloadDone { .. })),
        "{actions:?}"
    );
    assert_eq!(run.serve(), [3]);
}
