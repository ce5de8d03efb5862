use super::*;
use alloc::vec;

const MS: Duration = Duration::from_millis(1);

/// Queues of these lengths, of workers that can be handed a connection.
fn queues(lengths: &[u32]) -> Vec<Queue<u8>> {
    let queues = lengths.iter().enumerate();
    let queue = |(slot, length): (usize, &u32)| Queue {
        port: 0,
        member: Member::first_of(slot),
        worker: worker(slot),
        length: *length,
        is_free: true,
    };
    queues.map(queue).collect()
}

fn worker(slot: usize) -> WorkerId {
    WorkerId(u32::try_from(slot).unwrap())
}

fn moved(from: usize, to: usize) -> Move<u8> {
    Move {
        port: 0,
        from: Member::first_of(from),
        to: worker(to),
    }
}

fn all_sleep(_: WorkerId) -> bool {
    true
}

fn all_run(_: WorkerId) -> bool {
    false
}

/// The second look at the same queues; the first one, if so many wait that their worker is busy.
fn second_look(
    queues: &[Queue<u8>],
    sleeps: impl FnMut(WorkerId) -> bool,
) -> (Relief<u8>, Vec<Move<u8>>) {
    let mut relief = Relief::default();
    let is_fresh = queues.iter().all(|queue| queue.length < BACKLOG);
    if is_fresh {
        assert_eq!(relief.look(MS, queues, |_| panic!("asked too early")), []);
    }
    let moves = relief.look(4 * MS, queues, sleeps);
    (relief, moves)
}

#[test]
fn without_connections_there_is_no_timer() {
    let mut relief = Relief::<u8>::default();
    for now in 1..4 {
        assert!(relief.polls() && !relief.on_poll(now * MS, false));
        assert_eq!(relief.deadline(), None);
    }
}

/// Rests until the queues are polled at its end, and nothing waits.
fn rest(relief: &mut Relief<u8>, begin: Moment, rest: u32) -> Moment {
    let end = begin + rest * MS;
    assert!(!relief.polls());
    assert_eq!(relief.deadline(), Some(end));
    relief.on_tick(end - MS / 10);
    assert!(!relief.polls());
    relief.on_tick(end);
    assert_eq!(relief.deadline(), Some(Moment::ZERO));
    assert!(relief.polls() && !relief.on_poll(end, false));
    end
}

#[test]
fn the_rest_grows_while_nothing_waits_at_its_end() {
    let mut relief = Relief::<u8>::default();
    let mut now = Moment::ZERO;
    for length in [4, 8, 12, 12, 12] {
        now += 100 * MS;
        assert!(!relief.on_poll(now, true));
        now = rest(&mut relief, now, length);
        assert_eq!(relief.deadline(), None);
    }
}

#[test]
fn busy_queues_are_polled_less_often() {
    let mut relief = Relief::<u8>::default();
    assert!(!relief.on_poll(MS, true));
    let mut now = MS;
    for length in [4, 8, 12, 12, 12] {
        now = rest(&mut relief, now, length);
    }
    assert_eq!(relief.deadline(), None);
}

#[test]
fn a_connection_moves_to_a_sleeping_worker_once_it_has_waited() {
    let (relief, moves) = second_look(&queues(&[1, 0]), all_sleep);
    assert_eq!(moves, [moved(0, 1)]);
    assert_eq!(relief.deadline(), Some(4 * MS + HOPEFUL));
}

#[test]
fn a_new_connection_is_looked_at_again_soon() {
    let mut relief = Relief::default();
    assert_eq!(relief.look(MS, &queues(&[1, 0]), all_sleep), []);
    assert_eq!(relief.deadline(), Some(MS + SHORTEST));
    // It was accepted, and another one has come since.
    assert_eq!(relief.look(3 * MS, &queues(&[0, 1]), all_sleep), []);
}

#[test]
fn running_workers_get_from_a_longer_queue_only() {
    let second_look = |before: &[u32], now: &[u32]| {
        let mut relief = Relief::default();
        assert_eq!(relief.look(MS, &queues(before), all_run), []);
        let moves = relief.look(4 * MS, &queues(now), all_run);
        (moves, relief)
    };
    assert_eq!(second_look(&[1, 1], &[1, 0]).0, []);
    assert_eq!(second_look(&[3, 3], &[3, 2]).0, []);
    let (moves, relief) = second_look(&[4, 3, 2], &[4, 2, 1]);
    assert_eq!(moves, [moved(0, 2)]);
    assert_eq!(relief.deadline(), Some(4 * MS + EVENED));
    assert_eq!(second_look(&[9, 6], &[9, 5]).0, [moved(0, 1)]);
    assert_eq!(second_look(&[10, 8], &[10, 6]).0, []);
    // Those that have not emptied their queues may be blocked.
    assert_eq!(second_look(&[4, 2, 1], &[4, 2, 1]).0, []);
    assert_eq!(second_look(&[4, 0], &[4, 0]).0, []);
}

