//! Workers whose app handles the stop signal and reports that (`--http-drain`).

use super::*;
use alloc::vec::Vec;

fn config(count: u16) -> RunRules {
    workers_with(count, |rules| rules.http_drain = Some(5 * SECOND))
}

fn finish(worker: u32) -> Action {
    Action::Finish(WorkerId(worker))
}

impl Run {
    fn announced(&mut self, worker: u32, handles: &[Signal]) {
        let worker = WorkerId(worker);
        let handles = handles.iter().copied().collect();
        assert_eq!(self.tell(Event::Announced { worker, handles }), []);
    }

    fn finished(&mut self, worker: u32) -> Vec<Action> {
        self.tell(Event::Finished(WorkerId(worker)))
    }

    /// The stop is announced to all, and their queues are empty.
    fn stops(&mut self, handles: &[&[Signal]]) -> Vec<Action> {
        self.signal(Signal::TERM);
        for (worker, handles) in (1..).zip(handles) {
            self.listens(worker, true);
            self.announced(worker, handles);
        }
        assert_eq!(self.tick(), [Action::CloseToNewConnections]);
        assert_eq!(self.now, 5 * SECOND);
        self.tick();
        self.queue_is_empty(None)
    }
}

#[test]
fn a_handler_runs_after_all_requests_and_closes_the_server() {
    let mut run = Run::serving(&config(3));
    let actions = run.stops(&[&[Signal::TERM], &[Signal::INT], &[]]);
    assert_eq!(actions, [finish(1), disconnect(2), disconnect(3)]);
    run.after(2 * SECOND);
    assert_eq!(run.finished(1), [signal(1, Signal::TERM)]);
    assert_eq!(run.after(SECOND).listens(1, false), [disconnect(1)]);
    assert_eq!(run.finished(1), []);
    assert_eq!(run.finished(2), []);
}

#[test]
fn a_reload_runs_the_handler_too() {
    let mut run = Run::serving(&config(1));
    run.listens(1, true);
    run.after(SECOND).signal(Signal::HUP);
    run.started(2);
    run.ready(2);
    run.announced(1, &[Signal::TERM]);
    run.tick();
    run.tick();
    assert_eq!(run.queue_is_empty(Some(1)), [finish(1)]);
    assert_eq!(run.finished(1), [signal(1, Signal::TERM)]);
    assert_eq!(run.listens(1, false), [disconnect(1)]);
}

#[test]
fn endless_responses_leave_the_handler_a_fifth_of_the_grace() {
    let mut run = Run::serving(&config(1));
    assert_eq!(run.stops(&[&[Signal::TERM]]), [finish(1)]);
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    // Its grace period begins when new connections are steered away.
    assert_eq!(run.now, 29 * SECOND);
    assert_eq!(run.tick(), [disconnect(1)]);
    assert_eq!(run.now, 32 * SECOND);
    assert_eq!(run.supervisor.next_deadline(), Some(35 * SECOND));
}

#[test]
fn the_handler_runs_at_once_when_the_channel_closes() {
    let mut run = Run::serving(&config(1));
    assert_eq!(run.stops(&[&[Signal::TERM]]), [finish(1)]);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    assert_eq!(run.supervisor.next_deadline(), Some(run.now));
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    assert_eq!(run.supervisor.next_deadline(), Some(35 * SECOND));
}
