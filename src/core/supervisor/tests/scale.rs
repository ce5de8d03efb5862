//! SIGTTIN and SIGTTOU.

use super::*;

#[test]
fn one_more_is_started_beside_the_others_and_gets_new_connections_when_it_serves() {
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
fn one_less_leaves_in_peace_and_its_place_is_forgotten() {
    let mut run = Run::serving(&workers(2));
    let scaled = report(Report::Scaled { from: 2, to: 1 });
    assert_eq!(run.signal(Signal::TTOU), [scaled, steer(&[Some(0), None])]);
    let scaled = report(Report::ScaleDone { workers: 1 });
    assert_eq!(done(run.drains(2)), [steer(&[Some(0)]), scaled]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn the_last_one_cannot_be_taken_away() {
    let mut run = Run::serving(&workers(1));
    assert_eq!(run.signal(Signal::TTOU), [report(Report::LastWorker)]);
    assert_eq!(run.serve(), [1]);
}

#[test]
fn a_place_that_is_wanted_again_gets_a_worker_while_the_old_one_still_leaves() {
    let mut run = Run::serving(&workers(2));
    run.signal(Signal::TTOU);
    let actions = run.after(SECOND).signal(Signal::TTIN);
    assert_eq!(actions[1], start(3, 1, Some(3)));
    run.started(3);
    run.ready(3);
    assert_eq!(run.serve(), [1, 3]);
    // The place is not given up when its former worker ends.
    assert_eq!(done(run.drains(2)), []);
    assert_eq!(run.serve(), [1, 3]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_place_that_is_given_up_during_its_reload_is_no_failure() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    run.ready(3);
    // Slot 1 is next.
    assert_eq!(done(run.drains(1)), [start(4, 1, Some(3))]);
    run.started(4);
    let actions = run.signal(Signal::TTOU);
    assert!(actions.contains(&signal(4, Signal::TERM)), "{actions:?}");
    let actions = done(run.exits(4, 1));
    assert!(matches!(
        actions[..],
        [Action::Report(Report::ReloadDone { .. })]
    ));
    assert_eq!(run.serve(), [3]);
}
