//! The environment of a worker: pidone's own, and variables for its instance, channel and sockets.

#![forbid(unsafe_code)]

use std::fmt::{self, Write};

use super::drain_module::LOADER;
use crate::config::PortEnv;
use crate::launch::inspector;
use crate::supervisor::WorkerId;
use crate::sys::environment::Environment;

/// The descriptor of the first socket (`SD_LISTEN_FDS_START`), as in `sys::activation`.
const FIRST_DESCRIPTOR: usize = 3;

/// The descriptor of the channel to pidone.
pub(super) const CHANNEL: &str = "NODE_CHANNEL_FD";

/// For pidone only, not for workers: pidone's own channel, its inherited sockets (sd_listen_fds(3)),
/// and its service manager (sd_notify(3)).
const FOR_PIDONE: [&str; 10] = [
    CHANNEL,
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
];

/// What distinguishes a worker's environment from pidone's.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// `NODE_UNIQUE_ID`, with which `cluster.isWorker` is true; not 0.
    pub worker: WorkerId,
    /// `NODE_APP_INSTANCE`: its slot; for a spare, a number that no slot has.
    pub instance: usize,
    /// The names of its sockets, at descriptors 3, 4, …
    pub sockets: &'a [&'a str],
    /// The next descriptor is a channel of Node.js' `cluster`.
    pub has_channel: bool,
    /// Another variable for `instance` (`--instance-var`).
    pub instance_var: Option<&'a str>,
    /// The host's name, for the attribute of `--otel-instance`.
    pub otel_host: Option<&'a str>,
    /// `--port-env`.
    pub port_env: Option<&'a PortEnv>,
    /// `NOTIFY_SOCKET`, where it can send `READY=1`.
    pub notify_socket: Option<&'a [u8]>,
    /// `NODE_OPTIONS` loads the module of `--http-drain`, because the command is not known to be Node.js
    /// itself: it overrides one from an `--env-file`.
    pub loads_drain_module: bool,
    /// Where its inspector must listen, if the command does not contain the option.
    pub inspect_port: Option<u16>,
}

impl Variables<'_> {
    /// Adds them to pidone's own environment.
    #[must_use]
    pub fn added_to(&self, own: &Environment) -> Environment {
        let mut environment = own.clone();
        for name in FOR_PIDONE {
            environment.remove(name);
        }
        for name in ["NODE_APP_INSTANCE"].into_iter().chain(self.instance_var) {
            environment.set(name, self.instance.to_string());
        }
        if let Some(host) = self.otel_host {
            let id = format!("service.instance.id={}-{}", Encoded(host), self.instance);
            append(&mut environment, "OTEL_RESOURCE_ATTRIBUTES", ",", &id);
        }
        if self.has_channel {
            let channel = FIRST_DESCRIPTOR + self.sockets.len();
            environment.set(CHANNEL, channel.to_string());
            environment.set("NODE_CHANNEL_SERIALIZATION_MODE", "json");
            environment.set("NODE_UNIQUE_ID", self.worker.0.to_string());
        }
        let mut environment = with_sockets(environment, self.sockets);
        if let Some(port_env) = self.port_env
            && let Some(port) = port_env.port_of(self.instance)
        {
            environment.set(&port_env.name, port.to_string());
        }
        if let Some(socket) = self.notify_socket {
            environment.set("NOTIFY_SOCKET", socket);
        }
        if self.loads_drain_module {
            let option = format!("--import {LOADER}");
            append(&mut environment, "NODE_OPTIONS", " ", &option);
        }
        if let Some(port) = self.inspect_port {
            // The last one wins.
            append(
                &mut environment,
                "NODE_OPTIONS",
                " ",
                &inspector::option(port),
            );
        }
        environment
    }
}

/// Appends an item to a list.
fn append(environment: &mut Environment, name: &str, separator: &str, item: &str) {
    let before = environment.get(name).unwrap_or_default();
    let separator = if before.is_empty() { "" } else { separator };
    let list = [before, separator.as_bytes(), item.as_bytes()].concat();
    environment.set(name, list);
}

/// Percent-encoded, as the values in `OTEL_RESOURCE_ATTRIBUTES` are: <https://www.w3.org/TR/baggage/#value>
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            // RFC 3986, section 2.3.
            b'-' | b'.' | b'_' | b'~' => out.write_char(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.write_char(byte.into()),
            _ => write!(out, "%{byte:02X}"),
        })
    }
}

