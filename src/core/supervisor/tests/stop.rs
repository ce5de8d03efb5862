//! SIGTERM with workers.

use super::*;
use alloc::vec;

fn stopping() -> Action {
    report(Report::Stopping {
        signal: Signal::TERM,
    })
}

#[test]
fn a_stop_closes_ports_drains_queues_then_stops_workers() {
    let config = workers_with(2, |rules| {
        rules.drain_delay = 10 * SECOND;
        rules.http_drain = Some(5 * SECOND);
    });
    let mut run = Run::serving(&config);
    assert_eq!(
        run.signal(Signal::TERM),
        [
            stopping(),
            Action::Announce(WorkerId(1)),
            Action::Announce(WorkerId(2))
        ]
    );
    assert_eq!(run.serve(), [1, 2]);
    assert_eq!(run.tick(), [Action::CloseToNewConnections]);
    assert_eq!(run.now, 10 * SECOND);
    assert_eq!(run.tick(), [Action::CheckPending(None)]);
    let (worker, pending) = (None, Pending::Queued);
    assert_eq!(run.tell(Event::Pending { worker, pending }), []);
    assert_eq!(run.tick(), [Action::CheckPending(None)]);
    assert_eq!(run.queue_is_empty(None), [disconnect(1), disconnect(2)]);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    assert_eq!(done(run.exits(1, 0)), []);
    // Its connections have ended, but something keeps the process alive.
    run.tell(Event::ChannelClosed(WorkerId(2)));
    assert_eq!(run.tick(), [signal(2, Signal::TERM)]);
    assert_eq!(
        done(run.exits(2, 3)),
        [Action::SignalLeftovers(Signal::TERM)]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
}

#[test]
fn a_worker_killed_after_its_grace_shows_in_the_status() {
    let mut run = Run::serving(&workers(1));
    run.signal(Signal::TERM);
    run.tick();
    run.queue_is_empty(None);
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    let overdue = Report::Overdue {
        worker: WorkerId(1),
        grace: 30 * SECOND,
    };
    assert_eq!(run.tick(), [report(overdue), signal(1, Signal::KILL)]);
    assert_eq!(run.now, 30 * SECOND);
    run.tell(Event::Exited {
        worker: WorkerId(1),
        ended: Ended::Killed(Signal::KILL),
    });
    assert_eq!(
        run.tell(Event::Leftovers { any: false }),
        [Action::Exit(137)]
    );
}

#[test]
fn a_signalled_worker_closes_its_listeners_before_disconnecting() {
    let config = workers_with(3, |rules| rules.stop = StopMode::Signal);
    let mut run = Run::serving(&config);
    for worker in [1, 2] {
        run.listens(worker, true);
    }
    run.signal(Signal::INT);
    run.tick();
    let signals = [1, 2, 3].map(|worker| signal(worker, Signal::INT));
    assert_eq!(run.queue_is_empty(None), signals);
    // A worker that has never listened has no listeners to close.
    let signalled = run.now;
    assert_eq!(run.tick(), [disconnect(3)]);
    assert_eq!(run.now, signalled + 50 * MS);
    assert_eq!(run.after(SECOND).listens(1, false), [disconnect(1)]);
    assert_eq!(run.tick(), [disconnect(2)]);
    assert_eq!(run.now, 24 * SECOND);
    assert_eq!(run.listens(2, false), []);
}

#[test]
fn a_signalled_worker_without_channel_gets_no_disconnect() {
    let config = workers_with(1, |rules| rules.stop = StopMode::Signal);
    let mut run = Run::serving(&config);
    run.listens(1, true);
    run.signal(Signal::TERM);
    run.tick();
    run.queue_is_empty(None);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    assert_eq!(run.listens(1, false), []);
    assert_eq!(run.supervisor.next_deadline(), Some(30 * SECOND));
}

#[test]
fn booting_workers_are_signalled_at_once() {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    assert_eq!(
        run.signal(Signal::TERM),
        [
            stopping(),
            signal(2, Signal::TERM),
            Action::CloseToNewConnections
        ]
    );
}

#[test]
fn a_stop_before_the_first_start_waits_for_it() {
    let mut run = Run::begin(&workers(2));
    let actions = run.signal(Signal::TERM);
    assert_eq!(actions, [stopping(), Action::CloseToNewConnections]);
    assert_eq!(run.started(1), [signal(1, Signal::TERM)]);
    run.exits(1, 1);
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
}

#[test]
fn a_second_stop_signal_kills_workers_and_leftovers() {
    let mut run = Run::serving(&workers(2));
    run.signal(Signal::TERM);
    assert_eq!(
        run.after(SECOND).signal(Signal::INT),
        [
            report(Report::StoppingAtOnce),
            signal(1, Signal::KILL),
            signal(2, Signal::KILL)
        ]
    );
    for worker in [WorkerId(1), WorkerId(2)] {
        let ended = Ended::Killed(Signal::KILL);
        run.tell(Event::Exited { worker, ended });
    }
    assert_eq!(run.tell(Event::Leftovers { any: true }), []);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now));
    assert_eq!(run.tick(), kill_leftovers());
    assert_eq!(
        run.tell(Event::Leftovers { any: false }),
        [Action::Exit(137)]
    );
}

