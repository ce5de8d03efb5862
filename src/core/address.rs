//! Addresses to listen on, from `--listen` and an app's `listen()`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `[HOST:]PORT`
    Tcp(Endpoint),
    /// `udp:[HOST:]PORT`
    Udp(Endpoint),
    /// `unix:PATH`, `unix:@NAME`
    Unix(UnixName),
}

/// A host's address and a port; port 0 lets the kernel choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The local address.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// The local address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// All addresses, IPv6 and IPv4; on a kernel without IPv6, all IPv4 ones. As in Node.js when
    /// `listen()` names no host.
    Any,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; `::` includes IPv4, unless `only` is set (`IPV6_V6ONLY`, ipv6(7)).
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// IPv6 only (Node.js: `ipv6Only`).
        only: bool,
        /// The interface of a link-local address, by its index; else 0.
        scope: u32,
    },
}

/// The name of a UNIX socket (unix(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnixName {
    /// A file; any bytes but NUL.
    Path(Vec<u8>),
    /// An abstract name in the network namespace, without its leading NUL byte.
    Abstract(String),
}

/// Why a text is not a valid address. The message says what is valid, without the option's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// No port from 0 to 65535 at the end.
    Port,
    /// The host is neither a literal address nor `localhost` nor `*`.
    Host,
    /// An IPv6 address without brackets.
    Brackets,
    /// An empty path or name, or a NUL byte in it.
    UnixEmpty,
    /// Longer than the kernel allows.
    UnixTooLong,
}

/// The size of `sun_path` less the NUL byte that ends a path or begins an abstract name (unix(7)).
pub const LONGEST_UNIX_NAME: usize = 107;

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(name) = text.strip_prefix("unix:") {
            name.parse().map(Self::Unix)
        } else if let Some(endpoint) = text.strip_prefix("udp:") {
            endpoint.parse().map(Self::Udp)
        } else {
            text.parse().map(Self::Tcp)
        }
    }
}

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host.parse()?, port),
            None => (Host::Any, text),
        };
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits);
        port.map(|port| Self { host, port })
            .ok_or(AddressError::Port)
    }
}

impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bracketed = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match (text, bracketed) {
            ("*", _) => Ok(Self::Any),
            ("localhost", _) => Ok(Self::V4(Ipv4Addr::LOCALHOST)),
            (_, Some(address)) => address
                .parse()
                .map(|address| Self::V6 {
                    address,
                    only: false,
                    scope: 0,
                })
                .map_err(|_| AddressError::Host),
            _ if text.contains(':') => Err(AddressError::Brackets),
            _ => text.parse().map(Self::V4).map_err(|_| AddressError::Host),
        }
    }
}

impl FromStr for UnixName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let name = text.strip_prefix('@').unwrap_or(text);
        if name.is_empty() || name.contains('\0') {
            Err(AddressError::UnixEmpty)
        } else if name.len() > LONGEST_UNIX_NAME {
            Err(AddressError::UnixTooLong)
        } else if text.starts_with('@') {
            Ok(Self::Abstract(name.to_owned()))
        } else {
            Ok(Self::Path(name.into()))
        }
    }
}

/// The form of `--listen`, which cannot express IPv6 only.
impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => endpoint.fmt(out),
            Self::Udp(endpoint) => write!(out, "udp:{endpoint}"),
            Self::Unix(name) => write!(out, "unix:{name}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match self.host {
            Host::Any => write!(out, "*:{port}"),
            Host::V4(address) => write!(out, "{address}:{port}"),
            Host::V6 {
                address, scope: 0, ..
            } => write!(out, "[{address}]:{port}"),
            Host::V6 { address, scope, .. } => write!(out, "[{address}%{scope}]:{port}"),
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => String::from_utf8_lossy(path).fmt(out),
            Self::Abstract(name) => write!(out, "@{name}"),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Port => {
                "it must end in a port from 0 to 65535, as in 8080, 127.0.0.1:8080, [::1]:8080, \
                 udp:53 or unix:/run/app.sock"
            }
            Self::Host => {
                "the host must be an address (127.0.0.1, [::1]), \"localhost\", or \"*\" for all"
            }
            Self::Brackets => "an IPv6 address needs brackets, as in [::1]:8080",
            Self::UnixEmpty => "a path or an @name must follow \"unix:\"",
            Self::UnixTooLong => "the path of a UNIX socket must have at most 107 bytes",
        })
    }
}

