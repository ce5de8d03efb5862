//! SIGHUP: successors first, `--surge` at a time.

use super::*;

#[test]
fn each_worker_leaves_after_its_successor_serves() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND);
    assert_eq!(
        run.signal(Signal::HUP),
        [report(Report::ReloadBegun), start(3, 0, Some(1))]
    );
    assert_eq!(run.started(3), []);
    assert_eq!(run.serve(), [1, 2]);
    // New connections go to the successor, and the old worker drains its own queue.
    let steered = steer(&[Some(1), Some(2)]);
    let next = start(4, 1, Some(3));
    assert_eq!(run.ready(3), [replaced(0, 3), steered, next]);
    assert_eq!(run.serve(), [2, 3]);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + 10 * MS));
    assert_eq!(run.started(4), []);
    // The next successor boots while the first worker drains.
    assert_eq!(done(run.drains(1)), []);
    assert_eq!(run.ready(4), [replaced(1, 4), steer(&[Some(1), Some(3)])]);
    let took = 20 * MS;
    assert_eq!(done(run.drains(2)), [report(Report::ReloadDone { took })]);
    assert_eq!(run.serve(), [3, 4]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_crashed_successor_ends_the_reload_and_the_old_worker_stays() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    let worker = WorkerId(3);
    assert_eq!(done(run.exits(3, 1)), [report(failed(worker, 0, 2))]);
    assert_eq!(run.serve(), [1, 2]);
    assert_eq!(run.supervisor.next_deadline(), None);
    // Another reload can be requested.
    assert_eq!(
        run.after(SECOND).signal(Signal::HUP)[1],
        start(4, 0, Some(1))
    );
}

/// Four workers, `--surge 2`, and a reload whose first two successors boot.
fn with_surge() -> Run {
    let config = workers_with(4, |rules| rules.surge = Surge::Count(2));
    let mut run = Run::serving(&config);
    assert_eq!(
        run.after(SECOND).asks(Request::Reload),
        [
            report(Report::ReloadBegun),
            start(5, 0, Some(1)),
            start(6, 1, Some(3))
        ]
    );
    run.started(5);
    run.started(6);
    run
}

#[test]
fn surge_successors_boot_at_the_same_time() {
    let mut run = with_surge();
    assert!(run.ready(6).contains(&start(7, 2, Some(5))));
    assert_eq!(run.serve(), [1, 3, 4, 6]);
    assert!(run.ready(5).contains(&start(8, 3, Some(7))));
    run.started(7);
    run.started(8);
    run.ready(7);
    run.ready(8);
    assert_eq!(run.serve(), [5, 6, 7, 8]);
    for old in 1..4 {
        assert_eq!(replies(&run.exits(old, 0)), [], "{old} was the last");
    }
    assert_eq!(replies(&run.exits(4, 0)).len(), 1);
}

#[test]
fn a_failed_successor_stops_the_others_and_those_replaced_stay() {
    let mut run = with_surge();
    run.ready(5);
    run.started(7);
    let (worker, progress) = (WorkerId(6), Progress { replaced: 1, of: 4 });
    assert_eq!(
        run.exits(6, 1)[1..],
        [
            report(failed(worker, 1, 4)),
            reply_to(ME, Reply::Failed { worker, progress }),
            signal(7, Signal::TERM),
        ]
    );
    assert_eq!(run.serve(), [2, 3, 4, 5]);
    run.exits(7, 0);
    run.exits(1, 0);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_successor_never_shares_its_member_with_a_draining_worker() {
    let config = workers_with(2, |rules| rules.http_drain = Some(5 * SECOND));
    let mut run = Run::serving(&config);
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    run.ready(3);
    // Worker 1 still drains member 0 when the reload comes: slot 1 is first.
    let actions = run.after(SECOND).signal(Signal::HUP);
    assert_eq!(actions, [report(Report::ReloadBegun), start(4, 1, Some(3))]);
    run.started(4);
    assert!(run.ready(4).contains(&replaced(1, 4)));
    assert_eq!(done(run.exits(1, 0)), [start(5, 0, Some(0))]);
}

#[test]
fn a_slot_with_two_draining_workers_waits_while_others_serve() {
    let config = workers_with(2, |rules| rules.hang_timeout = Some(SECOND));
    let mut run = Run::serving(&config);
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    run.ready(3);
    run.listens(3, true);
    // The successor hangs while the worker that it has replaced drains.
    for id in [1, 2] {
        run.listens(id, true);
        run.tell(Event::Pong(WorkerId(id)));
    }
    let hung = loop {
        let actions = run.tick();
        for action in &actions {
            if let Action::Ping(id) = action
                && id.0 != 3
            {
                run.tell(Event::Pong(*id));
            }
        }
        if actions.contains(&signal(3, Signal::ABRT)) {
            break actions;
        }
    };
    let starts = |action: &Action| matches!(action, Action::Start(_));
    assert!(!hung.iter().any(starts), "{hung:?}");
    let killed = Ended::Killed(Signal::ABRT);
    let gone = run.tell(Event::Exited {
        worker: WorkerId(3),
        ended: killed,
    });
    assert!(gone.contains(&start(4, 0, Some(1))), "{gone:?}");
}

#[test]
fn a_successor_that_cannot_be_started_ends_the_reload() {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).signal(Signal::HUP);
    let worker = WorkerId(2);
    let start_failed = Event::StartFailed {
        worker,
        status: 126,
    };
    assert_eq!(done(run.tell(start_failed)), [report(failed(worker, 0, 1))]);
    assert_eq!(run.serve(), [1]);
}

