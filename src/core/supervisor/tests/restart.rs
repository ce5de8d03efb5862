//! What follows from an unplanned exit.

use super::*;

fn policy(policy: RestartPolicy) -> RunRules {
    let mut config = workers(2);
    config.restart.policy = policy;
    config
}

#[test]
fn a_crashed_worker_restarts_at_once_and_connections_go_elsewhere() {
    let mut run = Run::serving(&workers(2));
    let actions = run.after(20 * SECOND).exits(1, 1);
    assert_eq!(next(&actions), Some(Next::Restart(Duration::ZERO)));
    assert_eq!(
        done(actions),
        [start(3, 0, Some(0)), steer(&[None, Some(2)])]
    );
}

#[test]
fn after_a_crash_loop_pidone_exits_with_the_apps_status() {
    let mut run = Run::serving(&workers(2));
    let mut id = 1;
    let last = loop {
        let actions = run.exits(id, 9);
        match next(&actions) {
            Some(Next::Restart(Duration::ZERO)) => {}
            Some(Next::Restart(_)) => {
                assert_eq!(run.tick(), [start(id + 1 + u32::from(id == 1), 0, Some(0))]);
            }
            _ => break actions,
        }
        id += 1 + u32::from(id == 1);
        run.started(id);
    };
    assert!(run.now < 60 * SECOND, "{:?}", run.now);
    let rules = RestartRules::default();
    let looped = Report::CrashLoop {
        worker: WorkerId(id),
        verdict: Verdict::Restarts {
            restarts: rules.max_restarts,
            window: rules.window,
        },
        own: Some(9),
        status: 9,
    };
    assert_eq!(done(last), [report(looped), Action::CloseToNewConnections]);
    assert_eq!(run.tick(), [Action::CheckPending(None)]);
    // A first stop signal does not kill the worker that still serves.
    assert_eq!(run.signal(Signal::TERM), []);
    assert_eq!(run.queue_is_empty(None), [disconnect(2)]);
    assert_eq!(
        done(run.exits(2, 0)),
        [Action::SignalLeftovers(Signal::TERM)]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(9)]);
}

#[test]
fn a_run_that_never_gets_ready_does_not_reset_backoff() {
    let mut run = Run::begin(&workers(1));
    run.started(1);
    for (id, delay) in [(1, 0), (2, 100), (3, 200), (4, 400)] {
        let late = run.next_actions();
        assert!(matches!(late[0], Action::Report(Report::NeverReady { .. })));
        // A finished command would exit after the disconnect.
        assert_eq!(late[1..], [disconnect(id)]);
        assert_eq!(run.tick(), [signal(id, Signal::TERM)]);
        let actions = run.exits(id, 0);
        assert_eq!(next(&actions), Some(Next::Restart(delay * MS)));
        if delay > 0 {
            run.tick();
        }
        run.started(id + 1);
    }
}

#[test]
fn a_worker_that_disconnects_itself_is_replaced_before_its_exit() {
    let mut run = Run::serving(&workers(2));
    run.after(20 * SECOND);
    assert_eq!(
        run.tell(Event::Disconnects(WorkerId(1))),
        [start(3, 0, Some(1)), steer(&[None, Some(2)])]
    );
    run.started(3);
    run.ready(3);
    assert_eq!(run.serve(), [2, 3]);
    // It gets the stop signal after four fifths of the grace period, and no second disconnect.
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    assert_eq!(run.now, 44 * SECOND);
    assert_eq!(done(run.exits(1, 0)), []);
}

#[test]
fn crash_loop_of_disconnecting_workers_ends_with_their_status() {
    let mut config = workers(1);
    config.restart.max_restarts = 0;
    let mut run = Run::serving(&config);
    let actions = run.tell(Event::Disconnects(WorkerId(1)));
    assert!(matches!(
        actions[0],
        Action::Report(Report::CrashLoop { .. })
    ));
    run.exits(1, 7);
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(7)]);
}

#[test]
fn on_failure_does_not_restart_a_worker_that_succeeded() {
    let mut run = Run::serving(&policy(RestartPolicy::OnFailure));
    assert_eq!(done(run.exits(1, 0)), [steer(&[None, Some(2)])]);
    assert_eq!(run.supervisor.next_deadline(), None);
    assert_eq!(
        done(run.exits(2, 1)),
        [start(3, 1, Some(2)), steer(&[Some(0), Some(2)])]
    );
    run.started(3);
    assert_eq!(
        done(run.exits(3, 0)),
        [Action::SignalLeftovers(Signal::TERM)]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
}

#[test]
fn without_restarts_pidone_exits_with_the_last_workers_status() {
    let mut run = Run::serving(&policy(RestartPolicy::Never));
    assert_eq!(done(run.exits(2, 0)), [steer(&[Some(0), None])]);
    assert_eq!(
        done(run.exits(1, 4)),
        [Action::SignalLeftovers(Signal::TERM)]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(4)]);
}

#[test]
fn a_worker_without_channel_keeps_serving_and_is_signalled() {
    let mut run = Run::serving(&workers(1));
    assert_eq!(run.tell(Event::ChannelClosed(WorkerId(1))), []);
    assert_eq!(run.serve(), [1]);
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    run.ready(2);
    run.tick();
    assert_eq!(run.queue_is_empty(Some(1)), [signal(1, Signal::TERM)]);
}
