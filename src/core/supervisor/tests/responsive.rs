//! Unresponsive event loops, as status queries see them; and stopped workers.

use super::*;
use alloc::vec::Vec;

const AFTER: Duration = Duration::from_secs(5);

fn ping(worker: u32) -> Action {
    Action::Ping(WorkerId(worker))
}

fn unresponsive(worker: u32) -> Action {
    let (worker, after) = (WorkerId(worker), AFTER);
    report(Report::Unresponsive { worker, after })
}

fn halted(worker: u32) -> Event {
    Event::Stopped {
        worker: WorkerId(worker),
        signal: Signal::TTIN,
        job_control: false,
    }
}

impl Run {
    fn pongs(&mut self, worker: u32) -> Vec<Action> {
        self.tell(Event::Pong(WorkerId(worker)))
    }
}

#[test]
fn a_query_after_hours_pings_and_reports_ready() {
    let mut run = Run::serving(&workers(2));
    for _ in 0..3 {
        run.after(3600 * SECOND);
        assert_eq!(run.tell(Event::Look), [ping(1), ping(2)]);
        assert!(run.supervisor.is_ready());
        assert_eq!(run.tell(Event::Look), [], "the ping is open");
        run.after(MS);
        assert_eq!([run.pongs(1), run.pongs(2)], [[], []]);
        assert_eq!(run.supervisor.next_deadline(), None, "no wake-up when idle");
    }
}

#[test]
fn not_ready_once_no_worker_has_answered_for_five_seconds() {
    let mut run = Run::serving(&workers(2));
    run.tell(Event::Look);
    let asked = run.now;
    assert_eq!(run.next_actions(), [unresponsive(1), unresponsive(2)]);
    assert_eq!(run.now, asked + AFTER);
    let why = Some(Unready::Unresponsive { after: AFTER });
    assert_eq!(run.supervisor.unready(), why);
    assert_eq!(run.supervisor.next_deadline(), None, "no polling");
    // A query ten seconds after the first gets the result, and sends no new ping.
    assert_eq!(run.after(5 * SECOND).tell(Event::Look), []);
    assert_eq!(run.supervisor.unready(), why);
    let responsive = report(Report::Responsive {
        worker: WorkerId(2),
    });
    assert_eq!(run.pongs(2), [responsive]);
    assert!(run.supervisor.is_ready(), "one responsive worker is enough");
}

#[test]
fn a_slow_boot_does_not_make_a_worker_unresponsive() {
    let mut run = Run::begin(&workers(1));
    run.started(1);
    assert_eq!(run.tell(Event::Look), [ping(1)]);
    run.after(20 * SECOND).ready(1);
    assert!(run.supervisor.is_ready());
    assert_eq!(run.supervisor.next_deadline(), None);
}

#[test]
fn a_pause_does_not_count_as_hang_or_ready_time() {
    let mut run = Run::serving(&workers(2));
    run.tell(Event::Look);
    assert_eq!(run.after(3600 * SECOND).tell(Event::Tick), []);
    assert!(run.supervisor.is_ready());
    run.pongs(1);
    run.pongs(2);

    let mut run = Run::begin(&workers(1));
    run.started(1);
    let begun = run.now;
    while run.now < begun + 20 * SECOND {
        assert_eq!(run.tick(), []);
    }
    let paused = run.now;
    assert_eq!(run.after(3600 * SECOND).tell(Event::Tick), []);
    let gone_on = run.now;
    let late = run.next_actions();
    assert!(matches!(
        late[..],
        [Action::Report(Report::NeverReady { .. }), ..]
    ));
    let had = (paused - begun) + (run.now - gone_on);
    assert!(had >= 29 * SECOND && had <= 30 * SECOND, "{had:?}");
}

#[test]
fn workers_without_a_channel_count_as_responsive() {
    let config = workers_with(1, |rules| {
        rules.channel = false;
        rules.ready = Readiness::None;
        rules.stop = StopMode::Signal;
    });
    let mut run = Run::begin(&config);
    run.started(1);
    assert_eq!(run.tell(Event::Look), []);
    assert!(run.supervisor.is_ready());
    let mut run = Run::serving(&workers(1));
    run.tell(Event::Look);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    run.after(3600 * SECOND).tell(Event::Tick);
    assert_eq!(run.tell(Event::Look), []);
    assert!(run.supervisor.is_ready());
}

#[test]
fn a_stopped_worker_gets_no_connections_until_continued() {
    let mut run = Run::serving(&workers(2));
    let (worker, signal) = (WorkerId(1), Signal::TTIN);
    assert_eq!(
        run.tell(halted(1)),
        [
            report(Report::Stopped { worker, signal }),
            steer(&[None, Some(2)])
        ]
    );
    assert_eq!(run.tell(halted(1)), [], "reported already");
    assert_eq!(run.serve(), [2]);
    assert!(!run.supervisor.accepts(WorkerId(1)));
    let state = run.supervisor.slots().next().map(|slot| slot.state);
    assert_eq!(state, Some(StateView::Stopped));
    assert!(run.supervisor.is_ready());
    run.tell(halted(2));
    assert_eq!(run.supervisor.unready(), Some(Unready::Stopped));
    let worker = WorkerId(2);
    assert_eq!(
        run.tell(Event::Continued(worker)),
        [
            report(Report::Continued { worker }),
            steer(&[None, Some(2)])
        ]
    );
    assert_eq!(run.serve(), [2]);
    assert!(run.supervisor.is_ready());
    assert_eq!(
        run.tell(Event::Continued(WorkerId(1)))[1..],
        [steer(&[Some(0), Some(2)])]
    );
}

#[test]
fn a_stopped_successor_takes_the_slot_only_when_continued() {
    let mut run = Run::serving(&workers(1));
    run.after(SECOND).asks(Request::Reload);
    run.started(2);
    run.tell(halted(2));
    assert_eq!(run.ready(2), []);
    assert_eq!(run.serve(), [1]);
    run.tell(Event::Continued(WorkerId(2)));
    assert_eq!(run.serve(), [2]);
}
