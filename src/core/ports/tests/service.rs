//! Workers that listen on different ports, and the port of the service.

use super::*;

fn compare(ports: &mut Registry, workers: &[u32]) -> Comparison {
    ports.close_unheld();
    let workers = workers.iter().map(|id| (WorkerId(*id), *id as usize));
    ports.compare(&workers.collect::<Vec<_>>())
}

fn lost(ports: &mut Registry, workers: &[u32]) -> Option<String> {
    let was_lost = ports.lost().is_some();
    let news = compare(ports, workers);
    let lost = ports.lost().map(|lost| lost[0].to_string());
    let is_lost = lost.is_some();
    assert_eq!(news.is_lost, (is_lost != was_lost).then_some(is_lost));
    lost
}

/// What a program does that takes another port when its own is in use, here by another worker.
#[test]
fn the_port_of_the_service_is_lost_with_its_last_worker() {
    for of_all in [true, false] {
        let mut ports = registry(Balance::ReusePort);
        let free = tcp("*", 0);
        let key = tcp("*", 8080);
        listen(&mut ports, 1, 0, &key).unwrap();
        listen(&mut ports, 2, 1, if of_all { &key } else { &free }).unwrap();
        assert_eq!(lost(&mut ports, &[1, 2]), None);
        ports.forget(WorkerId(2));
        listen(&mut ports, 3, 1, &free).unwrap();
        assert_eq!(lost(&mut ports, &[1, 3]), None);
        ports.forget(WorkerId(1));
        listen(&mut ports, 4, 0, &free).unwrap();
        for _ in 0..2 {
            assert_eq!(lost(&mut ports, &[3, 4]), Some("*:8080".into()));
        }
        // It is back, and then a new version listens elsewhere.
        listen(&mut ports, 4, 0, &key).unwrap();
        assert_eq!(lost(&mut ports, &[3, 4]), None);
        for (old, new) in [(3, 5), (4, 6)] {
            ports.forget(WorkerId(old));
            listen(&mut ports, new, new as usize, &tcp("*", 9090)).unwrap();
        }
        assert_eq!(lost(&mut ports, &[5, 6]), None);
    }
}

#[test]
fn ports_of_each_workers_own_are_never_lost() {
    let mut ports = registry(Balance::ReusePort);
    // One worker at first.
    let mut last = None;
    for worker in 1..9 {
        listen(&mut ports, worker, 0, &unix(&format!("/{worker}.sock"))).unwrap();
        if worker > 2 {
            ports.forget(WorkerId(worker - 2));
        }
        let workers: Vec<_> = [Some(worker), last.replace(worker)]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(lost(&mut ports, &workers), None);
    }
}

#[test]
fn a_difference_between_workers_is_reported_once() {
    let mut ports = registry(Balance::ReusePort);
    let key = tcp("*", 80);
    for worker in [3, 1] {
        listen(&mut ports, worker, 0, &key).unwrap();
    }
    listen(&mut ports, 2, 0, &tcp("*", 81)).unwrap();
    let difference = |address: &str, instances: &[usize]| Difference {
        address: address.parse().unwrap(),
        instances: instances.into(),
    };
    let both = [difference("80", &[1, 3]), difference("81", &[2])];
    assert_eq!(compare(&mut ports, &[1, 2, 3]).differences, both);
    assert_eq!(compare(&mut ports, &[1, 2, 3]).differences, []);
    listen(&mut ports, 2, 0, &key).unwrap();
    assert_eq!(compare(&mut ports, &[1, 2, 3]).differences, both[1..]);
    ports.forget(WorkerId(2));
    assert_eq!(compare(&mut ports, &[1, 3]).differences, []);
    // A new worker does the same again.
    listen(&mut ports, 2, 0, &tcp("*", 81)).unwrap();
    let first = difference("80", &[1, 3]);
    let again = compare(&mut ports, &[1, 2, 3]).differences;
    assert_eq!(again, [first, difference("81", &[2])]);
}