#[test]
fn a_successor_that_never_gets_ready_is_stopped() {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    let worker = WorkerId(2);
    let timeout = 30 * SECOND;
    assert_eq!(
        run.next_actions(),
        [
            report(Report::NeverReady { worker, timeout }),
            signal(2, Signal::TERM),
            report(failed(worker, 0, 1))
        ]
    );
    assert_eq!(run.serve(), [1]);
    // Its handler closes nothing, and its channel would keep it alive.
    assert_eq!(run.tick(), [disconnect(2)]);
    assert_eq!(done(run.exits(2, 0)), []);
}

#[test]
fn a_booting_successor_takes_over_when_the_old_worker_crashes() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).signal(Signal::HUP);
    run.started(3);
    let actions = run.exits(1, 1);
    assert_eq!(next(&actions), Some(Next::Successor));
    assert_eq!(done(actions), [steer(&[None, Some(2)])]);
    let actions = run.ready(3);
    assert!(
        actions.contains(&start(4, 1, Some(3))),
        "the next slot: {actions:?}"
    );
    assert!(actions.contains(&steer(&[Some(1), Some(2)])));
}

#[test]
fn a_second_reload_replaces_workers_of_the_first() {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    assert_eq!(
        run.after(SECOND).signal(Signal::HUP),
        [report(Report::ReloadBegun)]
    );
    run.ready(2);
    assert_eq!(done(run.drains(1)), [start(3, 0, Some(0))]);
    run.started(3);
    run.ready(3);
    let actions = done(run.drains(2));
    assert!(matches!(
        actions[..],
        [Action::Report(Report::ReloadDone { .. })]
    ));
}

/// A worker that is drained; its successor is ready.
fn with_leaving_worker() -> Run {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    run.ready(2);
    run
}

#[test]
fn draining_a_busy_queue_has_a_time_limit() {
    let mut run = with_leaving_worker();
    let dismissed = run.now;
    let worker = Some(WorkerId(1));
    while run.tick() == [Action::CheckPending(worker)] {
        let pending = Pending::Queued;
        assert_eq!(run.tell(Event::Pending { worker, pending }), []);
    }
    // Half of the grace period for the queue, and four fifths of it until the stop signal.
    assert_eq!(run.now, dismissed + 15 * SECOND);
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    assert_eq!(run.now, dismissed + 24 * SECOND);
    let overdue = Report::Overdue {
        worker: WorkerId(1),
        grace: 30 * SECOND,
    };
    assert_eq!(run.tick(), [report(overdue), signal(1, Signal::KILL)]);
    assert_eq!(run.now, dismissed + 30 * SECOND);
}

#[test]
fn unread_connections_are_waited_for_250_ms() {
    let mut run = with_leaving_worker();
    let dismissed = run.now;
    let worker = Some(WorkerId(1));
    let actions = loop {
        assert_eq!(run.tick(), [Action::CheckPending(worker)]);
        let pending = Pending::Unread;
        let actions = run.tell(Event::Pending { worker, pending });
        if !actions.is_empty() {
            break actions;
        }
    };
    assert_eq!(actions, [disconnect(1)]);
    assert_eq!(run.now, dismissed + 250 * MS);
}

#[test]
fn http_drain_announces_the_stop_after_steering_connections_away() {
    let config = workers_with(1, |rules| rules.http_drain = Some(5 * SECOND));
    let mut run = Run::serving(&config);
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    assert_eq!(
        run.ready(2),
        [
            replaced(0, 2),
            Action::Announce(WorkerId(1)),
            steer(&[Some(1)])
        ]
    );
    assert_eq!(run.after(5 * SECOND).tell(Event::Tick), []);
    run.drains(1);
    assert_eq!(run.supervisor.next_deadline(), None);
}