impl core::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    fn parse(text: &str) -> Result<ListenAddress, AddressError> {
        text.parse()
    }

    fn tcp(host: Host, port: u16) -> Result<ListenAddress, AddressError> {
        Ok(ListenAddress::Tcp(Endpoint { host, port }))
    }

    fn v6(address: &str) -> Host {
        let address = address.parse().unwrap();
        let only = false;
        let scope = 0;
        Host::V6 {
            address,
            only,
            scope,
        }
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(parse("8080"), tcp(Host::Any, 8080));
        assert_eq!(parse("*:8080"), tcp(Host::Any, 8080));
        assert_eq!(parse("0"), tcp(Host::Any, 0));
        assert_eq!(parse("65535"), tcp(Host::Any, 65535));
        let home = Host::V4(Ipv4Addr::new(127, 0, 0, 1));
        assert_eq!(parse("127.0.0.1:80"), tcp(home, 80));
        assert_eq!(parse("localhost:80"), tcp(home, 80));
        assert_eq!(
            parse("0.0.0.0:80"),
            tcp(Host::V4(Ipv4Addr::UNSPECIFIED), 80)
        );
        assert_eq!(parse("[::]:80"), tcp(v6("::"), 80));
        assert_eq!(parse("[::1]:80"), tcp(v6("::1"), 80));
        assert_eq!(parse("[2001:db8::7]:80"), tcp(v6("2001:db8::7"), 80));
    }

    #[test]
    fn udp() {
        let port = 53;
        let any = Endpoint {
            host: Host::Any,
            port,
        };
        assert_eq!(parse("udp:53"), Ok(ListenAddress::Udp(any)));
        let one = Endpoint {
            host: v6("::1"),
            port,
        };
        assert_eq!(parse("udp:[::1]:53"), Ok(ListenAddress::Udp(one)));
        assert_eq!(parse("udp:"), Err(AddressError::Port));
    }

    #[test]
    fn unix() {
        let path = |path: &str| Ok(ListenAddress::Unix(UnixName::Path(path.into())));
        assert_eq!(parse("unix:/run/app.sock"), path("/run/app.sock"));
        assert_eq!(parse("unix:a:b"), path("a:b"));
        assert_eq!(
            parse("unix:@app"),
            Ok(ListenAddress::Unix(UnixName::Abstract("app".into())))
        );
        let longest = "x".repeat(LONGEST_UNIX_NAME);
        assert_eq!(parse(&format!("unix:{longest}")), path(&longest));
        for prefix in ["unix:x", "unix:@x"] {
            let too_long = format!("{prefix}{longest}");
            assert_eq!(parse(&too_long), Err(AddressError::UnixTooLong));
        }
        for empty in ["unix:", "unix:@", "unix:a\0b"] {
            assert_eq!(parse(empty), Err(AddressError::UnixEmpty));
        }
    }

    #[test]
    fn invalid_addresses_have_a_reason() {
        for text in [
            "",
            "http",
            "65536",
            "+80",
            "-1",
            " 80",
            "127.0.0.1:",
            "127.0.0.1",
        ] {
            assert_eq!(parse(text), Err(AddressError::Port), "{text:?}");
        }
        for text in [
            ":80",
            "example.org:80",
            "127.1:80",
            "[127.0.0.1]:80",
            "[::1:80",
            "tcp:80",
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                matches!(error, AddressError::Host | AddressError::Brackets),
                "{text:?}"
            );
        }
        for text in ["::1:80", ":::80", "::1"] {
            assert_eq!(parse(text), Err(AddressError::Brackets), "{text:?}");
        }
        // Every example in an error message is valid.
        for text in [
            "8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "udp:53",
            "unix:/run/app.sock",
        ] {
            assert!(AddressError::Port.to_string().contains(text));
            assert!(parse(text).is_ok());
        }
    }

    #[test]
    fn a_displayed_address_can_be_parsed() {
        for text in [
            "*:8080",
            "127.0.0.1:80",
            "[::]:80",
            "udp:*:53",
            "udp:[::1]:53",
            "unix:/run/app.sock",
            "unix:@app",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
