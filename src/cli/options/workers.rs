//! Options of workers and their sockets.

#![forbid(unsafe_code)]

use super::{Chapter, FOR_WORKERS, OptionSpec, SWITCH};
use crate::cli::values::{self, InvalidValue};
use crate::config::{Balance, Boot, Readiness};

pub(super) const WORKERS: Chapter = Chapter {
    title: "Workers (all of these with -i)",
    options: &[
        OptionSpec {
            short: Some('i'),
            long: "instances",
            value: Some("N|auto"),
            help: &[
                "Run N workers; auto: as many as WEB_CONCURRENCY says, or else",
                "one for each CPU that quota and affinity allow.",
            ],
            set: |draft, value| {
                draft.instances = Some(values::instances(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "follow-limits",
            value: Some("on|off"),
            help: &[
                "on: when the container's limits change, the number of workers",
                "(-i auto) and --max-memory P% follow; off: they keep the values",
                "of the start (default: on).",
            ],
            set: |draft, value| {
                draft.config.follow_limits = values::on_or_off(value)?;
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "channel",
            value: Some("node|off"),
            help: &[
                "node: pidone is the primary of Node.js' cluster module, so the",
                "app's own listen() shares its port; off: any program, with",
                "--listen or --port-env (default: node; bun and deno: off).",
            ],
            set: |draft, value| {
                let words = [("node", true), ("off", false)];
                draft.channel = Some(values::one_of(
                    value,
                    &words,
                    InvalidValue::Give("node or off"),
                )?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "relay",
            help: &[
                "Pass each message that a worker sends by process.send() on to",
                "all other workers, as pm2-intercom does (default: only messages",
                "of @socket.io/cluster-adapter, cluster-engine and log4js).",
            ],
            set: |draft, value| {
                draft.config.relay = values::switch(value)?;
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "ready",
            value: Some("HOW"),
            help: &[
                "What makes a worker ready. listen: it listens; message:",
                "process.send('ready'); notify: READY=1 to NOTIFY_SOCKET; port:",
                "its --port-env port accepts; none: it has been started",
                "(default: listen; with --channel off: port if --port-env is",
                "given, else none).",
            ],
            set: |draft, value| {
                let words = [
                    ("listen", Readiness::Listen),
                    ("message", Readiness::Message),
                    ("notify", Readiness::Notify),
                    ("port", Readiness::Port),
                    ("none", Readiness::None),
                ];
                let accepted = InvalidValue::Give("listen, message, notify, port or none");
                draft.ready = Some(values::one_of(value, &words, accepted)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "ready-timeout",
            value: Some("TIME"),
            help: &["A start that takes longer has failed (default: 30s)."],
            set: |draft, value| {
                draft.ready_timeout = Some(values::some_time(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "boot",
            value: Some("together|first|all"),
            help: &[
                "together: at the start, boot as many workers at a time as there",
                "are CPUs; all: all at once, for apps that wait at boot rather",
                "than compute; first: while none is ready, boot one alone, for",
                "apps that migrate a database at boot (default: together).",
            ],
            set: |draft, value| {
                let words = [
                    ("together", Boot::Together),
                    ("first", Boot::First),
                    ("all", Boot::All),
                ];
                let accepted = InvalidValue::Give("together, first or all");
                draft.boot = Some(values::one_of(value, &words, accepted)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "surge",
            value: Some("N|P%"),
            help: &[
                "Reloads, restarts of a slot and limits start N successors at a",
                "time, or P% of the workers (rounded up), while the replaced",
                "workers drain. One at a time with --channel off and --port-env",
                "(default: 1).",
            ],
            set: |draft, value| {
                draft.surge = Some(values::surge(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "spares",
            value: Some("K"),
            help: &[
                "Boot K more workers up to their listen() and hold them back;",
                "when a worker dies, one takes over at once, without a boot",
                "(default: 0).",
            ],
            set: |draft, value| {
                draft.spares = Some(values::count(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "instance-var",
            value: Some("NAME"),
            help: &[
                "Set NODE_APP_INSTANCE for each worker under this name too; the",
                "environment must not have NAME already.",
            ],
            set: |draft, value| {
                draft.config.instance_var = Some(values::instance_var(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "otel-instance",
            help: &[
                "Append service.instance.id=HOSTNAME-K to each worker's",
                "OTEL_RESOURCE_ATTRIBUTES, where K is its NODE_APP_INSTANCE.",
            ],
            set: |draft, value| {
                draft.config.otel_instance = values::switch(value)?;
                Ok(())
            },
            ..FOR_WORKERS
        },
    ],
};

pub(super) const SOCKETS: Chapter = Chapter {
    title: "Sockets",
    options: &[
        OptionSpec {
            long: "listen",
            value: Some("ADDR"),
            repeatable: true,
            help: &[
                "Listen before anything starts, and pass the socket on as fd 3,",
                "4, ... with LISTEN_FDS. [HOST:]PORT, [::1]:PORT, udp:PORT,",
                "unix:PATH. Repeatable.",
            ],
            set: |draft, value| {
                let address = value.parse().map_err(InvalidValue::Address)?;
                if draft.config.listen.contains(&address) {
                    return Err(InvalidValue::Give("each address once"));
                }
                draft.config.listen.push(address);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "port-env",
            value: Some("NAME"),
            help: &[
                "A port for each worker: worker k gets NAME (such as PORT) set",
                "to the value of pidone's own NAME plus k. Needs -i.",
            ],
            set: |draft, value| {
                draft.port_env = Some(values::variable_name(value)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
        OptionSpec {
            long: "balance",
            value: Some("HOW"),
            help: &[
                "Which worker gets a new connection. auto (default): all the",
                "same number, and an idle worker takes connections that wait",
                "for a busy one; reuseport: the kernel's choice; shared: an idle",
                "worker; source-ip: by the client's address; round-robin: the",
                "workers in turn. Needs -i.",
            ],
            set: |draft, value| {
                let words = [
                    ("auto", Balance::Auto),
                    ("reuseport", Balance::ReusePort),
                    ("shared", Balance::Shared),
                    ("source-ip", Balance::SourceIp),
                    ("round-robin", Balance::RoundRobin),
                ];
                let accepted =
                    InvalidValue::Give("auto, reuseport, shared, source-ip or round-robin");
                draft.balance = Some(values::one_of(value, &words, accepted)?);
                Ok(())
            },
            ..FOR_WORKERS
        },
    ],
};
