//! `--max-memory` and `--max-age`: a worker over its limit is replaced, successor first.

use super::*;
use alloc::vec::Vec;

const LIMIT: u64 = 300 << 20;

fn with_max_memory(count: u16) -> RunRules {
    workers_with(count, |rules| {
        rules.max_memory = Some(MemoryLimit::Bytes(LIMIT));
    })
}

fn measure(worker: u32) -> Action {
    Action::MeasureMemory(WorkerId(worker))
}

fn recycled(worker: u32, bytes: u64) -> Action {
    let limit = LIMIT;
    report(Report::Recycled {
        worker: WorkerId(worker),
        reason: Reason::Memory { bytes, limit },
    })
}

impl Run {
    fn memory(&mut self, worker: u32, bytes: u64) -> Vec<Action> {
        let worker = WorkerId(worker);
        self.tell(Event::Memory { worker, bytes })
    }
}

#[test]
fn a_worker_over_max_memory_leaves_after_its_successor_serves() {
    let mut run = Run::serving(&with_max_memory(2));
    assert_eq!(run.tick(), [measure(1), measure(2)]);
    assert_eq!(run.now, 5 * SECOND);
    assert_eq!(run.memory(1, LIMIT), []);
    assert_eq!(
        run.memory(2, LIMIT + 1),
        [recycled(2, LIMIT + 1), start(3, 1, Some(3))]
    );
    run.started(3);
    assert!(!run.supervisor.is_reloading(), "no reload was requested");
    // Not again during the replacement.
    assert_eq!(run.next_actions(), [measure(1), measure(2)]);
    assert_eq!(run.memory(2, LIMIT + 2), []);
    assert_eq!(run.ready(3), [replaced(1, 3), steer(&[Some(0), Some(3)])]);
    assert_eq!(done(run.drains(2)), []);
    assert_eq!(run.serve(), [1, 3]);
    let slot = run.supervisor.slots().nth(1).unwrap();
    assert_eq!(
        (slot.restarts, slot.last_end),
        (0, None),
        "no unplanned exit"
    );
}

#[test]
fn a_worker_below_its_limit_again_is_not_replaced() {
    let mut run = Run::serving(&with_max_memory(2));
    run.tick();
    run.memory(1, LIMIT + 1);
    run.memory(2, LIMIT + 1);
    run.started(3);
    run.memory(2, LIMIT - 1);
    run.ready(3);
    assert_eq!(done(run.drains(1)), []);
    assert_eq!(run.serve(), [2, 3]);
}

#[test]
fn failed_replacements_are_retried_with_growing_delays() {
    let mut run = Run::serving(&with_max_memory(1));
    run.tick();
    let mut actions = run.memory(1, LIMIT + 1);
    let mut waits = Vec::new();
    for id in 2..14 {
        actions.retain(|action| *action != measure(1));
        assert_eq!(actions, [recycled(1, LIMIT + 1), start(id, 0, Some(1))]);
        run.started(id);
        // Its boot takes a while.
        let end = run.after(3 * SECOND).exits(id, 1);
        let failed = run.now;
        assert_eq!(done(end), [], "no request has failed");
        assert_eq!(run.serve(), [1]);
        actions = run.tick();
        while actions == [measure(1)] {
            actions = run.tick();
        }
        waits.push(run.now - failed);
    }
    assert!(waits.iter().all(|wait| *wait >= 5 * SECOND), "{waits:?}");
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!(waits.last(), Some(&(30 * SECOND)));
}

#[test]
fn an_app_always_over_its_limit_is_replaced_less_often() {
    let mut run = Run::serving(&with_max_memory(1));
    let mut begins = Vec::new();
    for old in 1..10 {
        let mut actions = run.tick();
        while !actions.contains(&recycled(old, LIMIT + 1)) {
            actions = match actions.contains(&measure(old)) {
                true => run.memory(old, LIMIT + 1),
                false => run.tick(),
            };
        }
        begins.push(run.now);
        run.started(old + 1);
        run.ready(old + 1);
        run.exits(old, 0);
    }
    let waits: Vec<_> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.is_sorted() && waits[0] >= 5 * SECOND, "{waits:?}");
    assert!(waits[7] >= 30 * SECOND, "{waits:?}");
    assert_eq!(run.serve(), [10]);
}

