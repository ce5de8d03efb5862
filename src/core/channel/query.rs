//! The listener a worker requests: the `queryServer` of `lib/internal/cluster/child.js`, validated.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::net::{AddrParseError, IpAddr, Ipv6Addr};
use core::str::FromStr;

use crate::errno::{E2BIG, EINVAL, ENAMETOOLONG};
use crate::json::{Object, Value};

/// The maximum size of a listener's `data`, in bytes of JSON. Node's own holds 96 characters.
pub const DATA_MAX: usize = 1024;

/// The maximum length of a path or abstract name, in bytes: `sun_path` less one (unix(7)).
const PATH_MAX: usize = 107;

/// The maximum length of an interface name, in bytes: `IFNAMSIZ` less one (netdevice(7)).
const ZONE_MAX: usize = 15;

// `flags` of libuv's uv_tcp_bind and uv_udp_bind (uv.h).
const IPV6_ONLY: i64 = 1;
const UDP_REUSE_ADDR: i64 = 4;

/// An IP address as Node.js writes it after it has resolved names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address without its zone.
    pub ip: IpAddr,
    /// The part of `fe80::1%eth0` after `%`: a link-local address belongs to an interface.
    pub zone: Option<Box<str>>,
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { ip, zone: None }
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text.split_once('%') {
            Some((ip, zone)) if (1..=ZONE_MAX).contains(&zone.len()) && !zone.contains('\0') => {
                Ok(Self {
                    ip: ip.parse::<Ipv6Addr>()?.into(),
                    zone: Some(zone.into()),
                })
            }
            _ => text.parse::<IpAddr>().map(Self::from),
        }
    }
}

/// The identity of a shared listener: workers with equal keys share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenerKey {
    /// A TCP port.
    Tcp {
        /// `None` is any address: `::` for both families, or `0.0.0.0` without IPv6.
        address: Option<Address>,
        /// 0 lets the kernel choose.
        port: u16,
        /// `::` without IPv4.
        v6only: bool,
        /// Distinguishes several listeners on port 0 in one worker, which get a port each; else 0.
        index: u32,
    },
    /// A UNIX stream socket with a path.
    Unix {
        /// Absolute, as the worker resolved it; shorter than `sun_path`, without NUL.
        path: String,
        /// All users may read (`readableAll`).
        readable_all: bool,
        /// All users may write (`writableAll`).
        writable_all: bool,
    },
    /// A UNIX stream socket with an abstract name, here without its leading NUL.
    Abstract(String),
    /// A UDP port.
    Udp {
        /// The address.
        address: Address,
        /// 0 lets the kernel choose.
        port: u16,
        /// `::` without IPv4.
        v6only: bool,
        /// `reuseAddr`.
        reuse_addr: bool,
        /// As with TCP.
        index: u32,
    },
    /// `listen({fd})` of a server or `bind({fd})` of a datagram socket. Must never be used without an
    /// allow list.
    Fd {
        /// A descriptor number in the *primary's* table.
        number: i32,
        /// It must be a UDP socket.
        is_udp: bool,
    },
}

/// Data that a worker sends with a query and expects back with the answer, as JSON.
///
/// A TLS server sends its session ticket keys, and throws if it gets `null` instead. So
/// the answer must carry either the query's own data, or that of an earlier query for the
/// same listener (which lets clients resume their session with any worker).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data(Box<str>);

impl Data {
    /// As JSON, on one line.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    fn of(value: Option<Value<'_>>) -> Self {
        Self(value.map_or("null", Value::raw).into())
    }
}

/// A worker requests a listener, or reports that it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The worker's sequence number for this message, which the answer must repeat.
    pub seq: i64,
    /// The data to send back with the answer, even with an error.
    pub data: Data,
    /// The length of the accept queue the app requests; 0 for Node's default, 511.
    pub backlog: u32,
    /// The requested listener, or the error to answer with, from errno(3).
    pub listener: Result<ListenerKey, i32>,
}

