//! Starts before any worker has ever been ready, `--boot first`, and how many boot at a time.

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
    fails_in(Run::begin(config), each, code)
}

fn fails_in(mut run: Run, each: Duration, code: u8) -> (Run, u32, (Verdict, u8)) {
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
        for (count, cpus) in [(1, 1), (8, 8), (8, 2)] {
            let run = Run::begin_on(cpus, &workers(count));
            let (run, starts, found) = fails_in(run, each * MS, 7);
            assert_eq!(found, (NEVER, 7));
            assert!(run.now <= most * MS, "{:?}", run.now);
            // Only one slot tries again, and those that wait for a CPU do not try.
            assert_eq!(starts, u32::try_from(cpus).unwrap() + 4);
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

#[test]
fn the_first_start_boots_as_many_at_a_time_as_cpus() {
    let mut run = Run::begin_on(2, &workers(6));
    assert_eq!(started_by(&run.started(1)), [2]);
    run.started(2);
    assert_eq!(started_by(&run.ready(1)), [3]);
    assert_eq!(run.serve(), [1]);
    run.started(3);
    // A worker that has served does not wait for a CPU.
    assert_eq!(started_by(&run.exits(1, 1)), [4]);
    run.started(4);
    assert_eq!(started_by(&run.ready(2)), []);
    assert_eq!(started_by(&run.ready(3)), [5]);
    // Nor does one that a user adds.
    assert_eq!(started_by(&run.signal(Signal::TTIN)), [6]);
    run.started(5);
    run.started(6);
    assert_eq!(started_by(&run.ready(4)), []);
    assert_eq!(started_by(&run.ready(5)), [7]);
    run.started(7);
    assert_eq!(started_by(&run.ready(6)), [8]);
}

#[test]
fn boot_first_is_followed_by_as_many_as_cpus() {
    let mut run = Run::begin_on(2, &first(4));
    assert_eq!(started_by(&run.started(1)), []);
    assert_eq!(started_by(&run.ready(1)), [2, 3]);
    run.started(2);
    assert_eq!(started_by(&run.ready(2)), [4]);
}

#[test]
fn those_that_wait_for_a_cpu_start_when_another_worker_is_ready() {
    let mut run = Run::begin_on(2, &workers(5));
    run.started(1);
    run.started(2);
    assert_eq!(next(&run.exits(1, 1)), Some(Next::Wait));
    assert_eq!(started_by(&run.exits(2, 1)), [3]);
    run.started(3);
    let actions = run.ready(3);
    let slots = |action: &Action| match action {
        Action::Start(start) => Some(start.instance),
        _ => None,
    };
    let slots: Vec<_> = actions.iter().filter_map(slots).collect();
    assert_eq!(slots, [0, 2], "the failed one, and the next");
}

#[test]
fn a_boot_that_is_never_ready_holds_its_cpu_until_the_timeout() {
    let mut run = Run::begin_on(2, &workers(4));
    run.started(1);
    run.started(2);
    assert_eq!(started_by(&run.after(29 * SECOND).ready(1)), [3]);
    run.started(3);
    assert_eq!(started_by(&run.next_actions()), [4]);
    assert_eq!(run.now, 30 * SECOND);
}

#[test]
fn without_restarts_the_next_slot_starts_when_a_boot_fails() {
    let mut config = workers(4);
    config.restart.policy = RestartPolicy::Never;
    let mut run = Run::begin_on(2, &config);
    run.started(1);
    assert_eq!(started_by(&run.exits(1, 1)), [3]);
    run.started(2);
    run.started(3);
    assert_eq!(started_by(&run.exits(2, 1)), [4]);
    run.started(4);
    run.exits(3, 1);
    let actions = run.exits(4, 1);
    assert!(actions.contains(&Action::SignalLeftovers(Signal::TERM)));
}

#[test]
fn without_a_ready_check_or_with_boot_all_they_start_at_once() {
    let unready = workers_with(4, |rules| rules.ready = Readiness::None);
    let all = workers_with(4, |rules| rules.boot = Boot::All);
    for config in [unready, all] {
        let mut run = Run::begin_on(1, &config);
        assert_eq!(started_by(&run.started(1)), [2, 3, 4]);
    }
}

#[test]
fn spares_boot_when_all_workers_have_a_cpu() {
    let config = workers_with(3, |rules| rules.spares = 2);
    let mut run = Run::begin_on(2, &config);
    assert_eq!(started_by(&run.started(1)), [2]);
    run.started(2);
    assert!(run.ready(1).contains(&start(3, 2, Some(4))));
    run.started(3);
    assert!(run.ready(2).contains(&start(4, 3, None)));
    run.started(4);
    assert_eq!(started_by(&run.ready(3)), [5]);
}

#[test]
fn the_first_start_follows_the_number_of_cpus() {
    let mut run = Run::begin_on(1, &workers(5));
    assert_eq!(started_by(&run.started(1)), []);
    assert_eq!(started_by(&run.ready(1)), [2]);
    run.started(2);
    let limits = ContainerLimits {
        cpus: 3,
        max_memory: None,
    };
    run.tell(Event::Limits(limits));
    assert_eq!(started_by(&run.after(SECOND).tell(Event::Tick)), []);
    assert_eq!(started_by(&run.after(SECOND).tell(Event::Tick)), [3, 4]);
}

#[test]
fn a_slot_that_waits_for_a_cpu_can_be_restarted_and_removed() {
    let mut run = Run::begin_on(1, &workers(3));
    run.started(1);
    run.asks(Request::Restart { slot: 1 });
    assert_eq!(started_by(&run.tick()), []);
    run.signal(Signal::TTOU);
    assert_eq!(started_by(&run.ready(1)), [2]);
    run.started(2);
    let actions = run.ready(2);
    assert_eq!(replies(&actions).len(), 1, "{actions:?}");
    assert_eq!(run.serve(), [1, 2]);
}

#[test]
fn a_slot_that_is_added_again_does_not_wait_for_a_cpu() {
    let mut run = Run::begin_on(1, &workers(2));
    run.started(1);
    assert_eq!(started_by(&run.signal(Signal::TTIN)), [2]);
    run.signal(Signal::TTOU);
    run.signal(Signal::TTOU);
    // The worker of slot 2 is still there, so that slot 1 is not forgotten either.
    assert_eq!(started_by(&run.signal(Signal::TTIN)), [3]);
}
