//! How workers are told apart: their number under another name, and their identity for
//! OpenTelemetry.

#![forbid(unsafe_code)]

use super::{Draft, Surroundings};
use crate::cli::error::CliError;
use crate::config::WorkerRules;

/// Where OpenTelemetry's SDKs read what they run in:
/// <https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

impl Draft {
    /// The variable must not have another value already: another program means something else by it.
    pub(super) fn check_instance_var(
        &self,
        rules: &WorkerRules,
        around: &Surroundings<'_>,
    ) -> Result<(), CliError> {
        let Some(name) = &self.config.instance_var else {
            return Ok(());
        };
        if let Some(port_env) = &rules.port_env
            && port_env.name == *name
        {
            let other = around.name("port-env");
            let why = format!("{name} is already used by {other}; give another name");
            return around.unusable("instance-var", why);
        }
        if let Some(value) = around.variable(name) {
            let value = value.to_string_lossy();
            let why = format!(
                "{name} is already set to \"{value}\" in the environment; \
                 unset it, or give another name"
            );
            return around.unusable("instance-var", why);
        }
        Ok(())
    }

    /// What the user has set stays, and is the same for all workers.
    pub(super) fn check_otel_instance(
        &mut self,
        around: &Surroundings<'_>,
        warnings: &mut Vec<String>,
    ) {
        let attributes = around.variable(ATTRIBUTES);
        if self.config.otel_instance
            && attributes.is_some_and(|text| has_instance_id(&text.to_string_lossy()))
        {
            self.config.otel_instance = false;
            let option = around.name("otel-instance");
            warnings.push(format!(
                "{option}: {ATTRIBUTES} already has service.instance.id, \
                 which all workers keep; leave one out"
            ));
        }
    }
}

/// Keys and values are separated by commas and equals signs, and may have spaces around them.
fn has_instance_id(attributes: &str) -> bool {
    let mut keys = attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    keys.any(|(key, _)| key.trim() == "service.instance.id")
}