impl Query {
    /// Reads a `queryServer` or `listening` message; `None` if it has no sequence number, so that it
    /// cannot be answered.
    pub(super) fn read(message: &Object<'_>) -> Option<Self> {
        let data = Data::of(message.get("data"));
        let listener = if data.0.len() > DATA_MAX {
            Err(E2BIG)
        } else {
            listener(message)
        };
        Some(Self {
            seq: message.get("seq")?.integer()?,
            data,
            backlog: message
                .get("backlog")
                .and_then(Value::integer)
                .and_then(|backlog| u32::try_from(backlog).ok())
                .unwrap_or_default(),
            listener,
        })
    }
}

fn listener(message: &Object<'_>) -> Result<ListenerKey, i32> {
    let address = message.get("address").filter(|value| !value.is_null());
    let kind = message.get("addressType").filter(|value| !value.is_null());
    let port = message.get("port").filter(|value| !value.is_null());

    if let Some(number) = fd(message) {
        let is_udp = kind.is_some_and(|kind| kind.is_string("udp4") || kind.is_string("udp6"));
        let is_descriptor = address.is_none() && port.is_none() && (is_udp || kind.is_none());
        return is_descriptor
            .then_some(ListenerKey::Fd { number, is_udp })
            .ok_or(EINVAL);
    }
    let kind = kind.ok_or(EINVAL)?;
    if kind.integer() == Some(-1) {
        return local(message, &address.and_then(Value::string).ok_or(EINVAL)?);
    }

    let address = match address {
        Some(text) => Some(literal(text).ok_or(EINVAL)?),
        None => None,
    };
    let port = match port {
        Some(number) => number
            .integer()
            .and_then(|number| u16::try_from(number).ok())
            .ok_or(EINVAL)?,
        None => 0,
    };
    let flags = match message.get("flags") {
        Some(flags) => flags.integer().ok_or(EINVAL)?,
        None => 0,
    };
    let v6only = flags & IPV6_ONLY != 0;
    let index = match message.get("index") {
        // Node before 22 numbers every repeated listen, later versions only those on port 0. An
        // app that listens twice on one port can only mean to share it.
        Some(index) if port == 0 => index
            .integer()
            .and_then(|index| u32::try_from(index).ok())
            .ok_or(EINVAL)?,
        _ => 0,
    };
    let (family, is_udp) = match kind {
        _ if kind.integer() == Some(4) => (4, false),
        _ if kind.integer() == Some(6) => (6, false),
        _ if kind.is_string("udp4") => (4, true),
        _ if kind.is_string("udp6") => (6, true),
        _ => return Err(EINVAL),
    };
    let is_other = |address: &Address| address.ip.is_ipv4() != (family == 4);
    if address.as_ref().is_some_and(is_other) {
        return Err(EINVAL);
    }
    if !is_udp {
        return Ok(ListenerKey::Tcp {
            address,
            port,
            v6only,
            index,
        });
    }
    Ok(ListenerKey::Udp {
        address: address.ok_or(EINVAL)?,
        port,
        v6only,
        reuse_addr: flags & UDP_REUSE_ADDR != 0,
        index,
    })
}

/// The requested descriptor; a UDP bind without one has -1.
fn fd(message: &Object<'_>) -> Option<i32> {
    let number = message.get("fd")?.integer()?;
    i32::try_from(number).ok().filter(|&number| number >= 0)
}

fn literal(address: Value<'_>) -> Option<Address> {
    address.string()?.parse().ok()
}

