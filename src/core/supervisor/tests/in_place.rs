//! Workers with a port of their own and no channel: a successor needs the port of the old worker.

use super::*;
use crate::rules::PortEnv;

fn ports() -> RunRules {
    workers_with(2, |rules| {
        rules.channel = false;
        rules.ready = Readiness::Port;
        rules.stop = StopMode::Signal;
        rules.port_env = Some(PortEnv {
            name: "PORT".into(),
            base: 3000,
        });
    })
}

#[test]
fn workers_are_replaced_in_place_one_at_a_time() {
    let mut run = Run::serving(&ports());
    assert_eq!(
        run.after(SECOND).signal(Signal::HUP),
        [report(Report::ReloadBegun), signal(1, Signal::TERM)]
    );
    assert_eq!(run.serve(), [2]);
    assert_eq!(done(run.exits(1, 0)), [start(3, 0, Some(0))]);
    run.started(3);
    assert_eq!(run.tick(), [Action::ProbePort(WorkerId(3))]);
    assert_eq!(run.ready(3), [replaced(0, 3), signal(2, Signal::TERM)]);
    assert_eq!(done(run.exits(2, 0)), [start(4, 1, Some(2))]);
    run.started(4);
    let took = 50 * MS;
    assert_eq!(
        run.ready(4),
        [replaced(1, 4), report(Report::ReloadDone { took })]
    );
}

#[test]
fn a_crash_during_boot_ends_the_reload_and_others_stay() {
    let mut run = Run::serving(&ports());
    run.after(SECOND).signal(Signal::HUP);
    run.exits(1, 0);
    run.started(3);
    let worker = WorkerId(3);
    assert_eq!(
        done(run.exits(3, 1)),
        [report(failed(worker, 0, 2)), start(4, 0, Some(0))]
    );
    assert_eq!(run.serve(), [2]);
}

#[test]
fn a_worker_over_its_limit_stays_until_the_others_serve() {
    let mut config = ports();
    if let Some(rules) = &mut config.workers {
        rules.max_memory = Some(MemoryLimit::Bytes(1));
    }
    let mut run = Run::serving(&config);
    run.tick();
    assert_eq!(done(run.exits(2, 1)), [start(3, 1, Some(2))]);
    run.started(3);
    let worker = WorkerId(1);
    let bytes = 2;
    assert_eq!(run.tell(Event::Memory { worker, bytes }), []);
    let reason = Reason::Memory { bytes, limit: 1 };
    assert_eq!(
        run.ready(3),
        [
            report(Report::AllReady { workers: 2 }),
            report(Report::Recycled { worker, reason }),
            signal(1, Signal::TERM)
        ]
    );
}

#[test]
fn a_slot_removed_during_a_reload_does_not_block_it() {
    let mut run = Run::serving(&ports());
    run.after(SECOND).signal(Signal::HUP);
    run.exits(1, 0);
    run.started(3);
    run.ready(3);
    run.signal(Signal::TTOU);
    let actions = done(run.exits(2, 0));
    assert!(matches!(
        actions[..],
        [
            Action::Report(Report::ReloadDone { .. }),
            Action::Report(Report::ScaleDone { workers: 1 })
        ]
    ));
    assert_eq!(
        run.after(SECOND).signal(Signal::HUP),
        [report(Report::ReloadBegun), signal(3, Signal::TERM)]
    );
}