#[test]
fn states_are_read_only_if_a_move_depends_on_them() {
    let mut busy = queues(&[0, 0, 2, 3]);
    busy[0].is_free = false;
    let mut asked = vec![];
    second_look(&busy, |worker| {
        asked.push(worker);
        false
    });
    assert_eq!(asked, [worker(1)]);
}

#[test]
fn a_stuck_queue_gives_even_to_a_running_worker_without_queue() {
    let mut relief = Relief::default();
    assert_eq!(relief.look(Moment::ZERO, &queues(&[1, 1]), all_run), []);
    for now in [2, 4] {
        assert_eq!(relief.look(now * MS, &queues(&[1, 0]), all_run), []);
    }
    let moves = relief.look(6 * MS, &queues(&[1, 0]), all_run);
    assert_eq!(moves, [moved(0, 1)]);
}

#[test]
fn a_stuck_queue_gives_all_to_a_worker_that_empties_its_own() {
    let mut relief = Relief::default();
    relief.look(Moment::ZERO, &queues(&[4, 1]), all_run);
    relief.look(2 * MS, &queues(&[4, 0]), all_run);
    let moves = relief.look(6 * MS, &queues(&[4, 0]), all_run);
    assert_eq!(moves, [moved(0, 1)]);
    assert_eq!(relief.deadline(), Some(6 * MS + HOPEFUL));
    let length = |_, member: Member| if member.slot() == 0 { 3 } else { 0 };
    for _ in 0..3 {
        assert_eq!(
            relief.on_taken(worker(1), 7 * MS, length),
            Some(moved(0, 1))
        );
    }
    assert_eq!(relief.on_taken(worker(1), 7 * MS, length), None);
}

#[test]
fn a_worker_gets_the_next_one_when_it_has_taken_the_last() {
    let (mut relief, moves) = second_look(&queues(&[6, 0]), all_sleep);
    assert_eq!(moves, [moved(0, 1)]);
    let length = |_, member: Member| if member.slot() == 0 { 5 } else { 0 };
    for _ in 0..2 {
        assert_eq!(
            relief.on_taken(worker(1), 5 * MS, length),
            Some(moved(0, 1))
        );
    }
    assert_eq!(relief.on_taken(worker(1), 5 * MS, length), None);
    assert_eq!(relief.on_taken(worker(0), 5 * MS, length), None);
}

#[test]
fn a_burst_ends_with_the_queue_or_the_worker() {
    let (mut relief, _) = second_look(&queues(&[6, 0]), all_sleep);
    assert_eq!(relief.on_taken(worker(1), 5 * MS, |_, _| 0), None);
    relief.forget(worker(1));
    let length = |_, member: Member| if member.slot() == 0 { 5 } else { 0 };
    assert_eq!(relief.on_taken(worker(1), 5 * MS, length), None);
}

#[test]
fn each_worker_is_handed_one_connection_at_a_time() {
    let (_, moves) = second_look(&queues(&[9, 8, 0, 0]), all_sleep);
    assert_eq!(moves, [moved(0, 2), moved(1, 3)]);
    let mut on_its_way = queues(&[9, 0]);
    on_its_way[1].is_free = false;
    assert_eq!(second_look(&on_its_way, all_sleep).1, []);
}

#[test]
fn idle_workers_take_turns() {
    let mut relief = Relief::default();
    let mut now = MS;
    let mut next = || {
        now += 4 * MS;
        let moves = relief.look(now, &queues(&[1, 0, 0]), all_sleep);
        moves.first().map(|one| one.to)
    };
    assert_eq!(next(), None);
    let got: Vec<_> = (0..4).map(|_| next().unwrap()).collect();
    assert_eq!(got, [1, 2, 1, 2].map(worker));
}

#[test]
fn ports_do_not_mix() {
    let mut both = queues(&[5, 0]);
    both[1].port = 1;
    assert_eq!(second_look(&both, all_sleep).1, []);
}