/// Adds the variables for the inherited sockets.
#[must_use]
pub fn with_sockets(mut environment: Environment, names: &[&str]) -> Environment {
    if !names.is_empty() {
        environment.set("LISTEN_FDS", names.len().to_string());
        environment.set("LISTEN_FDNAMES", names.join(":"));
        environment.set_listen_pid();
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn environment(entries: &[&str]) -> Environment {
        let entries = entries.iter().map(|entry| CString::new(*entry).unwrap());
        Environment::of(entries.collect())
    }

    fn plain() -> Variables<'static> {
        Variables {
            worker: WorkerId(7),
            instance: 2,
            sockets: &[],
            has_channel: false,
            instance_var: None,
            otel_host: None,
            port_env: None,
            notify_socket: None,
            loads_drain_module: false,
            inspect_port: None,
        }
    }

    fn entries(environment: &Environment) -> Vec<&str> {
        let entries = environment.entries().iter();
        entries.map(|entry| entry.to_str().unwrap()).collect()
    }

    #[test]
    fn workers_do_not_get_variables_for_pidone() {
        let own = environment(&[
            "PATH=/bin",
            "NODE_CHANNEL_FD=3",
            "no variable",
            "NODE_CHANNEL_SERIALIZATION_MODE=advanced",
            "NODE_UNIQUE_ID=1",
            "LISTEN_FDS=1",
            "LISTEN_PID=1",
            "LISTEN_FDNAMES=x",
            "LISTEN_PIDFDID=1",
            "NOTIFY_SOCKET=/run/systemd/notify",
            "WATCHDOG_USEC=30000000",
            "WATCHDOG_PID=1",
            "LISTEN_HOST=0.0.0.0",
            "NODE_APP_INSTANCE=0",
            "NODE_OPTIONS=--enable-source-maps",
        ]);
        let worker = plain().added_to(&own);
        let expected = [
            "PATH=/bin",
            "no variable",
            "LISTEN_HOST=0.0.0.0",
            "NODE_OPTIONS=--enable-source-maps",
            "NODE_APP_INSTANCE=2",
        ];
        assert_eq!(entries(&worker), expected);
        assert!(!worker.has_listen_pid());
    }

    #[test]
    fn a_worker_gets_variables_for_its_resources() {
        let port_env = PortEnv {
            name: "PORT".into(),
            base: 3000,
        };
        let worker = Variables {
            sockets: &["tcp-8080", "unix-app.sock"],
            has_channel: true,
            port_env: Some(&port_env),
            notify_socket: Some(b"@pidone"),
            ..plain()
        };
        let worker = worker.added_to(&environment(&["PORT=3000"]));
        let expected = [
            "NODE_APP_INSTANCE=2",
            "NODE_CHANNEL_FD=5",
            "NODE_CHANNEL_SERIALIZATION_MODE=json",
            "NODE_UNIQUE_ID=7",
            "LISTEN_FDS=2",
            "LISTEN_FDNAMES=tcp-8080:unix-app.sock",
            "PORT=3002",
            "NOTIFY_SOCKET=@pidone",
        ];
        assert_eq!(entries(&worker), expected);
        assert!(worker.has_listen_pid());
    }

    #[test]
    fn the_instance_has_another_name_on_request() {
        let worker = Variables {
            instance_var: Some("INSTANCE_ID"),
            ..plain()
        };
        let worker = worker.added_to(&environment(&["INSTANCE_ID="]));
        assert_eq!(entries(&worker), ["NODE_APP_INSTANCE=2", "INSTANCE_ID=2"]);
    }

    #[test]
    fn the_service_instance_follows_existing_attributes() {
        for (own, host, wanted) in [
            ("A=1", "web-7f.local", "service.instance.id=web-7f.local-2"),
            (
                "OTEL_RESOURCE_ATTRIBUTES=a=b,c=%2C",
                "é,=",
                "a=b,c=%2C,service.instance.id=%C3%A9%2C%3D-2",
            ),
            ("OTEL_RESOURCE_ATTRIBUTES=", "h", "service.instance.id=h-2"),
        ] {
            let worker = Variables {
                otel_host: Some(host),
                ..plain()
            };
            let worker = worker.added_to(&environment(&[own]));
            let attributes = worker.get("OTEL_RESOURCE_ATTRIBUTES").unwrap();
            assert_eq!(attributes, wanted.as_bytes());
        }
    }

    #[test]
    fn the_inspector_port_follows_the_inspect_option() {
        let worker = Variables {
            inspect_port: Some(9232),
            ..plain()
        };
        let worker = worker.added_to(&environment(&["NODE_OPTIONS=--inspect=1.2.3.4:9229"]));
        let options = worker.get("NODE_OPTIONS").unwrap();
        assert_eq!(options, b"--inspect=1.2.3.4:9229 --inspect-port=9232");
    }

    #[test]
    fn the_drain_module_follows_existing_node_options() {
        let worker = Variables {
            loads_drain_module: true,
            ..plain()
        };
        for (own, begins) in [
            ("NODE_OPTIONS=-r x", "-r x --import "),
            ("A=1", "--import "),
        ] {
            let worker = worker.added_to(&environment(&[own]));
            let options = worker.get("NODE_OPTIONS").unwrap();
            let module = options.strip_prefix(begins.as_bytes()).unwrap();
            assert_eq!(module, LOADER.as_bytes());
        }
    }
}
