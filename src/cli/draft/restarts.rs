//! Checks the restart options: options without effect, and endless restarts.

#![forbid(unsafe_code)]

use super::{Draft, Surroundings};
use crate::cli::error::CliError;
use crate::config::RestartPolicy;
use crate::text::HumanDuration;

impl Draft {
    /// Rejects options about restarts if there are none.
    pub(super) fn check_restarts(
        &self,
        around: &Surroundings<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let rules = &self.config.restart;
        if rules.policy != RestartPolicy::Never {
            warnings.extend(self.endless_restarts(around));
            return Ok(());
        }
        let rules = ["backoff", "min-uptime", "max-restarts"];
        if let Some(rule) = rules.into_iter().find(|long| around.is_given(long)) {
            let why = "nothing is restarted; \
                       add --restart always or --restart on-failure, or leave it out";
            return around.unusable(rule, why);
        }
        Ok(())
    }

    /// A warning if the window is too short for the maximum number of restarts: then workers that become
    /// ready and then crash never reach it.
    fn endless_restarts(&self, around: &Surroundings<'_>) -> Option<String> {
        let rules = &self.config.restart;
        let (restarts, least) = (rules.max_restarts, rules.least_time());
        (least > rules.window).then(|| {
            let [window, min, max, least] =
                [rules.window, rules.min_delay, rules.max_delay, least].map(HumanDuration);
            format!(
                "{}: workers that serve and then exit never reach {restarts} restarts in {window}: \
                 with delays from {min} to {max} ({}), they take at least {least}; \
                 give a longer window, fewer restarts or shorter delays",
                around.name("max-restarts"),
                around.name("backoff"),
            )
        })
    }
}
