//! `pidone ctl`: each request is completed, or refused with a reason, and gets a final reply.

use super::*;
use alloc::vec::Vec;

/// The number of reports that end a reload or restart.
fn ends(actions: &[Action]) -> usize {
    let is_end = |action: &&Action| {
        matches!(
            action,
            Action::Report(Report::ReloadDone { .. } | Report::ReloadFailed { .. })
        )
    };
    actions.iter().filter(is_end).count()
}

#[test]
fn a_restart_replaces_only_the_worker_of_its_slot() {
    let mut run = Run::serving(&workers(3));
    assert_eq!(
        run.after(SECOND).asks(Request::Restart { slot: 1 }),
        [
            report(Report::RestartBegun { slot: 1 }),
            start(4, 1, Some(3))
        ]
    );
    assert!(run.supervisor.is_reloading());
    run.started(4);
    let steered = steer(&[Some(0), Some(3), Some(4)]);
    assert_eq!(done(run.ready(4)), [replaced(1, 4), steered]);
    let took = 10 * MS;
    assert_eq!(done(run.drains(2)), [report(Report::ReloadDone { took })]);
    assert_eq!(run.serve(), [1, 3, 4]);
    assert!(!run.supervisor.is_reloading());
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_restart_that_fails_keeps_the_old_worker() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    let worker = WorkerId(3);
    assert_eq!(done(run.exits(3, 1)), [report(failed(worker, 0, 1))]);
    assert_eq!(run.serve(), [1, 2]);
}

#[test]
fn a_restart_during_another_is_queued_and_both_complete_together() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Restart { slot: 0 });
    run.started(3);
    assert_eq!(
        run.after(SECOND).asks(Request::Restart { slot: 1 }),
        [report(Report::RestartBegun { slot: 1 })]
    );
    assert!(run.ready(3).contains(&start(4, 1, Some(3))));
    assert_eq!(ends(&run.drains(1)), 0);
    run.started(4);
    run.ready(4);
    assert_eq!(ends(&run.drains(2)), 1);
    assert_eq!(run.serve(), [3, 4]);
}

