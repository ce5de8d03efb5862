mod variables;

use std::time::Duration;

use super::*;
use crate::config::{
    Balance, Boot, Control, Inspector, Instances, KillMode, LogFormat, MemoryLimit, PortEnv,
    Readiness, RestartPolicy, StopMode, Surge, WorkerRules,
};

/// pidone's words, the command after `--`, and variables as `NAME=value`.
fn read_with(line: &str, variables: &[&str]) -> Result<(Config, Vec<String>), String> {
    let line = if line.contains("-- ") {
        line.to_owned()
    } else {
        format!("{line} -- node server.js")
    };
    let args = line.split_whitespace().map(OsString::from).collect();
    let variables = variables.iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (OsString::from(name), OsString::from(value))
    });
    match read(args, variables, &|_| None) {
        Ok(Invocation::Run { config, warnings }) => Ok((*config, warnings)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn config(line: &str, variables: &[&str]) -> Config {
    read_with(line, variables).unwrap().0
}

#[track_caller]
fn workers(line: &str, variables: &[&str]) -> WorkerRules {
    config(line, variables).workers.unwrap()
}

#[track_caller]
fn refused(line: &str, variables: &[&str], parts: &[&str]) {
    let sentence = read_with(line, variables).unwrap_err();
    for part in parts {
        assert!(
            sentence.contains(part),
            "{line}: {part:?} is not in {sentence:?}"
        );
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn without_instances_nothing_changes() {
    let config = config("", &[]);
    assert_eq!(config.workers, None);
    assert_eq!(config.grace, None);
    assert_eq!(config.restart.policy, RestartPolicy::Never);
    assert!(config.listen.is_empty());
}

#[test]
fn workers_have_defaults_of_their_own() {
    let config = config("-i 4", &[]);
    assert_eq!(config.grace, Some(30 * SECOND));
    assert_eq!(config.restart.policy, RestartPolicy::Always);
    let wanted = WorkerRules {
        instances: Instances::Count(4),
        channel: true,
        port_env: None,
        balance: Balance::Auto,
        ready: Readiness::Listen,
        ready_timeout: 30 * SECOND,
        inspector: None,
        boot: Boot::Together,
        surge: Surge::Count(1),
        spares: 0,
        stop: StopMode::Drain,
        kill_mode: KillMode::Group,
        http_drain: None,
        drain_delay: Duration::ZERO,
        max_memory: None,
        max_age: None,
        hang_timeout: None,
        unresponsive_after: 5 * SECOND,
    };
    assert_eq!(config.workers, Some(wanted));
}

#[test]
fn without_a_channel_the_defaults_differ() {
    for line in [
        "-i 2 --channel off",
        "--channel off -i 2",
        "-i 2 -- bun app.ts",
        "-i 2 -- deno run app.ts",
    ] {
        let rules = workers(line, &[]);
        assert!(!rules.channel, "{line}");
        assert_eq!(rules.ready, Readiness::None);
        assert_eq!(rules.stop, StopMode::Signal);
        let rules = workers(&format!("--port-env=PORT {line}"), &["PORT=3000"]);
        assert_eq!(rules.ready, Readiness::Port);
    }
    // With a channel, the worker reports when it listens on its own port.
    let rules = workers("-i 2 --port-env PORT", &["PORT=3000"]);
    assert_eq!(rules.ready, Readiness::Listen);
    // The command is not examined without a channel.
    assert!(!workers("-i 2 --channel off -- npm start", &[]).channel);
}

#[test]
fn every_option_and_its_variable_is_applied() {
    let line = "--instances=2 --channel node --ready notify --ready-timeout 5s --spares 1 --surge 25% --boot first \
                --listen 8080 --listen unix:/run/a.sock --balance source-ip \
                --restart on-failure --backoff 1s..2s --min-uptime 3s --max-restarts 4/5s \
                --grace 10s --stop signal --http-drain 7s --drain-delay 6s --kill-mode process \
                --max-memory 300M --max-age 8h --hang-timeout 9s --unresponsive-after 11s \
                --control /run/b.sock --http 127.0.0.1:9090 --http-page off --instance-var INSTANCE_ID";
    let variables: Vec<String> = line
        .replace("--instances=2", "--instances 2")
        .split_whitespace()
        .collect::<Vec<_>>()
        .chunks(2)
        .filter(|pair| pair[0] != "--listen")
        .map(|pair| {
            let name = pair[0].trim_start_matches('-').to_uppercase();
            format!("PIDONE_{}={}", name.replace('-', "_"), pair[1])
        })
        .chain(["PIDONE_LISTEN=8080, unix:/run/a.sock".to_owned()])
        .collect();
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let said = config(line, &[]);
    let mut by_variables = config("", &variables);
    let own = std::mem::take(&mut by_variables.own_variables);
    assert_eq!(said, by_variables);
    // The variables that a nested pidone would use.
    for name in ["INSTANCES", "CONTROL", "HTTP", "HTTP_DRAIN"] {
        assert!(own.contains(&format!("PIDONE_{name}")), "{own:?}");
    }
    for name in ["GRACE", "LISTEN"] {
        assert!(!own.contains(&format!("PIDONE_{name}")), "{own:?}");
    }
    assert_eq!(said.grace, Some(10 * SECOND));
    let addresses: Vec<_> = said.listen.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["*:8080", "unix:/run/a.sock"]);
    assert_eq!(said.restart.policy, RestartPolicy::OnFailure);
    assert_eq!(said.restart.min_delay, SECOND);
    assert_eq!(said.restart.max_delay, 2 * SECOND);
    assert_eq!(said.restart.min_uptime, 3 * SECOND);
    assert_eq!(
        (said.restart.max_restarts, said.restart.window),
        (4, 5 * SECOND)
    );
    let wanted = WorkerRules {
        instances: Instances::Count(2),
        channel: true,
        port_env: None,
        balance: Balance::SourceIp,
        ready: Readiness::Notify,
        ready_timeout: 5 * SECOND,
        inspector: None,
        boot: Boot::First,
        surge: Surge::Percent(25),
        spares: 1,
        stop: StopMode::Signal,
        kill_mode: KillMode::Process,
        http_drain: Some(7 * SECOND),
        drain_delay: 6 * SECOND,
        max_memory: Some(MemoryLimit::Bytes(300 << 20)),
        max_age: Some(8 * 3600 * SECOND),
        hang_timeout: Some(9 * SECOND),
        unresponsive_after: 11 * SECOND,
    };
    assert_eq!(said.control, Control::Path("/run/b.sock".into()));
    let http = said.http.unwrap().to_string();
    assert_eq!((http.as_str(), said.http_page), ("127.0.0.1:9090", false));
    assert_eq!(said.instance_var.as_deref(), Some("INSTANCE_ID"));
    assert_eq!(said.workers, Some(wanted));
}

#[test]
fn the_order_of_options_does_not_matter_and_the_command_line_wins() {
    let early = config("--grace 5s --restart never -i 2", &["PIDONE_GRACE=9s"]);
    let late = config(
        "-i 2 --restart never --grace 5s",
        &["PIDONE_RESTART=always"],
    );
    assert_eq!(early, late);
    assert_eq!(early.grace, Some(5 * SECOND));
    assert_eq!(early.restart.policy, RestartPolicy::Never);
    let rules = workers("-i 3", &["PIDONE_INSTANCES=auto", "WEB_CONCURRENCY=x"]);
    assert_eq!(rules.instances, Instances::Count(3));
    assert_eq!(config("-i 2 --grace 0", &[]).grace, Some(Duration::ZERO));
}

#[test]
fn single_mode_accepts_sockets_restarts_and_a_grace() {
    let config = config(
        "--listen 80 --restart always --backoff 1s..1s --grace 5s",
        &[],
    );
    assert_eq!(config.workers, None);
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.restart.policy, RestartPolicy::Always);
}

#[test]
fn app_metrics_need_a_page_and_a_channel() {
    let line = "-i 2 --http 9100 --app-metrics";
    assert!(config(line, &[]).app_metrics);
    refused(
        "-i 2 --app-metrics",
        &[],
        &["--app-metrics: ", "add --http ADDR"],
    );
    refused(
        &format!("{line} --channel off"),
        &[],
        &["--app-metrics: ", "--channel off"],
    );
    refused(
        "--http 9100 --app-metrics",
        &[],
        &["--app-metrics: ", "-i N"],
    );
}

#[test]
fn valid_combinations_are_accepted() {
    for line in [
        "-i 2 --channel off --spares 0",
        "-i 2 --channel off --listen 80 --balance shared",
        "-i 2 --channel off --ready notify --ready-timeout 1s",
        "-i 2 --ready none",
        "-i 2 --ready message --stop signal --http-drain 5s",
        "-i 2 --http-drain 23s",
        "-i 2 --restart never --grace 0",
        "-i 1024 --spares 1024",
        "--restart on-failure --max-restarts 0/1s",
        "-i 2 --channel node -- ./start.sh",
    ] {
        read_with(line, &[]).unwrap();
    }
}

#[test]
fn a_worker_that_waits_for_a_debugger_has_no_ready_timeout() {
    let year = 365 * 24 * 3600 * SECOND;
    let line = "-i 2 --ready-timeout 1s -- node --inspect-brk=9500 server.js";
    let rules = workers(line, &[]);
    let inspector = Inspector {
        base: 9500,
        waits: true,
    };
    assert_eq!(
        (rules.ready_timeout, rules.inspector),
        (year, Some(inspector))
    );
    let rules = workers("-i 2", &["NODE_OPTIONS=--inspect-wait"]);
    assert_eq!(rules.ready_timeout, year);
    let rules = workers("-i 2 --ready-timeout 1s -- node --inspect server.js", &[]);
    assert_eq!(rules.ready_timeout, SECOND);
}

#[test]
fn a_shell_that_may_not_exec_is_warned_about() {
    let args = ["-i", "2", "sh", "-c", "node server.js"].map(OsString::from);
    let invocation = read(args.to_vec(), std::iter::empty(), &|_| None).unwrap();
    let Invocation::Run { warnings, .. } = invocation else {
        panic!("{invocation:?}");
    };
    assert!(
        warnings[0].contains("sh -c 'exec node server.js'"),
        "{warnings:?}"
    );
}

#[test]
fn boot_first_needs_a_ready_check() {
    assert_eq!(workers("-i 2 --boot first", &[]).boot, Boot::First);
    assert_eq!(workers("-i 2 --boot all", &[]).boot, Boot::All);
    refused(
        "-i 2 --boot second",
        &[],
        &["--boot", "together, first or all"],
    );
    refused("--boot first", &[], &["--boot", "-i N"]);
    for line in [
        "-i 2 --boot first --ready none",
        "-i 2 --channel off --boot first",
    ] {
        refused(line, &[], &["--boot", "--ready"]);
    }
}

#[test]
fn restarts_that_never_fit_into_the_window_are_warned_about() {
    let warnings = |line: &str| read_with(line, &[]).unwrap().1;
    for line in [
        "-i 2",
        "-i 2 --max-restarts 0/1ms",
        "--restart always --max-restarts 10/60s",
        "-i 2 --max-restarts 1000/1h --min-uptime 1s",
        "-i 2 --max-restarts 1000/60s --backoff 1ms..10ms",
        "-i 2 --max-restarts 1000/60s",
    ] {
        let warned = warnings(line);
        let is_endless = line.ends_with("1000/60s");
        assert_eq!(warned.len(), usize::from(is_endless), "{line}: {warned:?}");
    }
    let warned = warnings("--restart always --max-restarts 30/60s --backoff 1s..5s");
    for part in [
        "never reach 30 restarts in 1 min",
        "1 s to 5 s (--backoff)",
        "at least",
    ] {
        assert!(warned[0].contains(part), "{warned:?}");
    }
}
