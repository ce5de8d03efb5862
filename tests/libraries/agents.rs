//! Agents that watch the app and report to a server.

use std::collections::BTreeSet;

use crate::harness::service::{Service, all_answer};
use crate::library::{app, ask, serves};

/// How an agent is loaded, and the variables that tell it where to report.
struct Agent {
    flags: [&'static str; 2],
    address: (&'static str, fn(u16) -> String),
    more: &'static [(&'static str, &'static str)],
}

impl Agent {
    fn start(&self, collector: &Service) -> Service {
        let (name, value) = self.address;
        let address = value(collector.app.port);
        let app = app("listen.js").flags(self.flags);
        app.start_with(2, [""; 0], |pidone| {
            let pidone = pidone.env(name, address);
            self.more
                .iter()
                .fold(pidone, |pidone, (name, value)| pidone.env(name, value))
        })
    }

    /// Each request reaches the agent's server, those right before a stop too.
    #[track_caller]
    fn reports(&self) {
        let collector = app("collector.js").bare();
        collector.up(1);
        serves(self.start(&collector));
        let service = self.start(&collector).ready();
        all_answer(&service, || service.who());
        let mut missing: BTreeSet<_> = (10..30).map(|number| format!("mark-{number}")).collect();
        for mark in &missing {
            ask(&service, &format!("/{mark}"));
        }
        service.stop().code(0);
        while !missing.is_empty() {
            missing.remove(&collector.run.line());
        }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[test]
fn sentry_reports_every_request() {
    Agent {
        flags: ["--import", "./sentry.mjs"],
        address: ("SENTRY_DSN", |port| {
            format!("http://key@127.0.0.1:{port}/1")
        }),
        more: &[],
    }
    .reports();
}

#[test]
fn opentelemetry_reports_every_request() {
    Agent {
        flags: ["-r", "@opentelemetry/auto-instrumentations-node/register"],
        address: ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        more: &[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            // The others ask the clouds' own addresses.
            (
                "OTEL_NODE_RESOURCE_DETECTORS",
                "env,process,serviceinstance",
            ),
        ],
    }
    .reports();
}

#[test]
fn dd_trace_reports_every_request() {
    Agent {
        flags: ["-r", "dd-trace/init"],
        address: ("DD_TRACE_AGENT_URL", url),
        more: &[
            ("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "false"),
            ("DD_REMOTE_CONFIGURATION_ENABLED", "false"),
        ],
    }
    .reports();
}

#[test]
fn elastic_apm_reports_every_request() {
    Agent {
        flags: ["-r", "elastic-apm-node/start.js"],
        address: ("ELASTIC_APM_SERVER_URL", url),
        more: &[
            ("ELASTIC_APM_SERVICE_NAME", "test"),
            ("ELASTIC_APM_CLOUD_PROVIDER", "none"),
            ("ELASTIC_APM_LOG_LEVEL", "off"),
        ],
    }
    .reports();
}
