//! New connections dealt by the client's source port.

use std::os::fd::AsRawFd;

use super::*;

const MEMBERS: usize = 4;

fn dealing(address: &str) -> Group {
    let mut group = group(address, MEMBERS);
    group.steer(&steering::dealt(&[0, 1, 2, 3])).unwrap();
    group
}

fn source_port(client: &OwnedFd) -> usize {
    let own = socket::local_address(client.as_fd()).unwrap().unwrap();
    own.port().into()
}

/// Sixteen consecutive ports go to one member.
fn assert_dealt(group: &Group, clients: impl Iterator<Item = OwnedFd>) {
    let mut ports = Vec::new();
    let clients = clients.inspect(|client| ports.push(source_port(client)));
    let members = receivers(group, clients);
    let by_port: Vec<_> = ports.iter().map(|port| port / 16 % MEMBERS).collect();
    assert_eq!(members, by_port, "{ports:?}");
}

fn connect(target: SocketAddr, with: impl Fn(BorrowedFd<'_>)) -> OwnedFd {
    let client = blocking(socket::family(target.ip()));
    with(client.as_fd());
    socket::connect(client.as_fd(), target).unwrap();
    client
}

#[test]
fn the_source_port_decides_on_both_versions_of_ip() {
    for (address, targets) in [
        ("127.0.0.1:0", &["127.0.0.1"][..]),
        ("[::1]:0", &["::1"]),
        ("0", &["127.0.0.1", "::1"]),
    ] {
        let group = dealing(address);
        for target in targets {
            let target = SocketAddr::new(target.parse().unwrap(), group.address.port());
            assert_dealt(&group, (0..40).map(|_| connect(target, |_| {})));
        }
    }
}

/// The TCP header then begins later (ip(7), `IP_OPTIONS`; RFC 791: option 1 does nothing).
#[test]
fn the_source_port_decides_behind_ip_options() {
    let group = dealing("127.0.0.1:0");
    for length in [4_u32, 24, 40] {
        let with_options = |fd: BorrowedFd<'_>| {
            let options = [1_u8; 40];
            // SAFETY: the kernel reads at most 40 bytes of the array, which lives during the call.
            let result = unsafe {
                libc::setsockopt(
                    fd.as_raw_fd(),
                    libc::IPPROTO_IP,
                    libc::IP_OPTIONS,
                    options.as_ptr().cast(),
                    length,
                )
            };
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
        };
        let target = group.address;
        assert_dealt(&group, (0..20).map(|_| connect(target, with_options)));
    }
}

#[test]
fn a_member_that_is_left_out_gets_nothing() {
    let mut group = group("127.0.0.1:0", MEMBERS);
    group.steer(&steering::dealt(&[3, 1])).unwrap();
    let clients: Vec<_> = local_clients(&group, 40).collect();
    let ports: Vec<_> = clients.iter().map(source_port).collect();
    let in_queues = queues(&group, 40);
    let first = ports.iter().filter(|port| *port / 16 % 2 == 0).count();
    let expected = [0, 40 - first, 0, first].map(|length| u32::try_from(length).unwrap());
    assert_eq!(in_queues, expected);
    for member in group.members() {
        accept_all(member);
    }
    group.steer(&steering::dealt(&[2])).unwrap();
    assert_eq!(receivers(&group, local_clients(&group, 5)), [2; 5]);
}

/// By chance, the variance of a member's share of 64 connections is 12; dealt, it is 4 to 5, or less on
/// Linux before 5.18.
#[test]
fn one_clients_connections_are_spread_more_evenly_than_by_chance() {
    const ROUNDS: u32 = 30;
    for (address, target) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let mut squares = 0;
        for _ in 0..ROUNDS {
            let group = dealing(address);
            let target = SocketAddr::new(target.parse().unwrap(), group.address.port());
            let _clients: Vec<_> = (0..64).map(|_| connect(target, |_| {})).collect();
            let shares = queues(&group, 64);
            squares += shares
                .iter()
                .map(|share| share.abs_diff(16).pow(2))
                .sum::<u32>();
        }
        let variance = squares / (ROUNDS * 4);
        assert!(variance < 8, "{variance}");
    }
}
