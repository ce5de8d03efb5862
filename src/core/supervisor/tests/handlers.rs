//! Workers whose app handles the stop signal, and says so (`--http-drain`).

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

    /// All have been told of the end of the run, and their queues are empty.
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
fn a_handler_is_called_when_all_is_answered_and_closes_the_server() {
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
fn a_reload_calls_it_too() {
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
fn answers_without_end_leave_it_a_fifth_of_the_grace() {
    let mut run = Run::serving(&config(1));
    assert_eq!(run.stops(&[&[Signal::TERM]]), [finish(1)]);
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    // Its grace begins when new connections are kept away.
    assert_eq!(run.now, 29 * SECOND);
    assert_eq!(run.tick(), [disconnect(1)]);
    assert_eq!(run.now, 32 * SECOND);
    assert_eq!(run.supervisor.next_deadline(), Some(35 * SECOND));
}

#[test]
fn it_is_called_at_once_when_the_channel_ends_and_nothing_can_be_said() {
    let mut run = Run::serving(&config(1));
    assert_eq!(run.stops(&[&[Signal::TERM]]), [finish(1)]);
    run.tell(Event::ChannelClosed(WorkerId(1)));
    assert_eq!(run.supervisor.next_deadline(), Some(run.now));
    assert_eq!(run.tick(), [signal(1, Signal::TERM)]);
    assert_eq!(run.supervisor.next_deadline(), Some(35 * SECOND));
}
