//! Options of the admin endpoints.

#![forbid(unsafe_code)]

use super::{Chapter, FOR_WORKERS, OptionSpec, SWITCH};
use crate::cli::values;

pub(super) const ADMIN: Chapter = Chapter {
    title: "Control and health",
    options: &[
        OptionSpec {
            long: "control",
            value: Some("PATH|off"),
            help: &[
                "The UNIX socket that pidone ctl connects to (default:",
                "/run/pidone.sock or else /tmp/pidone.sock with -i, else off).",
            ],
            set: |draft, value| {
                draft.config.control = values::control(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "http",
            value: Some("ADDR"),
            help: &[
                "Serve /livez, /readyz and /metrics at [HOST:]PORT, for probes",
                "and Prometheus, and a live page at / (default: off).",
            ],
            set: |draft, value| {
                draft.config.http = Some(values::http(value)?);
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "http-page",
            value: Some("on|off"),
            help: &[
                "off: --http serves neither the live page (/) nor the status in",
                "JSON (/status) (default: on).",
            ],
            set: |draft, value| {
                draft.config.http_page = values::on_or_off(value)?;
                Ok(())
            },
            ..SWITCH
        },
        OptionSpec {
            long: "app-metrics",
            help: &[
                "Ask the workers' prom-client for the app's own metrics at each",
                "scrape, and add their sums to /metrics. Needs --http.",
            ],
            set: |draft, value| {
                draft.config.app_metrics = values::switch(value)?;
                Ok(())
            },
            ..FOR_WORKERS
        },
    ],
};
