//! Workers with a port of their own and no channel: a successor needs the port of the one before.

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
fn each_is_replaced_where_it_was_one_after_the_other() {
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
fn one_that_crashes_as_it_boots_ends_the_reload_and_the_others_stay() {
    let mut run = Run::serving(&ports());
    run.after(SECOND).signal(Signal::HUP);
    run.exits(1, 0);
    run.started(3);
    let worker = WorkerId(3);
    assert_eq!(
        done(run.exits(3, 1)),
        [
            report(Report::ReloadFailed { worker }),
            start(4, 0, Some(0))
        ]
    );
    assert_eq!(run.serve(), [2]);
}

#[test]
fn one_that_is_worn_out_stays_until_the_others_serve() {
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
fn a_place_that_is_given_up_meanwhile_does_not_hold_the_reload_up() {
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
