//! Compares the address that an app asks for with the sockets that exist.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::{Endpoint, Host, ListenAddress, UnixName};

/// Whether an unprivileged process could have bound it. The permissions of files and of abstract names
/// cannot be checked here.
pub(super) fn is_for_everybody(address: &ListenAddress, ports_from: u16) -> bool {
    match address {
        ListenAddress::Tcp(endpoint) | ListenAddress::Udp(endpoint) => {
            endpoint.port == 0 || endpoint.port >= ports_from
        }
        ListenAddress::Unix(_) => false,
    }
}

/// Whether a socket bound at `there` is the one that `wanted` names. All notations for "all addresses"
/// are equal if they share an IP version: an app that listens on `0.0.0.0` is served by
/// `--listen 8080`, and one that listens on `::` by `--listen 0.0.0.0:8080`. A single address never
/// equals all addresses: binding it then fails with `EADDRINUSE`, as it would without pidone.
///
/// A relative path resolves against pidone's working directory, which is the workers' too.
pub(super) fn is_at(wanted: &ListenAddress, there: &ListenAddress, directory: &[u8]) -> bool {
    match (wanted, there) {
        (ListenAddress::Tcp(wanted), ListenAddress::Tcp(there))
        | (ListenAddress::Udp(wanted), ListenAddress::Udp(there)) => {
            wanted.port == there.port && wanted.port != 0 && is_host(wanted.host, there.host)
        }
        (
            ListenAddress::Unix(UnixName::Path(wanted)),
            ListenAddress::Unix(UnixName::Path(there)),
        ) => parts(wanted, directory).eq(parts(there, directory)),
        _ => wanted == there,
    }
}

/// Whether both are the same address in any notation.
pub(super) fn is_same(wanted: &ListenAddress, there: &ListenAddress) -> bool {
    let plain = |endpoint: &Endpoint| {
        let only = versions(endpoint.host) == Some((false, true));
        (ip(endpoint.host), scope(endpoint.host), endpoint.port, only)
    };
    match (wanted, there) {
        (ListenAddress::Tcp(wanted), ListenAddress::Tcp(there))
        | (ListenAddress::Udp(wanted), ListenAddress::Udp(there)) => plain(wanted) == plain(there),
        _ => false,
    }
}

/// Whether the kernel refuses to bind both: a wildcard address includes all addresses of its IP
/// version.
pub(super) fn collide(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Tcp(one), ListenAddress::Tcp(other))
        | (ListenAddress::Udp(one), ListenAddress::Udp(other)) => {
            one.port == other.port
                && (is_host(one.host, other.host)
                    || covers(one.host, ip(other.host))
                    || covers(other.host, ip(one.host)))
        }
        _ => false,
    }
}

/// Whether `host` is a wildcard address that includes `one`.
fn covers(host: Host, one: IpAddr) -> bool {
    versions(host).is_some_and(|(v4, v6)| if one.is_ipv4() { v4 } else { v6 })
}

fn is_host(wanted: Host, there: Host) -> bool {
    match (versions(wanted), versions(there)) {
        (Some((wanted4, wanted6)), Some((there4, there6))) => {
            wanted4 && there4 || wanted6 && there6
        }
        (None, None) => ip(wanted) == ip(there) && scope(wanted) == scope(there),
        _ => false,
    }
}

/// Whether all IPv4 and all IPv6 addresses are meant; `None`: a single address.
fn versions(host: Host) -> Option<(bool, bool)> {
    match host {
        Host::Any => Some((true, true)),
        Host::V4(Ipv4Addr::UNSPECIFIED) => Some((true, false)),
        Host::V6 {
            address: Ipv6Addr::UNSPECIFIED,
            only,
            ..
        } => Some((!only, true)),
        Host::V4(_) | Host::V6 { .. } => None,
    }
}

fn scope(host: Host) -> u32 {
    match host {
        Host::V6 { scope, .. } => scope,
        Host::Any | Host::V4(_) => 0,
    }
}

fn ip(host: Host) -> IpAddr {
    match host {
        Host::Any => Ipv6Addr::UNSPECIFIED.into(),
        Host::V4(address) => address.into(),
        Host::V6 { address, .. } => address.into(),
    }
}

/// The parts of an absolute path. As in Node.js, `//` and `/./` mean `/`; links are not followed.
fn parts<'a>(path: &'a [u8], directory: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let base = if path.starts_with(b"/") {
        &[]
    } else {
        directory
    };
    let names = |path: &'a [u8]| path.split(|byte| *byte == b'/');
    let names = names(base).chain(names(path));
    names.filter(|name| !matches!(name, [] | [b'.']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn is_at(wanted: &ListenAddress, there: &ListenAddress) -> bool {
        super::is_at(wanted, there, b"/app")
    }

    fn at(wanted: &str, there: &str) -> bool {
        is_at(&wanted.parse().unwrap(), &there.parse().unwrap())
    }

    #[test]
    fn all_notations_of_all_addresses_are_equal() {
        let all = ["8080", "0.0.0.0:8080", "[::]:8080"];
        for wanted in all {
            for there in all {
                assert!(at(wanted, there), "{wanted} {there}");
                assert!(at(&format!("udp:{wanted}"), &format!("udp:{there}")));
                assert!(!at(wanted, &format!("udp:{there}")));
            }
            for other in ["127.0.0.1:8080", "[::1]:8080", "8081"] {
                assert!(!at(wanted, other), "{wanted} {other}");
                assert!(!at(other, wanted), "{wanted} {other}");
            }
        }
        let only_v6 = |host| {
            ListenAddress::Tcp(Endpoint {
                host: Host::V6 {
                    address: host,
                    only: true,
                    scope: 0,
                },
                port: 8080,
            })
        };
        let all_v6 = only_v6(Ipv6Addr::UNSPECIFIED);
        assert!(is_at(&all_v6, &"8080".parse().unwrap()));
        assert!(is_at(&"8080".parse().unwrap(), &all_v6));
        assert!(!is_at(&all_v6, &"0.0.0.0:8080".parse().unwrap()));
        assert!(!is_at(&"0.0.0.0:8080".parse().unwrap(), &all_v6));
        // With a single address `only` has no effect.
        let one_v6 = only_v6(Ipv6Addr::LOCALHOST);
        assert!(is_at(&one_v6, &"[::1]:8080".parse().unwrap()));
    }

    #[test]
    fn one_address_equals_itself_and_port_0_equals_nothing() {
        assert!(at("127.0.0.1:80", "localhost:80"));
        assert!(!at("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!at("127.0.0.1:80", "[::1]:80"));
        assert!(!at("0", "0"));
    }

    #[test]
    fn relative_paths_resolve_as_in_a_worker() {
        for here in [
            "/app/app.sock",
            "app.sock",
            "./app.sock",
            "/app//./app.sock",
        ] {
            assert!(at("unix:/app/app.sock", &format!("unix:{here}")));
        }
        for elsewhere in ["/app.sock", "/app", "app/app.sock", "../app/app.sock"] {
            assert!(!at("unix:/app/app.sock", &format!("unix:{elsewhere}")));
        }
        assert!(at("unix:@app", "unix:@app"));
        assert!(!at("unix:@app", "unix:app"));
    }
}