#[test]
fn a_reload_takes_precedence_and_keeps_the_replacement_in_progress() {
    let mut run = Run::serving(&with_max_memory(2));
    run.tick();
    run.memory(2, LIMIT + 1);
    run.started(3);
    assert_eq!(
        run.after(SECOND).asks(Request::Reload),
        [report(Report::ReloadBegun)]
    );
    // The replacement in progress was not requested: its failure does not end the reload.
    assert_eq!(done(run.exits(3, 1)), [start(4, 0, Some(1))]);
    assert!(run.supervisor.is_reloading());
    run.started(4);
    assert!(run.ready(4).contains(&start(5, 1, Some(3))));
    run.started(5);
    assert!(run.ready(5).contains(&replaced(1, 5)));
}

#[test]
fn with_a_port_per_worker_the_old_one_exits_first() {
    let config = workers_with(2, |rules| {
        rules.channel = false;
        rules.ready = Readiness::None;
        rules.stop = StopMode::Signal;
        rules.max_memory = Some(MemoryLimit::Bytes(LIMIT));
        rules.port_env = Some(crate::rules::PortEnv {
            name: "PORT".into(),
            base: 3000,
        });
    });
    let mut run = Run::serving(&config);
    run.tick();
    assert_eq!(
        run.memory(1, LIMIT + 1),
        [recycled(1, LIMIT + 1), signal(1, Signal::TERM)]
    );
    assert_eq!(done(run.exits(1, 0)), [start(3, 0, Some(0))]);
    assert_eq!(run.started(3), [replaced(0, 3)]);
    assert_eq!(run.serve(), [2, 3]);
}

#[test]
fn workers_started_together_reach_max_age_at_different_times() {
    let hour = 3600 * SECOND;
    let config = workers_with(4, |rules| rules.max_age = Some(hour));
    let mut run = Run::serving(&config);
    let mut ends = Vec::new();
    for next in 5..9 {
        let actions = run.tick();
        let Action::Report(Report::Recycled {
            worker,
            reason: Reason::Age,
        }) = actions[0]
        else {
            panic!("{actions:?}");
        };
        assert!(matches!(actions[1], Action::Start(_)));
        ends.push(run.now);
        run.started(next);
        run.ready(next);
        run.drains(worker.0);
    }
    assert!(ends.iter().all(|end| end.abs_diff(hour) <= hour / 10));
    assert!(
        ends.windows(2).all(|pair| pair[1] - pair[0] > hour / 100),
        "{ends:?}"
    );
    assert_eq!(run.serve(), [5, 6, 7, 8]);
}

#[test]
fn workers_over_their_limit_at_once_are_replaced_as_surge_allows() {
    let hour = 3600 * SECOND;
    let config = workers_with(5, |rules| {
        rules.surge = Surge::Count(2);
        rules.max_memory = Some(MemoryLimit::Bytes(LIMIT));
        rules.max_age = Some(hour);
    });
    for by_age in [false, true] {
        let mut run = Run::serving(&config);
        let mut actions = Vec::new();
        if by_age {
            // pidone did not run until all were old enough.
            actions = run.after(2 * hour).tell(Event::Tick);
        } else {
            run.tick();
            for worker in 1..=5 {
                actions.extend(run.memory(worker, LIMIT + 1));
            }
        }
        let mut begun = 0;
        let mut count = |actions: &[Action]| {
            let is_start = |action: &&Action| matches!(action, Action::Start(_));
            begun += actions.iter().filter(is_start).count();
            begun
        };
        assert_eq!(count(&actions), 2);
        for (new, in_all) in [(6, 3), (7, 4), (8, 5), (9, 5), (10, 5)] {
            run.started(new);
            assert_eq!(count(&run.ready(new)), in_all);
        }
        assert_eq!(run.serve(), [6, 7, 8, 9, 10]);
    }
}

#[test]
fn draining_workers_are_not_measured() {
    let mut run = Run::serving(&with_max_memory(2));
    run.tell(Event::Disconnects(WorkerId(1)));
    run.started(3);
    assert_eq!(run.after(5 * SECOND).tell(Event::Tick), [measure(2)]);
    run.signal(Signal::TERM);
    assert_eq!(run.memory(2, LIMIT + 1), []);
    while let Some(at) = run.supervisor.next_deadline() {
        run.now = at;
        let actions = run.tell(Event::Tick);
        assert!(!actions.contains(&measure(2)), "{actions:?}");
        if actions
            .iter()
            .any(|action| matches!(action, Action::Exit(_)))
        {
            break;
        }
        for worker in [1, 2, 3] {
            if actions.contains(&signal(worker, Signal::KILL)) {
                let worker = WorkerId(worker);
                let ended = Ended::Killed(Signal::KILL);
                run.tell(Event::Exited { worker, ended });
            }
        }
    }
}
