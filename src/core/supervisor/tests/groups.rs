//! Processes left in the workers' process groups.

use super::*;

fn to_group(worker: u32, signal: Signal) -> Action {
    let worker = WorkerId(worker);
    Action::SignalGroup { worker, signal }
}

#[test]
fn processes_left_in_a_group_are_terminated_then_killed() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).exits(1, 1);
    let asked = [to_group(1, Signal::TERM), to_group(1, Signal::CONT)];
    assert_eq!(run.tell(Event::GroupLeft(WorkerId(1))), asked);
    assert_eq!(run.tick(), [to_group(1, Signal::KILL)]);
    assert_eq!(run.now, 3 * SECOND);
    assert_ne!(run.supervisor.next_deadline(), Some(run.now));
    assert_eq!(run.tell(Event::GroupGone(WorkerId(1))), []);
}

/// The group's number may have been reused by then.
#[test]
fn an_empty_group_gets_no_signal() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).exits(1, 1);
    let due = run.supervisor.next_deadline();
    run.tell(Event::GroupLeft(WorkerId(1)));
    run.tell(Event::GroupGone(WorkerId(1)));
    assert_eq!(run.supervisor.next_deadline(), due);
    assert_eq!(run.after(5 * SECOND).tell(Event::Tick), []);
}

/// They are signalled with all other leftovers.
#[test]
fn processes_left_by_the_last_worker_are_leftovers() {
    let mut run = Run::serving(&workers(1));
    run.signal(Signal::TERM);
    run.exits(1, 0);
    assert_eq!(run.tell(Event::GroupLeft(WorkerId(1))), []);
}
