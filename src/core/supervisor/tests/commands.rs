//! Commands that exit where servers were expected.

use super::*;

fn begun(count: u16) -> Run {
    let mut run = Run::begin(&workers(count));
    for worker in 1..=u32::from(count) {
        run.started(worker);
    }
    run
}

/// The worker has missed `--ready-timeout`.
fn late() -> Run {
    let mut run = begun(1);
    while !run.tick().contains(&disconnect(1)) {}
    run
}

fn command(worker: u32, others: usize) -> Action {
    let worker = WorkerId(worker);
    report(Report::Command { worker, others })
}

#[test]
fn a_finished_command_ends_pidone_with_zero_without_a_restart() {
    let mut run = begun(1);
    assert_eq!(
        done(run.exits(1, 0)),
        [
            command(1, 0),
            Action::CloseToNewConnections,
            Action::SignalLeftovers(Signal::TERM)
        ]
    );
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(0)]);
}

#[test]
fn other_workers_may_finish_the_same_command() {
    let mut run = begun(2);
    let actions = done(run.exits(2, 0));
    assert_eq!(actions[..2], [disconnect(1), command(2, 1)]);
    run.after(20 * SECOND);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    let actions = done(run.exits(1, 0));
    assert_eq!(actions, [Action::SignalLeftovers(Signal::TERM)]);
}

#[test]
fn a_stop_does_not_wait_for_unfinished_commands() {
    let mut run = begun(2);
    run.exits(2, 0);
    assert!(
        run.after(SECOND)
            .signal(Signal::TERM)
            .contains(&signal(1, Signal::TERM))
    );
}

#[test]
fn a_command_kept_alive_only_by_its_channel_is_recognised() {
    let mut run = late();
    assert!(done(run.exits(1, 0)).contains(&command(1, 0)));
}

#[test]
fn workers_that_listened_failed_or_were_stopped_are_not_commands() {
    let mut run = begun(2);
    run.tell(Event::Asked(WorkerId(1)));
    assert!(!run.exits(2, 0).contains(&command(2, 1)));

    assert!(!begun(1).exits(1, 1).contains(&command(1, 0)));

    let mut run = late();
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    assert!(!run.exits(1, 0).contains(&command(1, 0)));
}

#[test]
fn without_ready_listen_workers_that_exit_with_zero_are_restarted() {
    for ready in [Readiness::Message, Readiness::None] {
        let mut run = Run::begin(&workers_with(1, |rules| rules.ready = ready));
        run.started(1);
        let actions = run.exits(1, 0);
        assert_eq!(next(&actions), Some(Next::Restart(Duration::ZERO)));
    }
}
