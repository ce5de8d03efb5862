//! Ports that no worker listens on.

use super::*;

#[test]
fn ports_are_checked_after_two_seconds_without_changes() {
    let mut run = Run::serving(&workers(2));
    assert_eq!(run.listens(1, true), []);
    assert_eq!(run.after(SECOND).listens(2, true), []);
    assert_eq!(run.supervisor.next_deadline(), Some(3 * SECOND));
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.supervisor.next_deadline(), None);
    // Ports change all the time.
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
fn ports_stay_open_while_a_worker_is_starting() {
    let mut run = Run::serving(&workers(1));
    run.listens(1, true);
    run.tick();
    // Its successor boots slowly.
    run.after(10 * SECOND).exits(1, 1);
    run.started(2);
    // A part of --ready-timeout.
    let step = 30 * SECOND / 32;
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + step));
    run.after(20 * SECOND).listens(2, true);
    run.ready(2);
    assert_eq!(run.supervisor.next_deadline(), Some(run.now + 2 * SECOND));
    // It exits early, and the next start is delayed.
    run.after(SECOND).exits(2, 1);
    run.tick();
    run.started(3);
    run.listens(3, true);
    run.ready(3);
    run.after(SECOND).exits(3, 1);
    let restart = run.supervisor.next_deadline().expect("a start is planned");
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
fn ports_stay_open_during_a_reload() {
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

/// It finishes its requests first, and its successor needs the port.
#[test]
fn closed_ports_are_kept_while_a_worker_may_be_exiting() {
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
    // A worker that stays does not keep the ports open without limit.
    run.after(10 * SECOND).listens(2, false);
    let begun = run.now;
    assert_eq!(run.tick(), [Action::CloseUnheldPorts]);
    assert_eq!(run.now, begun + 30 * SECOND);
}

/// As after `process.execve`: the new program has no channel, and binds for itself.
#[test]
fn a_process_without_its_channel_releases_its_ports() {
    let mut run = Run::serving(&workers(1));
    let closed = Event::ChannelClosed(WorkerId(1));
    assert_eq!(run.tell(closed), []);
    assert_eq!(run.tell(closed), []);
    assert_eq!(run.tick(), [Action::ReleasePorts(WorkerId(1))]);
    assert_eq!(run.supervisor.next_deadline(), None);
    assert_eq!(run.now, 20 * MS);

    // A worker that exits or is drained keeps its ports until its exit.
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

#[test]
fn a_service_whose_port_is_lost_is_not_ready() {
    let mut run = Run::serving(&workers(2));
    assert_eq!(run.tell(Event::PortLost(true)), []);
    assert_eq!(run.supervisor.unready(), Some(Unready::PortLost));
    assert_eq!(run.tell(Event::PortLost(false)), []);
    assert!(run.supervisor.is_ready());
}

#[test]
fn a_spare_that_takes_over_has_time_to_open_its_ports() {
    let config = workers_with(1, |rules| {
        rules.spares = 1;
        rules.ready = Readiness::Message;
    });
    let mut run = Run::serving(&config);
    run.ready(2);
    run.listens(1, true);
    // It finishes its requests, and disconnects.
    run.after(SECOND).listens(1, false);
    let actions = run.after(5 * SECOND).tell(Event::Disconnects(WorkerId(1)));
    assert_eq!(run.serve(), [2]);
    assert!(!actions.contains(&Action::CloseUnheldPorts), "{actions:?}");
    let disconnected = run.now;
    while !run.tick().contains(&Action::CloseUnheldPorts) {}
    assert_eq!(run.now, disconnected + 2 * SECOND);
}
