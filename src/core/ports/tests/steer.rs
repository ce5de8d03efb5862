//! Which members get new connections.

use super::*;
use crate::steering::{self, Program};

fn serve(ports: &mut Registry, slots: &[Option<usize>]) -> Vec<(PortId, Program)> {
    let members: Vec<_> = slots.iter().map(|member| member.map(Member)).collect();
    ports.serve(&members);
    ports.steer()
}

#[test]
fn new_connections_follow_the_workers_that_serve() {
    let mut ports = registry(Balance::ReusePort);
    let key = tcp("*", 0);
    let port = listen(&mut ports, 1, 0, &key).unwrap();
    listen(&mut ports, 2, 2, &key).unwrap();
    assert_eq!(ports.steer(), [(port, steering::among(&[0, 2]))]);
    assert_eq!(serve(&mut ports, &[Some(0), Some(2)]), []);
    // The successor in slot 0 listens, then serves.
    listen(&mut ports, 3, 1, &key).unwrap();
    assert_eq!(ports.steer(), []);
    let only = |member| [(port, steering::only(member))];
    assert_eq!(serve(&mut ports, &[Some(1), None]), only(1));
    // No worker serves: nothing changes.
    assert_eq!(serve(&mut ports, &[None, None]), []);
    assert_eq!(serve(&mut ports, &[None, Some(2)]), only(2));
}

#[test]
fn connections_are_dealt_to_the_workers_that_serve() {
    let mut ports = registry(Balance::Auto);
    let port = listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    listen(&mut ports, 2, 2, &tcp("*", 0)).unwrap();
    assert_eq!(ports.steer(), [(port, steering::dealt(&[0, 2]))]);
    assert_eq!(
        serve(&mut ports, &[Some(0), None]),
        [(port, steering::only(0))]
    );
}

#[test]
fn before_any_worker_serves_connections_wait_in_first_members() {
    let mut ports = registry(Balance::ReusePort);
    let port = named(&mut ports, "8080", 1);
    // A single member cannot be steered.
    assert_eq!(ports.steer(), []);
    grow(&mut ports, port, 4);
    assert_eq!(ports.steer(), [(port, steering::among(&[0, 2]))]);
    // More slots before the first worker serves.
    grow(&mut ports, port, 6);
    assert_eq!(ports.steer(), [(port, steering::among(&[0, 2, 4]))]);
    // A worker listens in the other member of its slot, and the others boot.
    listen(&mut ports, 1, 3, &tcp("*", 8080)).unwrap();
    assert_eq!(ports.steer(), [(port, steering::only(3))]);
    // It exits: its successor takes over.
    ports.forget(WorkerId(1));
    assert_eq!(ports.steer(), [(port, steering::among(&[0, 2, 4]))]);
}

#[test]
fn only_workers_that_listen_on_a_port_get_connections() {
    let mut ports = registry(Balance::ReusePort);
    let (key, other) = (tcp("*", 0), tcp("*", 81));
    serve(&mut ports, &[Some(0), Some(2)]);
    let port = listen(&mut ports, 2, 2, &key).unwrap();
    assert_eq!(ports.steer(), [(port, steering::only(2))]);
    listen(&mut ports, 1, 0, &key).unwrap();
    let other = listen(&mut ports, 1, 0, &other).unwrap();
    let expected = [(port, steering::among(&[0, 2])), (other, steering::only(0))];
    assert_eq!(ports.steer(), expected);
    ports.closed(port, WorkerId(1));
    assert_eq!(ports.steer(), [(port, steering::only(2))]);
    let holders: Vec<_> = ports.holders(port).collect();
    assert_eq!(holders, [(WorkerId(2), Member(2))]);
}

#[test]
fn source_ip_keeps_each_client_in_its_slot() {
    let mut ports = registry(Balance::SourceIp);
    let port = named(&mut ports, "8080", 4);
    for slots in [[Some(0), Some(2)], [Some(1), Some(2)], [None, Some(2)]] {
        let program = steering::by_source(&slots);
        assert_eq!(serve(&mut ports, &slots), [(port, program)]);
    }
}

/// A slot is wanted, and its worker is not started yet.
#[test]
fn members_without_a_socket_get_no_connections() {
    let mut ports = registry(Balance::ReusePort);
    let port = named(&mut ports, "80", 4);
    let program = [(port, steering::among(&[0, 2]))];
    assert_eq!(serve(&mut ports, &[Some(0), Some(2), Some(4)]), program);
    grow(&mut ports, port, 6);
    assert_eq!(ports.steer(), [(port, steering::among(&[0, 2, 4]))]);
}

#[test]
fn ports_with_one_socket_are_not_steered() {
    let mut ports = registry(Balance::Shared);
    listen(&mut ports, 1, 0, &tcp("*", 0)).unwrap();
    let mut group = registry(Balance::ReusePort);
    for key in [unix("/app.sock"), udp(0, false)] {
        listen(&mut group, 1, 0, &key).unwrap();
    }
    for ports in [&mut ports, &mut group] {
        assert_eq!(serve(ports, &[Some(0), Some(2)]), []);
    }
}

#[test]
fn a_port_is_steered_again_only_if_closing_it_failed() {
    let mut ports = registry(Balance::ReusePort);
    let [one, other] = ["80", "81"].map(|address| named(&mut ports, address, 4));
    serve(&mut ports, &[Some(0), Some(2)]);
    assert_eq!(ports.close(), [one, other]);
    assert_eq!(serve(&mut ports, &[Some(1), Some(2)]), []);
    assert!(!ports.lacks_members(one, 9));
    ports.not_steered(other);
    assert_eq!(ports.steer(), [(other, steering::among(&[1, 2]))]);
    assert!(ports.lacks_members(other, 9));
}

/// The kernel may run out of memory once.
#[test]
fn a_program_that_the_kernel_refused_is_tried_again() {
    let mut ports = registry(Balance::ReusePort);
    let port = named(&mut ports, "80", 2);
    let program = [(port, steering::only(0))];
    assert_eq!(serve(&mut ports, &[Some(0)]), program);
    assert_eq!(ports.steer(), []);
    ports.not_steered(port);
    assert_eq!(ports.steer(), program);
}