#[test]
fn a_restart_request_skips_the_backoff_delay() {
    let mut run = Run::serving(&workers(2));
    run.exits(1, 1);
    run.started(3);
    let actions = run.exits(3, 1);
    assert_eq!(next(&actions), Some(Next::Restart(100 * MS)));
    assert_eq!(
        run.asks(Request::Restart { slot: 0 }),
        [
            report(Report::RestartBegun { slot: 0 }),
            start(4, 0, Some(0))
        ]
    );
    run.started(4);
    assert_eq!(ends(&run.ready(4)), 1);
    assert_eq!(run.serve(), [2, 4]);
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_restart_request_fills_an_empty_slot() {
    let mut config = workers(2);
    config.restart.policy = RestartPolicy::Never;
    let mut run = Run::serving(&config);
    assert_eq!(done(run.exits(1, 0)), [steer(&[None, Some(2)])]);
    // A reload does not start a worker there.
    let actions = run.after(SECOND).asks(Request::Reload);
    assert_eq!(actions[1..], [start(3, 1, Some(3))]);
    run.started(3);
    run.ready(3);
    run.drains(2);
    let actions = run.asks(Request::Restart { slot: 0 });
    assert_eq!(actions[1..], [start(4, 0, Some(0))]);
    run.started(4);
    assert_eq!(ends(&run.ready(4)), 1);
}

#[test]
fn scaling_to_the_present_number_completes_at_once() {
    let mut run = Run::serving(&workers(2));
    assert_eq!(
        done(run.asks(scale(ScaleTo::Number(2)))),
        [report(Report::ScaleDone { workers: 2 })]
    );
    let actions = run.asks(scale(ScaleTo::Number(4)));
    assert_eq!(
        actions[..3],
        [
            report(Report::Scaled { from: 2, to: 4 }),
            start(3, 2, Some(4)),
            start(4, 3, Some(6))
        ]
    );
    // A repeated request changes nothing, and waits as well.
    assert_eq!(run.asks(scale(ScaleTo::Number(4))), []);
    run.started(3);
    run.started(4);
    run.ready(3);
    let actions = run.ready(4);
    assert!(actions.contains(&report(Report::ScaleDone { workers: 4 })));
    assert_eq!(run.supervisor.target(), 4);
}

#[test]
fn a_number_can_be_relative_to_the_present_one_or_to_the_cpus() {
    for (to, expected) in [
        (ScaleTo::More(2), 5),
        (ScaleTo::Fewer(1), 2),
        (ScaleTo::Auto, 5),
        (ScaleTo::Percent(1), 1),
        (ScaleTo::Percent(50), 3),
        (ScaleTo::Percent(200), 10),
    ] {
        let config = workers(3);
        let mut run = Run::begin_on(5, &config).all_ready(&config);
        run.asks(scale(to));
        assert_eq!(run.supervisor.target(), expected, "{to:?}");
    }
    let mut run = Run::serving(&workers(3));
    for to in [
        ScaleTo::Fewer(3),
        ScaleTo::Fewer(usize::MAX),
        ScaleTo::Percent(0),
    ] {
        assert_eq!(run.refuses(scale(to)), Refusal::TooFew);
    }
    for to in [ScaleTo::More(1022), ScaleTo::Percent(usize::MAX)] {
        let most = 1024;
        assert_eq!(run.refuses(scale(to)), Refusal::TooMany { most });
    }
    assert_eq!(run.supervisor.target(), 3);
}

#[test]
fn relative_numbers_of_several_clients_add_up() {
    let mut run = Run::serving(&workers(2));
    run.asks_as(FIRST_CLIENT, scale(ScaleTo::More(1)));
    let superseded = (FIRST_CLIENT, Reply::Superseded { by: 4 });
    let actions = run.asks_as(SECOND_CLIENT, scale(ScaleTo::More(1)));
    assert_eq!(replies(&actions), [superseded]);
    assert_eq!(run.supervisor.target(), 4);
}

#[test]
fn a_reload_that_is_not_waited_for_is_answered_when_it_begins() {
    let mut run = Run::serving(&workers(1));
    let actions = run.after(SECOND).asks(Request::BeginReload);
    assert_eq!(replies(&actions), [(ME, Reply::Done(Done::Begun))]);
    assert_eq!(done(actions)[1], start(2, 0, Some(1)));
    run.started(2);
    run.ready(2);
    let actions = run.drains(1);
    assert_eq!((replies(&actions), ends(&actions)), (Vec::new(), 1));
    run.signal(Signal::TERM);
    assert_eq!(run.refuses(Request::BeginReload), Refusal::Stopping);
}

#[test]
fn invalid_requests_are_refused_with_a_reason() {
    let mut run = Run::begin(&workers(2));
    assert_eq!(run.refuses(Request::Reload), Refusal::NotStarted);
    let mut run = Run::serving(&workers(2));
    assert_eq!(
        run.refuses(Request::Restart { slot: 2 }),
        Refusal::NoSuchSlot { slot: 2, slots: 2 }
    );
    assert_eq!(run.refuses(scale(ScaleTo::Number(0))), Refusal::TooFew);
    assert_eq!(
        run.refuses(scale(ScaleTo::Number(1025))),
        Refusal::TooMany { most: 1024 }
    );
    let actions = run.asks(Request::Stop);
    assert_eq!(replies(&actions), [(ME, Reply::Done(Done::Stopping))]);
    let signal = Signal::TERM;
    assert_eq!(done(actions)[0], report(Report::Stopping { signal }));
    assert_eq!(run.refuses(Request::Reload), Refusal::Stopping);
    assert_eq!(run.refuses(scale(ScaleTo::Number(3))), Refusal::Stopping);
    assert_eq!(done(run.after(SECOND).asks(Request::Stop)), []);
}

#[test]
fn workers_are_limited_to_the_available_ports() {
    let config = workers_with(1, |rules| {
        rules.port_env = Some(crate::rules::PortEnv {
            name: "PORT".into(),
            base: 65_534,
        });
    });
    let mut run = Run::serving(&config);
    assert_eq!(
        run.refuses(scale(ScaleTo::Number(3))),
        Refusal::TooMany { most: 2 }
    );
    run.signal(Signal::TTIN);
    let why = Refusal::TooMany { most: 2 };
    assert_eq!(
        run.signal(Signal::TTIN),
        [report(Report::RequestRefused { why })]
    );
}

#[test]
fn single_mode_accepts_only_stop_requests() {
    let mut run = Run::of(&config());
    assert_eq!(run.refuses(Request::Reload), Refusal::SingleMode);
    assert_eq!(done(run.asks(Request::Stop)), [signal(1, Signal::TERM)]);
    assert!(run.supervisor.is_stopping());
    assert_eq!(done(run.after(SECOND).asks(Request::Stop)), []);
}

const FIRST_CLIENT: RequestId = RequestId(7);
const SECOND_CLIENT: RequestId = RequestId(3);

#[test]
fn a_refusal_goes_only_to_its_client() {
    let config = workers_with(2, |rules| {
        rules.port_env = Some(crate::rules::PortEnv {
            name: "PORT".into(),
            base: 65_534,
        });
    });
    let mut run = Run::serving(&config);
    run.after(SECOND).asks_as(FIRST_CLIENT, Request::Reload);
    // A signal has no request id.
    assert_eq!(replies(&run.signal(Signal::TTIN)), []);
    let why = Refusal::TooFew;
    let actions = run.asks_as(SECOND_CLIENT, scale(ScaleTo::Number(0)));
    assert_eq!(replies(&actions), [(SECOND_CLIENT, Reply::Refused(why))]);
    for (old, new) in [(1, 3), (2, 4)] {
        run.started(new);
        let slot = usize::try_from(old - 1).unwrap();
        let worker = WorkerId(new);
        let progress = Progress {
            replaced: slot + 1,
            of: 2,
        };
        let progress = Reply::Progress {
            slot,
            worker,
            progress,
        };
        let progress = reply_to(FIRST_CLIENT, progress);
        assert!(run.ready(new).contains(&progress));
        let actions = run.drains(old);
        assert_eq!(replies(&actions).len(), slot);
        assert!(replies(&actions).iter().all(|(id, reply)| {
            let done = matches!(
                reply,
                Reply::Done(Done::Replaced {
                    serving: 2,
                    wanted: 2,
                    ..
                })
            );
            *id == FIRST_CLIENT && done
        }));
    }
}

#[test]
fn a_later_scale_request_supersedes_earlier_ones() {
    let mut run = Run::serving(&workers(2));
    run.asks_as(FIRST_CLIENT, scale(ScaleTo::Number(3)));
    run.asks_as(ME, scale(ScaleTo::Number(3)));
    run.asks_as(RequestId(8), Request::Restart { slot: 1 });
    let superseded = |id, by| (id, Reply::Superseded { by });
    assert_eq!(
        replies(&run.asks_as(SECOND_CLIENT, scale(ScaleTo::Number(1)))),
        [
            superseded(FIRST_CLIENT, 1),
            superseded(ME, 1),
            superseded(RequestId(8), 1)
        ]
    );
    assert_eq!(
        replies(&run.signal(Signal::TTIN)),
        [superseded(SECOND_CLIENT, 2)]
    );
}

#[test]
fn a_stop_answers_all_open_requests() {
    let mut run = Run::serving(&workers(2));
    run.asks_as(FIRST_CLIENT, scale(ScaleTo::Number(3)));
    run.asks_as(SECOND_CLIENT, Request::Reload);
    let stopping = Reply::Refused(Refusal::Stopping);
    assert_eq!(
        replies(&run.signal(Signal::TERM)),
        [(FIRST_CLIENT, stopping), (SECOND_CLIENT, stopping)]
    );
    assert_eq!(
        replies(&run.asks_as(ME, Request::Stop)),
        [(ME, Reply::Done(Done::Stopping))]
    );
}

#[test]
fn a_reload_waits_while_a_new_worker_is_restarted() {
    let mut run = Run::serving(&workers(2));
    run.after(SECOND).asks(Request::Reload);
    run.started(3);
    run.ready(3);
    // The new worker exits as soon as it is ready; so does the next one.
    run.exits(1, 0);
    run.exits(3, 1);
    run.started(5);
    assert_eq!(next(&run.exits(5, 1)), Some(Next::Restart(100 * MS)));
    run.started(4);
    run.ready(4);
    assert_eq!(replies(&run.exits(2, 0)), []);
    assert!(run.supervisor.is_reloading());
    let due = run.supervisor.next_deadline();
    assert!(
        due.is_some_and(|due| due > run.now),
        "no deadline is overdue"
    );
    assert_eq!(run.tick(), [start(6, 0, Some(1))]);
    assert_eq!(replies(&run.started(6)), []);
    assert_eq!(ends(&run.ready(6)), 1);
    assert!(!run.supervisor.is_reloading());
}

#[test]
fn a_reload_reports_slots_without_a_worker() {
    let mut config = workers(3);
    config.restart.policy = RestartPolicy::Never;
    let mut run = Run::serving(&config);
    run.exits(1, 0);
    run.after(SECOND).asks(Request::Reload);
    let mut told = Vec::new();
    for (old, new) in [(2, 4), (3, 5)] {
        run.started(new);
        run.ready(new);
        told = replies(&run.drains(old));
    }
    let is_right = |reply: &Reply| {
        matches!(
            reply,
            Reply::Done(Done::Replaced {
                serving: 2,
                wanted: 3,
                ..
            })
        )
    };
    assert!(
        matches!(told[..], [(ME, ref reply)] if is_right(reply)),
        "{told:?}"
    );
}
