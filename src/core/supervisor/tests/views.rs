//! The state that status, probes and metrics show.

use super::*;
use alloc::vec::Vec;

fn states(run: &Run) -> Vec<StateView> {
    run.supervisor.slots().map(|slot| slot.state).collect()
}

#[test]
fn pidone_is_ready_once_all_served_and_one_serves() {
    let mut run = Run::begin(&workers(2));
    run.started(1);
    run.started(2);
    run.ready(1);
    assert!(!run.supervisor.is_ready(), "worker 2 has never been ready");
    run.ready(2);
    assert!(run.supervisor.is_ready());
    run.exits(1, 1);
    assert!(run.supervisor.is_ready(), "the other worker serves");
    run.exits(2, 1);
    assert!(!run.supervisor.is_ready(), "no worker serves");
    run.started(3);
    run.ready(3);
    assert!(run.supervisor.is_ready());
    run.asks(scale(ScaleTo::Number(5)));
    assert!(run.supervisor.is_ready(), "more is better");
    run.signal(Signal::TERM);
    assert!(run.supervisor.is_stopping() && !run.supervisor.is_ready());
}

#[test]
fn during_the_drain_delay_pidone_serves_but_is_not_ready() {
    let config = workers_with(1, |rules| rules.drain_delay = 5 * SECOND);
    let mut run = Run::serving(&config);
    run.signal(Signal::TERM);
    assert_eq!(run.serve(), [1]);
    assert!(!run.supervisor.is_ready());
}

#[test]
fn a_single_child_is_ready_while_it_runs() {
    let mut run = Run::begin(&config());
    assert!(!run.supervisor.is_ready());
    run.started(1);
    assert!(run.supervisor.is_ready());
    run.signal(Signal::HUP);
    assert!(run.supervisor.is_ready());
    run.signal(Signal::TERM);
    assert!(!run.supervisor.is_ready());
}

#[test]
fn a_slot_shows_its_worker_and_past_crashes() {
    let config = workers_with(2, |rules| rules.spares = 1);
    let mut run = Run::begin(&config);
    run.after(SECOND).started(1);
    assert_eq!(states(&run), [StateView::Starting, StateView::Starting]);
    run.started(2);
    run.started(3);
    run.ready(1);
    run.ready(2);
    run.tell(Event::Held(WorkerId(3)));
    let seen = run.supervisor.slots().next().unwrap();
    assert_eq!(
        seen,
        SlotView {
            slot: 0,
            instance: 0,
            worker: Some(WorkerId(1)),
            successor: None,
            state: StateView::Ready,
            since: Some(SECOND),
            restarts: 0,
            last_end: None,
        }
    );
    let spare = run.supervisor.spares().next().unwrap();
    assert_eq!((spare.instance, spare.state), (2, StateView::Ready));

    run.after(SECOND).exits(1, 7);
    let seen = run.supervisor.slots().next().unwrap();
    assert_eq!((seen.instance, seen.worker), (2, Some(WorkerId(3))));
    assert_eq!(seen.state, StateView::Starting);
    assert_eq!(seen.restarts, 1);
    assert_eq!(seen.last_end, Some((Ended::Code(7), 2 * SECOND)));

    run.ready(3);
    run.exits(3, 7);
    assert_eq!(states(&run), [StateView::Waiting, StateView::Ready]);
}

#[test]
fn a_slot_shows_its_successor_and_a_leaving_worker() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).signal(Signal::HUP);
    let seen = run.supervisor.slots().next().unwrap();
    assert_eq!(seen.worker, Some(WorkerId(1)));
    assert_eq!(seen.successor, Some(WorkerId(3)));
    run.signal(Signal::TTOU);
    assert_eq!(states(&run), [StateView::Ready, StateView::Draining]);
    let mut config = workers(1);
    config.restart.policy = RestartPolicy::OnFailure;
    let mut run = Run::serving(&config);
    run.signal(Signal::TTIN);
    run.started(2);
    run.ready(2);
    run.exits(2, 0);
    assert_eq!(states(&run), [StateView::Ready, StateView::Empty]);
}
