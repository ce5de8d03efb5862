//! The listener a worker requests: the `queryServer` of `lib/internal/cluster/child.js`, validated.

mod key;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;

use crate::errno::{E2BIG, EINVAL, ENAMETOOLONG};
use crate::json::{Object, Value};
pub use key::{Address, ListenerKey};

/// The maximum size of a listener's `data`, in bytes of JSON. Node's own holds 96 characters.
pub const DATA_MAX: usize = 1024;

/// The maximum length of a path or abstract name, in bytes: `sun_path` less one (unix(7)).
const PATH_MAX: usize = 107;

// `flags` of libuv's uv_tcp_bind and uv_udp_bind (uv.h).
const IPV6_ONLY: i64 = 1;
const UDP_REUSE_ADDR: i64 = 4;

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
mod tests;
