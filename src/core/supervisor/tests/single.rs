//! Single mode: a transparent init.

use super::*;
use alloc::vec;

/// The only worker of single mode.
const CHILD: WorkerId = WorkerId(1);

fn to_child(signal: Signal) -> Action {
    Action::Signal {
        worker: CHILD,
        signal,
        group: false,
    }
}

fn exited(ended: Ended) -> Event {
    Event::Exited {
        worker: CHILD,
        ended,
    }
}

#[test]
fn every_signal_goes_to_the_child_without_deadlines() {
    let mut run = Run::of(&config());
    for signal in (1..=64).filter_map(Signal::from_number) {
        assert_eq!(run.signal(signal), [to_child(signal)]);
        assert_eq!(run.supervisor.next_deadline(), None);
    }
}

#[test]
fn signals_before_the_child_runs_are_delivered_in_order() {
    let mut run = Run::begin(&config());
    assert_eq!(run.signal(Signal::HUP), []);
    assert_eq!(run.signal(Signal::TERM), []);
    assert_eq!(
        run.tell(Event::Started(CHILD)),
        [to_child(Signal::HUP), to_child(Signal::TERM)]
    );
}

#[test]
fn grace_counts_from_the_first_stop_signal() {
    let config = RunRules {
        grace: Some(5 * SECOND),
        ..config()
    };
    let mut run = Run::begin(&config);
    run.signal(Signal::TERM);
    run.after(SECOND).tell(Event::Started(CHILD));
    assert_eq!(run.supervisor.next_deadline(), Some(5 * SECOND));
    run.after(SECOND).signal(Signal::INT);
    assert_eq!(run.supervisor.next_deadline(), Some(5 * SECOND));
    assert_eq!(
        run.tick(),
        [
            Action::Report(Report::Overdue {
                worker: CHILD,
                grace: 5 * SECOND
            }),
            to_child(Signal::KILL)
        ]
    );
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn rewrites_apply_first_and_zero_drops_the_signal() {
    let mut config = config();
    config.signals.rewrites = vec![(Signal::TERM, Some(Signal::QUIT)), (Signal::HUP, None)];
    let mut run = Run::of(&config);
    assert_eq!(run.signal(Signal::TERM), [to_child(Signal::QUIT)]);
    assert_eq!(run.signal(Signal::QUIT), [to_child(Signal::QUIT)]);
    assert_eq!(run.signal(Signal::HUP), []);
}

#[test]
fn stop_signal_replaces_term_int_and_quit() {
    let mut config = config();
    config.signals.stop = Some(Signal::HUP);
    config.signals.to_group = true;
    let mut run = Run::of(&config);
    for asked in [Signal::TERM, Signal::INT, Signal::QUIT] {
        assert_eq!(
            run.signal(asked),
            [Action::Signal {
                worker: CHILD,
                signal: Signal::HUP,
                group: true
            }]
        );
    }
}

#[test]
fn the_status_is_the_childs_unless_expected() {
    for (ended, expected, status) in [
        (Ended::Code(7), vec![], 7),
        (Ended::Code(7), vec![7], 0),
        (Ended::Killed(Signal::TERM), vec![], 143),
        (Ended::Killed(Signal::TERM), vec![1, 143], 0),
    ] {
        let mut run = Run::of(&RunRules {
            expected,
            ..config()
        });
        let actions = run.tell(exited(ended));
        assert_eq!(actions.last(), Some(&Action::SignalLeftovers(Signal::TERM)));
        assert_eq!(
            run.tell(Event::Leftovers { any: false }),
            [Action::Exit(status)]
        );
        assert_eq!(run.supervisor.next_deadline(), None);
    }
}

#[test]
fn a_kill_report_says_whether_pidone_sent_the_signal() {
    let mut run = Run::of(&config());
    run.signal(Signal::TERM);
    let killed = exited(Ended::Killed(Signal::TERM));
    let report = Action::Report(Report::Ended {
        worker: CHILD,
        ended: Ended::Killed(Signal::TERM),
        uptime: 3 * SECOND,
        sent_by_us: true,
        is_planned: true,
        next: Next::Nothing,
    });
    assert_eq!(run.after(3 * SECOND).tell(killed)[0], report);

    let mut run = Run::of(&config());
    let killed = exited(Ended::Killed(Signal::KILL));
    let report = Action::Report(Report::Ended {
        worker: CHILD,
        ended: Ended::Killed(Signal::KILL),
        uptime: SECOND,
        sent_by_us: false,
        is_planned: false,
        next: Next::Nothing,
    });
    assert_eq!(run.after(SECOND).tell(killed)[0], report);
}

#[test]
fn leftovers_get_two_seconds_or_the_remaining_grace() {
    for (grace, asked, left) in [
        (None, false, 2),
        (Some(10 * SECOND), false, 2),
        (Some(10 * SECOND), true, 2),
        (Some(5 * SECOND), true, 1),
    ] {
        let mut run = Run::of(&RunRules { grace, ..config() });
        if asked {
            run.signal(Signal::TERM);
        }
        run.after(4 * SECOND).tell(exited(Ended::Code(0)));
        let exited = run.now;
        assert_eq!(run.tell(Event::Leftovers { any: true }), []);
        assert_eq!(run.tick(), [report(Report::WaitingForLeftovers)]);
        assert_eq!(run.tick(), kill_leftovers());
        assert_eq!(run.now - exited, left * SECOND);
        assert_eq!(run.tell(Event::Leftovers { any: true }), []);
        assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
    }
}

#[test]
fn pidone_exits_even_if_a_leftover_cannot_be_killed() {
    let mut run = Run::of(&config());
    run.tell(exited(Ended::Code(3)));
    run.tell(Event::Leftovers { any: true });
    run.tick();
    run.tick();
    run.tell(Event::Leftovers { any: true });
    assert_eq!(run.tick(), [Action::Exit(3)]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_second_stop_signal_kills_leftovers() {
    let mut run = Run::of(&config());
    run.signal(Signal::TERM);
    run.tell(exited(Ended::Code(0)));
    run.tell(Event::Leftovers { any: true });
    assert_eq!(run.after(SECOND - MS).signal(Signal::TERM), []);
    assert_eq!(run.after(MS).signal(Signal::TERM), kill_leftovers());
}

#[test]
fn leftovers_without_exit_notification_are_counted_regularly() {
    let mut run = Run::of(&config());
    run.tell(exited(Ended::Code(0)));
    for _ in 0..2 {
        run.tell(Event::Leftovers { any: true });
        run.tell(Event::LeftoversUnwatched);
        assert_eq!(run.tick(), [Action::CountLeftovers]);
    }
    assert_eq!(run.now, 200 * MS);
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

fn stopped(signal: Signal, job_control: bool) -> Event {
    Event::Stopped {
        worker: CHILD,
        signal,
        job_control,
    }
}

#[test]
fn a_job_is_suspended_as_a_whole_and_continued_once() {
    let mut run = Run::of(&config());
    assert_eq!(
        run.tell(stopped(Signal::TSTP, true)),
        [Action::Suspend(CHILD)]
    );
    assert_eq!(run.signal(Signal::CONT), [Action::Resume(CHILD)]);
    assert_eq!(run.signal(Signal::CONT), [to_child(Signal::CONT)]);
}

#[test]
fn a_job_without_a_shell_is_resumed() {
    let mut run = Run::of(&config());
    assert_eq!(
        run.tell(stopped(Signal::TSTP, false)),
        [Action::Resume(CHILD)]
    );
    // A process that reads in the background is not resumed: it would be stopped again.
    let halted = |signal| {
        let worker = CHILD;
        report(Report::Stopped { worker, signal })
    };
    assert_eq!(
        run.tell(stopped(Signal::TTIN, false)),
        [halted(Signal::TTIN)]
    );
    assert_eq!(run.supervisor.unready(), Some(Unready::Stopped));
    let continued = report(Report::Continued { worker: CHILD });
    assert_eq!(run.tell(Event::Continued(CHILD)), [continued]);
    assert!(run.supervisor.is_ready());
    // SIGSTOP does not come from a terminal, so it was meant for the child alone.
    assert_eq!(
        run.tell(stopped(Signal::STOP, true)),
        [halted(Signal::STOP)]
    );
}

fn restarted(policy: RestartPolicy) -> RunRules {
    let mut config = config();
    config.restart.policy = policy;
    config
}

#[test]
fn a_restarted_child_is_not_restarted_after_a_stop_request() {
    let mut run = Run::of(&restarted(RestartPolicy::Always));
    let actions = run.tell(exited(Ended::Code(1)));
    assert_eq!(actions.last(), Some(&start(2, 0, Some(0))));
    run.tell(Event::Started(WorkerId(2)));
    run.signal(Signal::TERM);
    let actions = run.tell(Event::Exited {
        worker: WorkerId(2),
        ended: Ended::Code(5),
    });
    assert_eq!(actions.last(), Some(&Action::SignalLeftovers(Signal::TERM)));
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(5)]);
}

#[test]
fn a_stop_between_runs_exits_with_the_last_status() {
    let mut run = Run::of(&restarted(RestartPolicy::OnFailure));
    run.tell(exited(Ended::Code(1)));
    run.tell(Event::Started(WorkerId(2)));
    run.tell(Event::Exited {
        worker: WorkerId(2),
        ended: Ended::Code(3),
    });
    assert_eq!(run.supervisor.next_deadline(), Some(100 * MS));
    assert_eq!(
        run.signal(Signal::TERM),
        [Action::SignalLeftovers(Signal::TERM)]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(3)]);
}

#[test]
fn a_failed_first_start_sets_the_status_even_when_stopping() {
    for asked in [false, true] {
        let mut run = Run::begin(&config());
        if asked {
            assert_eq!(run.signal(Signal::TERM), []);
        }
        let failed = Event::StartFailed {
            worker: CHILD,
            status: 127,
        };
        assert_eq!(run.tell(failed), [Action::Exit(127)]);
        assert_eq!(run.supervisor.next_deadline(), None);
    }
}
