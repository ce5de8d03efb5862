//! Ports that no worker listens on.

use super::*;

#[test]
fn ports_are_looked_at_once_nothing_has_changed_for_a_while() {
    let mut run = Run::serving(&workers(2));
    assert_eq!(run.listens(1, true), []);
    assert_eq!(run.after(SECOND).listens(2, true), []);
    assert_eq!(run.supervisor.next_deadline(), Some(3 * SECOND));
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.supervisor.next_deadline(), None);
    // Something changes all the time.
    let begun = run.now;
    for _ in 0..45 {
        assert_eq!(run.after(SECOND / 2).listens(1, true), []);
        if run.supervisor.next_deadline() < Some(run.now + SECOND / 2) {
            break;
        }
    }
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, begun + 20 * SECOND + 600 * MS);
}

#[test]
fn ports_stay_open_while_somebody_is_on_the_way() {
    let mut run = Run::serving(&workers(1));
    run.listens(1, true);
    run.tick();
    // Its successor boots, and takes its time.
    run.after(10 * SECOND).exits(1, 1);
    run.started(2);
    // A part of --ready-timeout.
    let step = 30 * SECOND / 32;
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + step));
    run.after(20 * SECOND).listens(2, true);
    run.ready(2);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + 2 * SECOND));
    // It ends too soon, and the next one waits for its delay.
    run.after(SECOND).exits(2, 1);
    run.tick();
    run.started(3);
    run.listens(3, true);
    run.ready(3);
    run.after(SECOND).exits(3, 1);
    let restart = run
        .supervisor
        .next_deadline()
        .expect("another one is started");
    assert!(restart < run.now + 2 * SECOND);
    run.tick();
    run.started(4);
    run.after(SECOND).listens(4, true);
    run.ready(4);
    let ready = run.now;
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, ready + 2 * SECOND);
}

#[test]
fn ports_stay_open_while_workers_are_being_replaced() {
    let mut run = Run::serving(&workers(2));
    run.listens(1, true);
    run.listens(2, true);
    run.tick();
    run.signal(Signal::HUP);
    for (old, new) in [(1, 3), (2, 4)] {
        run.started(new);
        run.after(5 * SECOND).listens(new, true);
        run.ready(new);
        run.after(5 * SECOND);
        run.tell(Event::Tick);
        run.queue_is_empty(Some(old));
        let actions = run.after(10 * SECOND).exits(old, 0);
        assert!(!actions.contains(&Action::CloseUnheldPorts));
    }
    let begun = run.now;
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, begun + 2 * SECOND);
}

/// It finishes its requests first, and its successor wants the port.
#[test]
fn a_worker_that_has_closed_its_ports_may_be_leaving() {
    let mut run = Run::serving(&workers(1));
    run.listens(1, true);
    run.tick();
    run.after(10 * SECOND).listens(1, false);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + 30 * SECOND));
    run.after(25 * SECOND);
    run.exits(1, 0);
    run.started(2);
    run.after(SECOND).listens(2, true);
    run.ready(2);
    let begun = run.now;
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, begun + 2 * SECOND);
    // One that stays does not keep them for ever.
    run.after(10 * SECOND).listens(2, false);
    let begun = run.now;
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, begun + 30 * SECOND);
}

/// As after `process.execve`: the new program has no channel, and binds for itself.
#[test]
fn a_process_that_outlives_its_channel_has_no_ports() {
    let mut run = Run::serving(&workers(1));
    let closed = Event::ChannelClosed(WorkerId(1));
    assert_eq!(run.tell(closed), []);
    assert_eq!(run.tell(closed), []);
    assert_eq!(run.tick(), [Action::ReleasePorts(WorkerId(1))]);
    assert_eq!(run.supervisor.next_deadline(), None);
    assert_eq!(run.now, 20 * MS);

    // One that ends, or is told to leave, keeps them to its end.
    let mut run = Run::serving(&workers(1));
    run.tell(closed);
    run.exits(1, 0);
    run.started(2);
    run.ready(2);
    assert_eq!(run.supervisor.next_deadline(), None);
    run.tell(Event::ChannelClosed(WorkerId(2)));
    run.signal(Signal::TERM);
    run.tick();
    run.queue_is_empty(None);
    while run.now < 10 * SECOND {
        let actions = run.tick();
        assert!(!actions.contains(&Action::ReleasePorts(WorkerId(2))));
    }
}
