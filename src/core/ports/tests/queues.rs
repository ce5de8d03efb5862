//! Which queues pidone empties itself, and who gets a connection from them.

use super::*;

/// All workers that serve accept connections, and maybe others.
fn orphaned(ports: &Registry, accept: &[u32], serve: &[u32]) -> Vec<(PortId, usize)> {
    let serving: Vec<_> = serve.iter().copied().map(WorkerId).collect();
    let accepts = |worker: WorkerId| accept.contains(&worker.0) || serve.contains(&worker.0);
    let queues = ports.orphaned_queues(accepts, &serving);
    queues.map(|(port, member)| (port, member.0)).collect()
}

#[test]
fn members_without_a_listening_worker_have_orphaned_queues() {
    let mut ports = registry(Balance::ReusePort);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    listen(&mut ports, 2, 2, &tcp("*", 0)).unwrap();
    // Worker 3 has the member of worker 1, and does not listen.
    for (accept, serve, expected) in [
        (&[][..], &[1, 2, 3][..], &[1, 3][..]),
        (&[], &[2, 3], &[0, 1, 3]),
        (&[1], &[2, 3], &[1, 3]),
        // No worker could serve them.
        (&[], &[], &[]),
        (&[1, 2], &[3], &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|member| (port, *member)).collect();
        assert_eq!(
            orphaned(&ports, accept, serve),
            expected,
            "{accept:?} {serve:?}"
        );
    }
}

#[test]
fn queues_of_several_serving_workers_are_relieved() {
    let mut ports = registry(Balance::Auto);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    listen(&mut ports, 2, 2, &tcp("*", 0)).unwrap();
    listen(&mut ports, 1, 0, &unix("/app.sock")).unwrap();
    listen(&mut ports, 2, 2, &unix("/app.sock")).unwrap();
    let relieved = |ports: &Registry, serving: &[u32]| {
        let serving: Vec<_> = serving.iter().copied().map(WorkerId).collect();
        let queues = ports.relieved_queues(&serving);
        queues
            .map(|(id, member, worker)| (id, member.0, worker.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(relieved(&ports, &[1, 2]), [(port, 0, 1), (port, 2, 2)]);
    assert_eq!(relieved(&ports, &[1, 3]), []);
    let mut others = registry(Balance::ReusePort);
    listen(&mut others, 1, 0, &tcp("*", 0)).unwrap();
    listen(&mut others, 2, 2, &tcp("*", 0)).unwrap();
    assert_eq!(relieved(&others, &[1, 2]), []);
}

#[test]
fn pidone_empties_every_queue_with_round_robin() {
    let mut ports = registry(Balance::RoundRobin);
    let tcp = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    let unix = listen(&mut ports, 1, 0, &unix("/app.sock")).unwrap();
    listen(&mut ports, 1, 0, &udp(0, false)).unwrap();
    assert_eq!(orphaned(&ports, &[1], &[]), []);
    assert_eq!(orphaned(&ports, &[], &[1]), [(tcp, 0), (unix, 0)]);
}

/// Those who have the previous socket get their connections from pidone.
#[test]
fn pidone_empties_the_queue_of_a_socket_bound_again() {
    let mut ports = registry(Balance::ReusePort);
    let port = named(&mut ports, "unix:/app.sock", 1);
    ports.rebound(port);
    listen(&mut ports, 1, 0, &unix("/app.sock")).unwrap();
    assert_eq!(orphaned(&ports, &[], &[1]), []);
    ports.rebound(port);
    assert_eq!(orphaned(&ports, &[], &[1]), [(port, 0)]);
}

#[test]
fn connections_that_come_while_a_port_is_closed_are_taken() {
    let mut ports = registry(Balance::Shared);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    let unix = listen(&mut ports, 1, 0, &unix("/app.sock")).unwrap();
    assert_eq!(orphaned(&ports, &[], &[1]), []);
    ports.close();
    assert_eq!(orphaned(&ports, &[], &[1]), [(port, LATE.0)]);
    let queues: Vec<_> = ports.queues(None).collect();
    assert_eq!(queues, [(port, Member(0)), (port, LATE), (unix, Member(0))]);
}

#[test]
fn inherited_and_datagram_sockets_have_no_queue_of_pidones() {
    let mut ports = registry(Balance::ReusePort);
    ports.insert(Origin::Inherited, "80".parse().unwrap(), false);
    named(&mut ports, "udp:53", 2);
    let group = named(&mut ports, "81", 2);
    let single = named(&mut ports, "unix:/app.sock", 2);
    let queues = |member| ports.queues(member).collect::<Vec<_>>();
    let of_group = [0, 1].map(|member| (group, Member(member)));
    assert_eq!(
        queues(None),
        [&of_group[..], &[(single, Member(0))]].concat()
    );
    // A shared queue belongs to no member.
    assert_eq!(queues(Some(Member(1))), of_group[1..]);
    assert_eq!(queues(Some(Member(2))), []);
}

#[test]
fn connections_go_in_turn_to_workers_that_listen_and_serve() {
    let mut ports = registry(Balance::RoundRobin);
    let [one, two, three] = [1, 2, 3].map(WorkerId);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    for worker in [2, 3] {
        listen(&mut ports, worker, 0, &tcp("*", 0)).unwrap();
    }
    let other = listen(&mut ports, 4, 6, &tcp("*", 80)).unwrap();
    let all = [1, 2, 3, 4].map(WorkerId);
    let takers =
        |ports: &Registry, serving: &[WorkerId]| ports.takers(port, serving.iter().copied());
    assert_eq!(takers(&ports, &all), [one, two, three]);
    ports.handed_over(port, two);
    ports.handed_over(other, WorkerId(4));
    assert_eq!(takers(&ports, &all), [three, one, two]);
    // The last one no longer serves.
    assert_eq!(takers(&ports, &[one, three]), [three, one]);
    ports.handed_over(port, three);
    assert_eq!(takers(&ports, &all), [one, two, three]);
    assert_eq!(takers(&ports, &[]), []);
    ports.forget(one);
    assert_eq!(takers(&ports, &all), [two, three]);
}
