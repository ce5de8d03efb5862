//! Compares the address that an app asks for with the sockets that exist.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::address::{Endpoint, Host, ListenAddress, UnixName};
use crate::channel::query::{Address, ListenerKey};
use crate::sys::listener::{DEFAULT_BACKLOG, Options, interface_index};

/// The address to bind for a query; `None`: a descriptor, which is bound already.
pub(super) fn address(key: &ListenerKey) -> Option<ListenAddress> {
    Some(match key {
        ListenerKey::Tcp {
            address,
            port,
            v6only,
            ..
        } => ListenAddress::Tcp(endpoint(address.as_ref(), *port, *v6only)),
        ListenerKey::Udp {
            address,
            port,
            v6only,
            ..
        } => ListenAddress::Udp(endpoint(Some(address), *port, *v6only)),
        ListenerKey::Unix { path, .. } => ListenAddress::Unix(UnixName::Path(path.into())),
        ListenerKey::Abstract(name) => ListenAddress::Unix(UnixName::Abstract(name.clone())),
        ListenerKey::Fd { .. } => return None,
    })
}

fn endpoint(address: Option<&Address>, port: u16, only: bool) -> Endpoint {
    let zone = address.and_then(|address| address.zone.as_deref());
    // For an unknown interface 0: the kernel refuses it with `EINVAL` where a scope is required.
    let scope = zone.and_then(interface_index).unwrap_or_default();
    let host = match address.map(|address| address.ip) {
        None => Host::Any,
        Some(IpAddr::V4(address)) => Host::V4(address),
        Some(IpAddr::V6(address)) => Host::V6 {
            address,
            only,
            scope,
        },
    };
    Endpoint { host, port }
}

/// The options to bind with; `backlog` 0 means Node.js' default.
pub(super) fn options(key: &ListenerKey, backlog: u32) -> Options {
    let mut options = Options {
        backlog: match backlog {
            0 => DEFAULT_BACKLOG,
            _ => u16::try_from(backlog).unwrap_or(u16::MAX),
        },
        ..Options::default()
    };
    match key {
        ListenerKey::Udp { reuse_addr, .. } => options.reuse_address = *reuse_addr,
        ListenerKey::Unix {
            readable_all,
            writable_all,
            ..
        } => {
            options.readable_all = *readable_all;
            options.writable_all = *writable_all;
        }
        _ => {}
    }
    options
}

/// The identity of a socket, without flags: the flags of the first query apply. Node.js' own primary
/// does the same (`queryServer`, `lib/internal/cluster/primary.js`).
pub(super) fn without_flags(key: &ListenerKey) -> ListenerKey {
    let mut key = key.clone();
    match &mut key {
        ListenerKey::Tcp { v6only, .. } => *v6only = false,
        ListenerKey::Udp {
            v6only, reuse_addr, ..
        } => (*v6only, *reuse_addr) = (false, false),
        ListenerKey::Unix {
            readable_all,
            writable_all,
            ..
        } => (*readable_all, *writable_all) = (false, false),
        ListenerKey::Abstract(_) | ListenerKey::Fd { .. } => {}
    }
    key
}

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
pub(super) fn is_at(wanted: &ListenAddress, there: &ListenAddress) -> bool {
    match (wanted, there) {
        (ListenAddress::Tcp(wanted), ListenAddress::Tcp(there))
        | (ListenAddress::Udp(wanted), ListenAddress::Udp(there)) => {
            wanted.port == there.port && wanted.port != 0 && is_host(wanted.host, there.host)
        }
        (
            ListenAddress::Unix(UnixName::Path(wanted)),
            ListenAddress::Unix(UnixName::Path(there)),
        ) => absolute(wanted) == absolute(there),
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

/// A relative path resolves against pidone's working directory, which is the workers' too.
fn absolute(path: &Path) -> Option<std::path::PathBuf> {
    std::path::absolute(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let here = std::env::current_dir().unwrap();
        let path = format!("unix:{}/app.sock", here.display());
        assert!(at(&path, "unix:app.sock"));
        assert!(at(&path, "unix:./app.sock"));
        assert!(!at(&path, "unix:/app.sock"));
        assert!(at("unix:@app", "unix:@app"));
        assert!(!at("unix:@app", "unix:app"));
    }

    #[test]
    fn flags_do_not_distinguish_sockets_but_an_index_does() {
        let unix = |readable_all| ListenerKey::Unix {
            path: "/a".into(),
            readable_all,
            writable_all: false,
        };
        assert_eq!(without_flags(&unix(true)), unix(false));
        let tcp = |port, v6only, index| ListenerKey::Tcp {
            address: None,
            port,
            v6only,
            index,
        };
        assert_eq!(without_flags(&tcp(80, true, 0)), tcp(80, false, 0));
        assert_ne!(without_flags(&tcp(0, false, 0)), tcp(0, false, 1));
    }

    #[test]
    fn the_backlog_is_the_apps_or_the_default_of_node() {
        let key = ListenerKey::Abstract("app".into());
        for (asked, given) in [(0, 511), (1, 1), (65_536, 65_535)] {
            assert_eq!(options(&key, asked).backlog, given);
        }
    }
}
