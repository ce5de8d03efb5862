//! Starts before any worker has ever been ready, and `--boot first`.

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

/// Workers that each exit with `code` after `each`, until pidone gives up.
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
fn pidone_gives_up_after_five_failed_first_boots() {
    for (each, most) in [(50, 2000), (1500, 9000), (12_000, 61_000)] {
        for count in [1, 8] {
            let (run, starts, found) = fails(&workers(count), each * MS, 7);
            assert_eq!(found, (NEVER, 7));
            assert!(run.now <= most * MS, "{:?}", run.now);
            // Only one slot tries again.
            assert_eq!(starts, u32::from(count) + 4);
        }
    }
}

#[test]
fn max_restarts_also_limits_first_boots() {
    let mut config = workers(1);
    config.restart.max_restarts = 1;
    let (_, starts, found) = fails(&config, MS, 1);
    assert_eq!(starts, 2);
    assert!(matches!(found.0, Verdict::NeverReady { boots: 2, .. }));
}

#[test]
fn failed_first_boots_are_limited_in_single_mode_too() {
    for (code, policy) in [(1, RestartPolicy::Always), (9, RestartPolicy::OnFailure)] {
        let mut config = config();
        config.restart.policy = policy;
        let (run, starts, found) = fails(&config, 1500 * MS, code);
        assert_eq!((starts, found), (5, (NEVER, code)));
        assert!(run.now < 9 * SECOND, "{:?}", run.now);
    }
}

#[test]
fn a_child_that_keeps_succeeding_ends_with_status_one() {
    let mut config = config();
    config.restart.policy = RestartPolicy::Always;
    let (mut run, starts, found) = fails(&config, MS, 0);
    assert_eq!(starts, 11);
    assert_eq!(found.1, 1);
    assert_eq!(run.tell(Event::Leftovers { any: false }), [Action::Exit(1)]);
}

#[test]
fn an_exit_before_ready_never_resets_the_delay() {
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
fn failed_workers_restart_when_a_slow_one_is_ready() {
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
    // From now on each slot restarts independently.
    run.started(4);
    run.started(5);
    assert_eq!(next(&run.exits(4, 1)), Some(Next::Restart(100 * MS)));
}

fn first(count: u16) -> RunRules {
    workers_with(count, |rules| rules.boot = Boot::First)
}

#[test]
fn boot_first_starts_others_when_one_is_ready() {
    let mut config = first(3);
    config.workers.as_mut().unwrap().spares = 1;
    let mut run = Run::begin(&config);
    assert_eq!(started_by(&run.started(1)), [0; 0]);
    assert_eq!(started_by(&run.ready(1)), [2, 3, 4]);
}

#[test]
fn boot_first_retries_the_failed_worker_while_others_wait() {
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
fn boot_first_applies_again_after_all_workers_crashed() {
    let mut run = Run::serving_in_turn(&first(3));
    assert_eq!(run.serve(), [1, 2, 3]);
    run.after(20 * SECOND);
    assert_eq!(started_by(&run.exits(1, 1)), [4]);
    run.started(4);
    assert_eq!(started_by(&run.exits(2, 1)), [5], "worker 3 serves");
    run.started(5);
    assert_eq!(next(&run.exits(4, 1)), Some(Next::Restart(100 * MS)));
    // While worker 5 boots, no other worker starts.
    assert_eq!(next(&run.exits(3, 1)), Some(Next::Wait));
    assert_eq!(started_by(&run.tick()), [0; 0]);
    assert_eq!(started_by(&run.ready(5)), [6, 7]);
}
