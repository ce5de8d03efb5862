//! `--hang-timeout`: a blocked event loop.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(8);

fn with_hang_timeout(count: u16) -> RunRules {
    workers_with(count, |rules| {
        rules.hang_timeout = Some(TIMEOUT);
        rules.unresponsive_after = 3600 * SECOND;
    })
}

fn ping(worker: u32) -> Action {
    Action::Ping(WorkerId(worker))
}

fn hung(worker: u32) -> Action {
    let worker = WorkerId(worker);
    let after = TIMEOUT;
    report(Report::Hung { worker, after })
}

impl Run {
    fn pong(&mut self, worker: u32) {
        assert_eq!(self.tell(Event::Pong(WorkerId(worker))), []);
    }
}

#[test]
fn a_responsive_worker_is_pinged_again() {
    let mut run = Run::serving(&with_hang_timeout(1));
    for _ in 0..1000 {
        let asked = run.now;
        assert_eq!(run.tick(), [ping(1)]);
        assert_eq!(run.now - asked, 2 * SECOND);
        // The latest possible answer.
        run.after(TIMEOUT - MS).pong(1);
    }
}

#[test]
fn a_hung_worker_is_killed_and_replaced_at_once() {
    let mut run = Run::serving(&with_hang_timeout(2));
    run.tell(Event::ChannelClosed(WorkerId(2)));
    assert_eq!(run.tick(), [Action::ReleasePorts(WorkerId(2))]);
    assert_eq!(run.tick(), [ping(1)], "worker 2 has no channel");
    let asked = run.now;
    assert_eq!(
        run.next_actions(),
        [
            hung(1),
            signal(1, Signal::ABRT),
            start(3, 0, Some(1)),
            steer(&[None, Some(2)])
        ]
    );
    assert_eq!(run.now, asked + TIMEOUT);
    run.started(3);
    run.ready(3);
    assert_eq!(run.serve(), [2, 3]);
    // It has a limited time to write its report.
    let (worker, grace) = (WorkerId(1), SECOND);
    let overdue = report(Report::Overdue { worker, grace });
    let killed = run.next_actions();
    assert_eq!(killed, [overdue, signal(1, Signal::KILL)]);
    assert_eq!(run.now, asked + TIMEOUT + SECOND);
    let ended = Ended::Killed(Signal::KILL);
    assert_eq!(done(run.tell(Event::Exited { worker, ended })), []);
    let slot = run.supervisor.slots().next().unwrap();
    assert_eq!(slot.restarts, 1);
    assert_eq!(slot.last_end, Some((ended, run.now)));
}

#[test]
fn a_spare_replaces_a_hung_worker() {
    let config = workers_with(1, |rules| {
        rules.hang_timeout = Some(TIMEOUT);
        rules.unresponsive_after = 3600 * SECOND;
        rules.spares = 1;
    });
    let mut run = Run::serving(&config);
    assert_eq!(run.tick(), [ping(1)], "spares are not pinged");
    let (worker, member) = (WorkerId(2), Member(1));
    let actions = run.next_actions();
    assert_eq!(
        actions[..3],
        [
            hung(1),
            signal(1, Signal::ABRT),
            Action::Admit { worker, member }
        ]
    );
}

#[test]
fn a_booting_successor_replaces_a_hung_worker() {
    let mut run = Run::serving(&with_hang_timeout(1));
    run.tick();
    run.after(SECOND).asks(Request::Reload);
    run.started(2);
    assert_eq!(
        run.next_actions(),
        [hung(1), signal(1, Signal::ABRT), steer(&[Some(1)])]
    );
    let actions = done(run.ready(2));
    assert!(
        matches!(
            actions[..],
            [
                Action::Report(Report::SlotReplaced { .. }),
                Action::Report(Report::AllReady { .. }),
                Action::Report(Report::ReloadDone { .. }),
            ]
        ),
        "{actions:?}"
    );
}

#[test]
fn repeated_hangs_delay_restarts_and_become_a_crash_loop() {
    let mut config = with_hang_timeout(1);
    config.restart.window = 3600 * SECOND;
    config.restart.min_uptime = 60 * SECOND;
    let mut run = Run::serving(&config);
    let mut worker = 1;
    loop {
        assert_eq!(run.next_actions(), [ping(worker)]);
        let actions = run.next_actions();
        assert_eq!(actions[..2], [hung(worker), signal(worker, Signal::ABRT)]);
        let ended = Ended::Killed(Signal::ABRT);
        let died = Event::Exited {
            worker: WorkerId(worker),
            ended,
        };
        if let Some(Action::Report(Report::CrashLoop { .. })) = actions.get(2) {
            assert!(
                run.tell(died)
                    .contains(&Action::SignalLeftovers(Signal::TERM))
            );
            break;
        }
        run.tell(died);
        if worker > 1 {
            assert!(matches!(run.next_actions()[0], Action::Start(_)));
        }
        worker += 1;
        run.started(worker);
        run.ready(worker);
    }
    assert_eq!(worker, 11, "ten restarts are allowed");
    assert_eq!(
        run.tell(Event::Leftovers { any: false }),
        [Action::Exit(134)]
    );
}

#[test]
fn a_paused_container_has_no_hung_workers() {
    let mut run = Run::serving(&with_hang_timeout(2));
    assert_eq!(run.tick(), [ping(1), ping(2)]);
    // Their answers can be read only after the tick, which is long overdue.
    assert_eq!(run.after(3600 * SECOND).tell(Event::Tick), []);
    run.pong(1);
    run.pong(2);
    assert_eq!(run.serve(), [1, 2]);
    assert_eq!(run.tick(), [ping(1), ping(2)]);
}

#[test]
fn booting_and_leaving_workers_are_not_pinged() {
    let mut run = Run::serving(&with_hang_timeout(1));
    run.after(SECOND).asks(Request::Reload);
    run.started(2);
    assert_eq!(run.next_actions(), [ping(1)]);
    run.ready(2);
    // Its queue is checked and it is told to disconnect, but it is not killed early.
    let left = run.now;
    while run.now < left + 20 * SECOND {
        let actions = run.next_actions();
        assert!(!actions.contains(&ping(1)), "{actions:?}");
        assert!(!actions.contains(&hung(1)), "{actions:?}");
        if actions.contains(&ping(2)) {
            run.pong(2);
        }
    }
}
