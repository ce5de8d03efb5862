//! `--hang-timeout`: an event loop that does not turn any more.

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
fn who_answers_is_asked_again_for_ever() {
    let mut run = Run::serving(&with_hang_timeout(1));
    for _ in 0..1000 {
        let asked = run.now;
        assert_eq!(run.tick(), [ping(1)]);
        assert_eq!(run.now - asked, 2 * SECOND);
        // As late as can be.
        run.after(TIMEOUT - MS).pong(1);
    }
}

#[test]
fn who_does_not_answer_is_killed_and_somebody_takes_over_at_once() {
    let mut run = Run::serving(&with_hang_timeout(2));
    run.tell(Event::ChannelClosed(WorkerId(2)));
    assert_eq!(run.tick(), [Action::ReleasePorts(WorkerId(2))]);
    assert_eq!(run.tick(), [ping(1)], "there is no asking the other one");
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
    // It writes its report, but not for ever.
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
fn a_spare_takes_over() {
    let config = workers_with(1, |rules| {
        rules.hang_timeout = Some(TIMEOUT);
        rules.unresponsive_after = 3600 * SECOND;
        rules.spares = 1;
    });
    let mut run = Run::serving(&config);
    assert_eq!(run.tick(), [ping(1)], "nobody asks a spare");
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
fn a_successor_that_boots_already_takes_over() {
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
fn who_hangs_again_and_again_waits_longer_and_is_a_crash_loop_in_the_end() {
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
fn a_container_that_was_paused_has_no_hung_workers() {
    let mut run = Run::serving(&with_hang_timeout(2));
    assert_eq!(run.tick(), [ping(1), ping(2)]);
    // What they answer can be read only after the tick that is long overdue.
    assert_eq!(run.after(3600 * SECOND).tell(Event::Tick), []);
    run.pong(1);
    run.pong(2);
    assert_eq!(run.serve(), [1, 2]);
    assert_eq!(run.tick(), [ping(1), ping(2)]);
}

#[test]
fn who_boots_or_leaves_is_not_asked() {
    let mut run = Run::serving(&with_hang_timeout(1));
    run.after(SECOND).asks(Request::Reload);
    run.started(2);
    assert_eq!(run.next_actions(), [ping(1)]);
    run.ready(2);
    // Its queue is looked at, and it is told to disconnect; but it is not killed before its time.
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
