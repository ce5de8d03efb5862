//! Starts before any worker has ever been ready, and starts one by one.

use super::*;
use crate::rules::Boot;
use alloc::vec;
use alloc::vec::Vec;

fn verdict(actions: &[Action]) -> Option<(Verdict, u8)> {
    actions.iter().find_map(|action| match action {
        Action::Report(Report::CrashLoop {
            verdict, status, ..
        }) => Some((*verdict, *status)),
        _ => None,
    })
}

fn started_by(actions: &[Action]) -> Vec<u32> {
    let started = actions.iter().filter_map(|action| match action {
        Action::Start(start) => Some(start.worker.0),
        _ => None,
    });
    started.collect()
}

/// Workers that fail after so long, each as soon as it is started, until there is a verdict.
fn fails(config: &RunRules, each: Duration, code: u8) -> (Run, u32, (Verdict, u8)) {
    let mut run = Run::begin(config);
    let mut booting = vec![(each, 1)];
    let mut actions = run.started(1);
    let mut starts = 1;
    loop {
        for id in started_by(&actions) {
            starts += 1;
            run.started(id);
            booting.push((run.now + each, id));
        }
        actions = match booting.first().copied() {
            Some((at, id)) => {
                booting.remove(0);
                run.now = run.now.max(at);
                run.exits(id, code)
            }
            None => run.tick(),
        };
        if let Some(verdict) = verdict(&actions) {
            return (run, starts, verdict);
        }
    }
}

const NEVER: Verdict = Verdict::NeverReady {
    boots: 5,
    ever: false,
};

#[test]
fn five_first_boots_that_fail_are_a_verdict_within_seconds() {
    for (each, most) in [(50, 2000), (1500, 9000), (12_000, 61_000)] {
        for count in [1, 8] {
            let (run, starts, found) = fails(&workers(count), each * MS, 7);
            assert_eq!(found, (NEVER, 7));
            assert!(run.now <= most * MS, "{:?}", run.now);
            // One of them tries again, and not all.
            assert_eq!(starts, u32::from(count) + 4);
        }
    }
}

#[test]
fn fewer_restarts_allowed_are_fewer_first_boots() {
    let mut config = workers(1);
    config.restart.max_restarts = 1;
    let (_, starts, found) = fails(&config, MS, 1);
    assert_eq!(starts, 2);
    assert!(matches!(found.0, Verdict::NeverReady { boots: 2, .. }));
}

#[test]
fn a_single_child_that_fails_at_once_is_the_same() {
    for (code, policy) in [(1, RestartPolicy::Always), (9, RestartPolicy::OnFailure)] {
        let mut config = config();
        config.restart.policy = policy;
        let (run, starts, found) = fails(&config, 1500 * MS, code);
        assert_eq!((starts, found), (5, (NEVER, code)));
        assert!(run.now < 9 * SECOND, "{:?}", run.now);
    }
}

#[test]
fn a_single_child_that_is_done_again_and_again_ends_with_one() {
    let mut config = config();
    config.restart.policy = RestartPolicy::Always;
    let (mut run, starts, found) = fails(&config, MS, 0);
    assert_eq!(starts, 11);
    assert_eq!(found.1, 1);
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(1)]);
}

#[test]
fn an_end_before_ready_is_no_good_run_however_long_it_took() {
    let mut run = Run::serving(&workers(1));
    let mut id = 1;
    let mut delays = Vec::new();
    for _ in 0..4 {
        let actions = run.after(29 * SECOND).exits(id, 1);
        match next(&actions) {
            Some(Next::Restart(delay)) => delays.push(delay),
            other => panic!("{other:?}"),
        }
        if run.supervisor.next_deadline().is_some() {
            run.tick();
        }
        id += 1;
        run.started(id);
    }
    assert_eq!(delays, [0, 100, 200, 400].map(|ms| ms * MS));
}

#[test]
fn those_that_failed_beside_a_slow_one_start_when_it_is_ready() {
    let mut run = Run::begin(&workers(3));
    run.started(1);
    run.started(2);
    run.started(3);
    let actions = run.exits(1, 1);
    assert_eq!(next(&actions), Some(Next::Wait));
    assert_eq!(next(&run.exits(2, 1)), Some(Next::Wait));
    assert_eq!(
        run.supervisor.slots().next().unwrap().state,
        StateView::Waiting
    );
    let actions = run.after(SECOND).ready(3);
    assert_eq!(started_by(&actions), [4, 5]);
    // From now on each slot is for itself.
    run.started(4);
    run.started(5);
    assert_eq!(next(&run.exits(4, 1)), Some(Next::Restart(100 * MS)));
}

fn first(count: u16) -> RunRules {
    workers_with(count, |rules| rules.boot = Boot::First)
}

#[test]
fn with_first_one_boots_alone_and_the_others_when_it_is_ready() {
    let mut config = first(3);
    config.workers.as_mut().unwrap().spares = 1;
    let mut run = Run::begin(&config);
    assert_eq!(started_by(&run.started(1)), [0; 0]);
    assert_eq!(started_by(&run.ready(1)), [2, 3, 4]);
}

#[test]
fn with_first_the_one_that_fails_tries_again_and_the_others_wait() {
    let mut run = Run::begin(&first(3));
    run.started(1);
    assert_eq!(started_by(&run.exits(1, 1)), [2]);
    run.started(2);
    assert_eq!(run.exits(2, 1).len(), 1);
    assert_eq!(run.tick(), [start(3, 0, Some(0))]);
    run.started(3);
    assert_eq!(started_by(&run.ready(3)), [4, 5]);
}

#[test]
fn with_first_all_that_went_down_come_back_one_first() {
    let mut run = Run::serving_in_turn(&first(3));
    assert_eq!(run.serve(), [1, 2, 3]);
    run.after(20 * SECOND);
    assert_eq!(started_by(&run.exits(1, 1)), [4]);
    run.started(4);
    assert_eq!(started_by(&run.exits(2, 1)), [5], "worker 3 serves");
    run.started(5);
    assert_eq!(next(&run.exits(4, 1)), Some(Next::Restart(100 * MS)));
    // Worker 5 boots, and nobody else does any more.
    assert_eq!(next(&run.exits(3, 1)), Some(Next::Wait));
    assert_eq!(started_by(&run.tick()), [0; 0]);
    assert_eq!(started_by(&run.ready(5)), [6, 7]);
}
