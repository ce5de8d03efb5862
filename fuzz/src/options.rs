//! Command lines: one word per line; then the environment, one variable per line; then a package.json.

use std::ffi::OsString;
use std::time::Duration;

use pidone::admin::control::ControlRequest;
use pidone::cli::{self, CliError, Invocation};
use pidone::config::{Config, Instances, MemoryLimit};
use pidone::signal::Signal;

use super::parts;

pub fn check(data: &[u8]) {
    let [words, variables, package] = parts(data);
    let words: Vec<&str> = words.split('\n').collect();
    let variables: Vec<_> = variables
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .collect();
    let said = read(&words, &variables, &package);
    let config = match said {
        Ok(Invocation::Run { config, .. }) => config,
        Ok(Invocation::Control(command)) => {
            let line = command.request.to_string();
            assert_eq!(ControlRequest::parse(&line), Ok(command.request));
            assert!(!command.places.is_empty());
            assert!(command.places.iter().all(|place| place.is_absolute()));
            return;
        }
        Ok(Invocation::Print(text)) => {
            assert!(text.ends_with('\n'));
            return;
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    within_bounds(&config);
    if let Some((words, variables)) = as_variables(&words, &variables) {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        match read(&words, &variables, &package) {
            Ok(Invocation::Run { config: other, .. }) => {
                // They differ only in the variables that were used.
                let plain = |config: Config| Config {
                    own_variables: Vec::new(),
                    ..config
                };
                assert_eq!(plain(*other), plain(*config));
            }
            other => panic!("{words:?} {variables:?}: {other:?}"),
        }
    }
}

fn read(words: &[&str], variables: &[(&str, &str)], package: &str) -> Result<Invocation, CliError> {
    let args = words.iter().map(OsString::from).collect();
    let environment = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let file = |name: &str| (name == "package.json").then(|| package.to_owned());
    cli::read(args, environment, &file)
}

/// Names and values.
type Variables = Vec<(String, String)>;

/// The same command with variables in place of each leading `--name=value`; `None`: its meaning may differ. A list is one
/// variable, and an empty variable counts as unset.
fn as_variables(words: &[&str], variables: &[(&str, &str)]) -> Option<(Vec<String>, Variables)> {
    const LISTS: [&str; 4] = ["listen", "rewrite", "expect", "verbose"];
    let mut options = Vec::new();
    let count = words
        .iter()
        .take_while(|word| word.starts_with("--") && word.contains('='));
    let (moved, rest) = words.split_at(count.count());
    for word in moved {
        let (name, value) = word.strip_prefix("--")?.split_once('=')?;
        let variable = format!("PIDONE_{}", name.to_ascii_uppercase().replace('-', "_"));
        let is_known = |(known, _): &(String, String)| *known == variable;
        let is_there = variables.iter().any(|(known, _)| **known == variable);
        if value.is_empty() || LISTS.contains(&name) || is_there || options.iter().any(is_known) {
            return None;
        }
        options.push((variable, value.to_owned()));
    }
    // `--port-env` may name one of these variables.
    let is_own = |(_, value): &(String, String)| value.starts_with("PIDONE_");
    if options.is_empty() || options.iter().any(is_own) {
        return None;
    }
    // As the first word, `ctl` is not a program but a subcommand.
    if rest.first() == Some(&"ctl") {
        return None;
    }
    // A short option might set the same, and would override the variable.
    let is_short = |word: &&&str| word.starts_with('-') && **word != "--";
    if rest.first().is_some_and(|word| is_short(&word)) {
        return None;
    }
    let before = variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let words = rest.iter().map(|word| word.to_string()).collect();
    Some((words, before.chain(options).collect()))
}

/// The limits that README gives.
fn within_bounds(config: &Config) {
    const LONGEST: Duration = Duration::from_secs(1000 * 3600);
    assert!(!config.command.program.is_empty());
    for (index, (from, _)) in config.signals.rewrites.iter().enumerate() {
        assert!(![Signal::KILL, Signal::STOP, Signal::CHLD].contains(from));
        let earlier = &config.signals.rewrites[..index];
        assert!(earlier.iter().all(|(earlier, _)| earlier != from));
    }
    let rules = &config.restart;
    assert!(!rules.min_delay.is_zero() && rules.min_delay <= rules.max_delay);
    assert!(!rules.window.is_zero() && rules.max_restarts <= 1000);
    let mut times = vec![rules.max_delay, rules.min_uptime, rules.window];
    times.extend(config.grace);
    if let Some(workers) = &config.workers {
        let grace = config.grace.expect("workers have a grace");
        match workers.instances {
            Instances::Auto => {}
            Instances::Count(count) => assert!((1..=Instances::MAX).contains(&count)),
        }
        assert!(workers.spares <= Instances::MAX);
        if let (Some(ports), Instances::Count(count)) = (&workers.port_env, workers.instances) {
            assert!(ports.port_of(usize::from(count) - 1).is_some());
        }
        times.extend([workers.ready_timeout, workers.drain_delay]);
        times.extend(workers.max_age);
        if let Some(announced) = workers.http_drain {
            assert!(announced < grace / 5 * 4);
        }
        if let Some(hang) = workers.hang_timeout {
            assert!(hang >= Duration::from_secs(1));
            times.push(hang);
        }
        match workers.max_memory {
            Some(MemoryLimit::Bytes(bytes)) => assert!((1 << 20..=1 << 40).contains(&bytes)),
            Some(MemoryLimit::Percent(percent)) => assert!((1..=100).contains(&percent)),
            None => {}
        }
    }
    assert!(times.iter().all(|time| *time <= LONGEST));
}