fn local(message: &Object<'_>, path: &str) -> Result<ListenerKey, i32> {
    let is_set = |name| message.get(name).and_then(Value::boolean) == Some(true);
    // Node resolves every path against its working directory, abstract names too: `<cwd>/\0name`.
    let (is_abstract, name) = match path.split_once("/\0") {
        Some((_, name)) => (true, name),
        None => (false, path),
    };
    if name.len() > PATH_MAX {
        return Err(ENAMETOOLONG);
    }
    if name.contains('\0') || name.is_empty() || !path.starts_with('/') {
        return Err(EINVAL);
    }
    Ok(if is_abstract {
        ListenerKey::Abstract(name.to_owned())
    } else {
        ListenerKey::Unix {
            path: name.to_owned(),
            readable_all: is_set("readableAll"),
            writable_all: is_set("writableAll"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn query(members: &str) -> Query {
        let text = format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer",{members},"seq":7}}"#);
        let message = Object::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        Query::read(&message).unwrap()
    }

    fn key(members: &str) -> Result<ListenerKey, i32> {
        query(members).listener
    }

    fn tcp(address: Option<&str>, port: u16, v6only: bool, index: u32) -> ListenerKey {
        ListenerKey::Tcp {
            address: address.map(|address| address.parse().unwrap()),
            port,
            v6only,
            index,
        }
    }

    #[test]
    fn each_form_of_listen_is_parsed() {
        let any = r#""index":0,"data":null,"address":null,"port":80,"addressType":4"#;
        assert_eq!(key(any), Ok(tcp(None, 80, false, 0)));
        let flags = format!(r#"{any},"flags":0,"backlog":5"#);
        assert_eq!(key(&flags), Ok(tcp(None, 80, false, 0)));
        assert_eq!(query(&flags).backlog, 5);
        assert_eq!(query(any).backlog, 0);
        assert_eq!(
            key(r#""index":0,"address":"127.0.0.1","port":80,"addressType":4"#),
            Ok(tcp(Some("127.0.0.1"), 80, false, 0))
        );
        assert_eq!(
            key(r#""index":0,"address":"::","port":80,"addressType":6,"flags":1"#),
            Ok(tcp(Some("::"), 80, true, 0))
        );
        assert_eq!(
            key(r#""address":"fe80::1%eth0","port":80,"addressType":6"#),
            Ok(tcp(Some("fe80::1%eth0"), 80, false, 0))
        );
        let unix = r#""index":0,"address":"/tmp/a b","port":-1,"addressType":-1"#;
        let path = |readable_all, writable_all| {
            Ok(ListenerKey::Unix {
                path: "/tmp/a b".into(),
                readable_all,
                writable_all,
            })
        };
        assert_eq!(key(unix), path(false, false));
        let all = format!(r#"{unix},"readableAll":true"#);
        assert_eq!(key(&all), path(true, false));
        let all = format!(r#"{unix},"readableAll":false,"writableAll":true"#);
        assert_eq!(key(&all), path(false, true));
        assert_eq!(
            key(r#""address":"/app/\u0000name/x","port":-1,"addressType":-1"#),
            Ok(ListenerKey::Abstract("name/x".into()))
        );
        for (kind, is_udp) in [("null", false), ("\"udp4\"", true), ("\"udp6\"", true)] {
            let form =
                format!(r#""address":null,"port":null,"addressType":{kind},"fd":3,"flags":null"#);
            assert_eq!(key(&form), Ok(ListenerKey::Fd { number: 3, is_udp }));
        }
        let udp = |address: &str, port, v6only, reuse_addr, index| {
            Ok(ListenerKey::Udp {
                address: address.parse().unwrap(),
                port,
                v6only,
                reuse_addr,
                index,
            })
        };
        assert_eq!(
            key(r#""index":1,"address":"0.0.0.0","addressType":"udp4","fd":-1,"flags":0"#),
            udp("0.0.0.0", 0, false, false, 1)
        );
        assert_eq!(
            key(r#""index":1,"address":"::","port":53,"addressType":"udp6","fd":-1,"flags":5"#),
            udp("::", 53, true, true, 0)
        );
    }

    #[test]
    fn the_index_counts_for_port_0_only() {
        for (port, index) in [(0, 3), (80, 0)] {
            let form = format!(r#""index":3,"address":null,"port":{port},"addressType":4"#);
            assert_eq!(key(&form), Ok(tcp(None, port, false, index)));
        }
    }

    #[test]
    fn data_is_returned_unchanged() {
        assert_eq!(query(r#""port":1"#).data.as_json(), "null");
        assert_eq!(query(r#""data":null"#).data.as_json(), "null");
        let keys = r#"{"ticketKeys": "0123 \u00e9"}"#;
        let form = format!(r#""data":{keys},"address":null,"port":1,"addressType":4"#);
        assert_eq!(query(&form).data.as_json(), keys);
        assert!(query(&form).listener.is_ok());
        // A TLS server needs it back with the error, even if it is too long to keep.
        let long = format!(r#"{{"ticketKeys":"{}"}}"#, "x".repeat(DATA_MAX));
        let form = format!(r#""data":{long},"address":null,"port":1,"addressType":4"#);
        assert_eq!(query(&form).data.as_json(), long);
        assert_eq!(query(&form).listener, Err(E2BIG));
    }

    #[test]
    fn invalid_queries_have_an_error_to_answer_with() {
        for form in [
            r#""address":null"#,
            r#""address":null,"port":80"#,
            r#""address":null,"port":80,"addressType":5"#,
            r#""address":null,"port":80,"addressType":"4""#,
            r#""address":null,"port":65536,"addressType":4"#,
            r#""address":null,"port":-1,"addressType":4"#,
            r#""address":null,"port":8.5,"addressType":4"#,
            r#""address":null,"port":"80","addressType":4"#,
            r#""address":null,"port":0,"addressType":4,"index":-1"#,
            r#""address":null,"port":80,"addressType":4,"flags":"x""#,
            r#""address":"localhost","port":80,"addressType":4"#,
            r#""address":"127.1","port":80,"addressType":4"#,
            r#""address":"fe80::1%","port":80,"addressType":6"#,
            r#""address":"fe80::1%lo","port":80,"addressType":4"#,
            r#""address":"fe80::1%a\u0000b","port":80,"addressType":6"#,
            r#""address":"fe80::1%0123456789abcdef","port":80,"addressType":6"#,
            r#""address":"127.0.0.1%lo","port":80,"addressType":4"#,
            r#""address":"::1","port":80,"addressType":4"#,
            r#""address":"127.0.0.1","port":80,"addressType":6"#,
            r#""address":5,"port":80,"addressType":4"#,
            r#""address":null,"port":80,"addressType":"udp4","fd":-1"#,
            r#""address":null,"port":-1,"addressType":-1"#,
            r#""address":"","port":-1,"addressType":-1"#,
            r#""address":"relative","port":-1,"addressType":-1"#,
            r#""address":"/a\u0000b","port":-1,"addressType":-1"#,
            r#""address":"/a/\u0000b\u0000c","port":-1,"addressType":-1"#,
            r#""address":"/a/\u0000","port":-1,"addressType":-1"#,
            r#""address":"/\ud800","port":-1,"addressType":-1"#,
            r#""address":null,"port":null,"addressType":null,"fd":-1"#,
            r#""address":null,"port":null,"addressType":null,"fd":4294967296"#,
            r#""address":null,"port":80,"addressType":4,"fd":3"#,
            r#""address":null,"port":80,"addressType":"udp4","fd":3"#,
            r#""address":"0.0.0.0","port":null,"addressType":"udp4","fd":3"#,
            r#""address":"/a","port":null,"addressType":null,"fd":3"#,
        ] {
            assert_eq!(key(form), Err(EINVAL), "{form}");
        }
        for (length, fits) in [(107, true), (108, false)] {
            let name = "x".repeat(length);
            let path = format!("/{}", &name[1..]);
            let form = format!(r#""address":"{path}","port":-1,"addressType":-1"#);
            assert_eq!(key(&form).is_ok(), fits);
            let form = format!(r#""address":"/some/where/\u0000{name}","addressType":-1"#);
            assert_eq!(key(&form).err(), (!fits).then_some(ENAMETOOLONG));
        }
    }

    #[test]
    fn a_query_without_a_sequence_number_is_ignored() {
        for text in [r#"{"seq":null}"#, r#"{"seq":"1"}"#, r#"{"seq":1.5}"#, "{}"] {
            let message = Object::parse(text.as_bytes()).unwrap();
            assert_eq!(Query::read(&message), None);
        }
    }
}