/// Both modes count signals in the same way; the rules are in `signals`.
#[test]
fn two_stop_signals_within_a_second_are_one() {
    let mut run = Run::serving(&workers(2));
    run.signal(Signal::TERM);
    for signal in [Signal::INT, Signal::QUIT] {
        assert_eq!(run.signal(signal), []);
    }
    assert_eq!(run.after(999 * MS).signal(Signal::TERM), []);
    assert_eq!(
        run.after(MS).signal(Signal::TERM)[0],
        report(Report::StoppingAtOnce)
    );
    assert_eq!(run.after(SECOND).signal(Signal::TERM), []);
}

#[test]
fn stop_requests_never_kill() {
    for requests_first in [true, false] {
        let mut run = Run::serving(&workers(1));
        let mut ask = |by_request: bool| {
            let run = run.after(2 * SECOND);
            let actions = if by_request {
                run.asks(Request::Stop)
            } else {
                run.signal(Signal::TERM)
            };
            actions.contains(&report(Report::StoppingAtOnce))
        };
        assert!(!ask(requests_first));
        assert!(!ask(!requests_first));
        assert!(!ask(true));
        assert!(ask(false), "requests first: {requests_first}");
    }
}

#[test]
fn a_closed_terminal_stops_pidone_once() {
    let mut run = Run::serving(&workers(1));
    assert_eq!(
        run.tell(Event::TerminalClosed)[..2],
        [report(Report::TerminalClosed), stopping()]
    );
    assert_eq!(run.after(2 * SECOND).tell(Event::TerminalClosed), []);
    assert_eq!(run.signal(Signal::TERM), [], "the first stop signal");
    let mut ignoring_hup = workers(1);
    ignoring_hup.signals.rewrites = vec![(Signal::HUP, None)];
    assert_eq!(Run::serving(&ignoring_hup).tell(Event::TerminalClosed), []);
    // In single mode it is a signal like any other.
    let mut run = Run::of(&config());
    assert_eq!(run.tell(Event::TerminalClosed), [signal(1, Signal::HUP)]);
}

#[test]
fn sigabrt_ends_pidone_with_its_workers() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Reload);
    run.started(3);
    let actions = run.signal(Signal::ABRT);
    let killed = [1, 2, 3].map(|worker| signal(worker, Signal::KILL));
    assert_eq!(replies(&actions), [(ME, Reply::Refused(Refusal::Stopping))]);
    let actions = done(actions);
    assert_eq!(actions[0], report(Report::Aborting));
    assert_eq!(actions[1..4], killed);
    assert_eq!(actions[4..], [Action::Abort]);
    let mut run = Run::of(&config());
    assert_eq!(run.signal(Signal::ABRT), [signal(1, Signal::ABRT)]);
}

fn stops(worker: u32) -> Event {
    Event::Stopped {
        worker: WorkerId(worker),
        signal: Signal::STOP,
        job_control: false,
    }
}

#[test]
fn a_stopped_process_is_continued_after_the_stop_signal() {
    let told = [signal(1, Signal::TERM), signal(1, Signal::CONT)];
    for single in [true, false] {
        let mut run = if single {
            Run::of(&config())
        } else {
            Run::serving(&workers_with(1, |rules| rules.stop = StopMode::Signal))
        };
        run.tell(stops(1));
        let mut actions = run.signal(Signal::TERM);
        if !single {
            run.tick();
            actions = run.queue_is_empty(None);
        }
        assert_eq!(actions, told, "single: {single}");
        // A process that reads from a terminal in the background is continued only once.
        run.tell(Event::Continued(WorkerId(1)));
        let actions = run.tell(stops(1));
        assert!(!actions.contains(&told[1]), "{actions:?}");
    }
    // pidone learns that it is stopped only after the stop signal.
    let mut run = Run::of(&config());
    assert_eq!(run.signal(Signal::TERM), [signal(1, Signal::TERM)]);
    assert!(run.tell(stops(1)).contains(&signal(1, Signal::CONT)));
}

#[test]
fn no_worker_starts_during_a_stop() {
    let mut run = Run::serving(&workers_with(2, |rules| rules.drain_delay = SECOND));
    run.signal(Signal::TERM);
    assert_eq!(done(run.exits(1, 1)), [steer(&[None, Some(2)])]);
    for ignored in [Signal::HUP, Signal::TTIN] {
        assert_eq!(run.signal(ignored), []);
    }
}

#[test]
fn a_worker_disconnecting_during_a_stop_gets_no_extra_time() {
    let mut run = Run::serving(&workers(1));
    run.signal(Signal::TERM);
    run.after(10 * SECOND).tell(Event::Disconnects(WorkerId(1)));
    run.queue_is_empty(None);
    assert_eq!(run.supervisor.next_deadline(), Some(30 * SECOND));
}

#[test]
fn leftovers_share_the_grace_of_the_last_worker() {
    let mut run = Run::serving(&workers(1));
    run.signal(Signal::TERM);
    run.after(29 * SECOND).exits(1, 1);
    assert_eq!(run.tell(Event::Leftovers { any: true }), []);
    assert_eq!(run.tick(), [report(Report::WaitingForLeftovers)]);
    assert_eq!(run.tick(), kill_leftovers());
    assert_eq!(run.now, 30 * SECOND);
}
