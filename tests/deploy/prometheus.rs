//! examples/prometheus: what promtool says of it, and a real Prometheus with it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::http::ask;
use crate::harness::net::{connect, fresh_port};
use crate::harness::packages::node_modules;
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{Pidone, Run, TempDir, is_installed, processes};
use crate::{example, text};

pub const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
pub const PACKAGE: &str = "prometheus";

/// Alerts and recording rules.
const RULES: [&str; 2] = ["rules", "recording"];

/// Rules with their tests, after a change.
fn rules_pass(name: &str, change: impl Fn(&str) -> String) -> bool {
    let directory = TempDir::new();
    let file = |name: &str, change: &dyn Fn(&str) -> String| {
        let name = format!("{name}.yml");
        directory.file(&name, &change(&text(&format!("prometheus/{name}"))), 0o644)
    };
    file(name, &change);
    let tests = file(&format!("{name}_test"), &str::to_owned);
    let end = Command::new("promtool")
        .args(["test", "rules"])
        .arg(tests)
        .output()
        .unwrap();
    end.status.success()
}

#[test]
fn the_configuration_is_one() {
    if !is_installed("the_configuration_is_one", "promtool", PACKAGE) {
        return;
    }
    let mut check = Command::new("promtool");
    check
        .args(["check", "config"])
        .arg(example("prometheus/prometheus.yml"));
    let end = check.output().unwrap();
    assert!(end.status.success(), "{end:?}");
    let said = String::from_utf8_lossy(&end.stdout);
    assert!(said.contains("rules found"), "{said}");
}

#[test]
fn each_alert_and_each_recording_rule_is_tested() {
    let test = "each_alert_and_each_recording_rule_is_tested";
    if !is_installed(test, "promtool", PACKAGE) {
        return;
    }
    for file in RULES {
        assert!(rules_pass(file, str::to_owned), "{file}");
        let rules = text(&format!("prometheus/{file}.yml"));
        let names: Vec<_> = rules
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("- alert: ") || line.starts_with("- record: "))
            .collect();
        assert!(names.len() > 3, "{names:?}");
        for name in names {
            // A name that another rule may use must stay.
            let is_missed = !rules_pass(file, |rules| {
                rules.replace(&format!("{name}\n"), &format!("{name}_other\n"))
            });
            assert!(is_missed, "no test notices that {name} is gone");
        }
    }
}

#[test]
fn rules_and_dashboard_use_metrics_that_exist() {
    let manual = text("../docs/observability.md");
    for file in ["rules.yml", "recording.yml", "grafana.json"] {
        let content = text(&format!("prometheus/{file}"));
        let words = content.split(|c: char| !(c.is_ascii_lowercase() || "_:".contains(c)));
        // With a colon: the name of a recording rule.
        let names = words.filter(|word| word.starts_with("pidone_") && !word.contains(':'));
        let names: Vec<_> = names.collect();
        assert!(names.len() > 4, "{file}: {names:?}");
        for name in names {
            let name = name.trim_end_matches("_sum").trim_end_matches("_count");
            let row = [format!("`{name}`"), format!("`{name}{{")];
            assert!(row.iter().any(|start| manual.contains(start)), "{name}");
        }
    }
}

/// A Prometheus that has scraped, and its port.
pub struct Prometheus {
    run: Run,
    port: u16,
    _directory: TempDir,
}

impl Prometheus {
    /// With an example's configuration, after a change.
    pub fn start(name: &str, changes: &[(&str, &str)]) -> Self {
        let directory = TempDir::new();
        for rules in RULES {
            let name = format!("{rules}.yml");
            directory.file(&name, &text(&format!("prometheus/{name}")), 0o644);
        }
        let mut config = text(name);
        for (from, to) in [&[("15s", "1s")], changes].concat() {
            assert!(config.contains(from), "{from} in {name}");
            config = config.replace(from, to);
        }
        let config = directory.file("prometheus.yml", &config, 0o644);
        let port = fresh_port();
        let run = Pidone::program([
            "prometheus".to_owned(),
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", directory.path("data").display()),
            format!("--web.listen-address={HOME}:{port}"),
        ])
        .start();
        let prometheus = Self {
            run,
            port,
            _directory: directory,
        };
        processes::wait_until("Prometheus is ready", || {
            TcpStream::connect((HOME, port)).is_ok() && prometheus.get("/-/ready").0 == 200
        });
        prometheus
    }

    #[track_caller]
    fn get(&self, path: &str) -> (u16, String) {
        let response = ask(&mut connect((HOME, self.port)), path, false);
        (response.status(), response.body().to_owned())
    }

    /// Waits until the answer to a query has all of this in it; a page of JSON.
    #[track_caller]
    pub fn until(&self, query: &str, wanted: &[&str]) -> String {
        self.until_answer(query, &format!("{query} has {wanted:?}"), |answer| {
            wanted.iter().all(|part| answer.contains(part))
        })
    }

    /// Waits until a query has values, and only numbers.
    #[track_caller]
    pub fn until_any(&self, place: &str, query: &str) {
        self.until_answer(query, &format!("{place}: {query} has values"), |answer| {
            let is_number = !["NaN", "Inf"].iter().any(|other| answer.contains(other));
            is_number && answer.contains(r#""value":["#)
        });
    }

    #[track_caller]
    fn until_answer(&self, query: &str, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let escaped = query.bytes().map(|byte| format!("%{byte:02X}"));
        let path = format!("/api/v1/query?query={}", escaped.collect::<String>());
        let mut answer = String::new();
        processes::wait_until(what, || {
            let (status, body) = self.get(&path);
            assert_eq!(status, 200, "{query}: {body}");
            answer = body;
            is_it(&answer)
        });
        answer
    }

    /// Each rule has been evaluated without an error.
    #[track_caller]
    pub fn rules_are_healthy(&self) {
        // HTTP/1.0 has no chunks.
        let mut stream = connect((HOME, self.port));
        stream
            .write_all(b"GET /api/v1/rules HTTP/1.0\r\n\r\n")
            .unwrap();
        let mut rules = String::new();
        stream.read_to_string(&mut rules).unwrap();
        let all = RULES.map(|file| {
            text(&format!("prometheus/{file}.yml"))
                .matches("expr:")
                .count()
        });
        let count = rules.matches(r#""health":"ok""#).count();
        assert_eq!(count, all.iter().sum(), "{rules}");
    }

    #[track_caller]
    pub fn stop(self) {
        processes::kill(self.run.outer_pid(), libc::SIGTERM);
        self.run.end().code(0);
    }
}

/// Two workers, and the port of pidone's pages.
fn workers() -> (Service, u16) {
    let http = fresh_port();
    let address = format!("{HOME}:{http}");
    let options = ["--http", &address, "--backoff", "10ms..10ms"];
    (App::named(PLAIN).workers(2, options).ready(), http)
}

#[test]
fn prometheus_scrapes_the_workers_and_an_alert_fires() {
    let test = "prometheus_scrapes_the_workers_and_an_alert_fires";
    if !is_installed(test, "prometheus", PACKAGE) {
        return;
    }
    let (service, http) = workers();
    let target = format!("{HOME}:{http}");
    let prometheus = Prometheus::start("prometheus/prometheus.yml", &[("web:9100", &target)]);

    // The event loops are asked at the first look, so this is what comes of the second.
    let of_both = [r#""slot":"0""#, r#""slot":"1""#];
    let delays = "pidone_worker_event_loop_delay_seconds < 30";
    let answer = prometheus.until(delays, &of_both);
    for label in [
        r#""job":"web""#,
        r#""app_instance":"1""#,
        &format!(r#""instance":"{target}""#),
    ] {
        assert!(answer.contains(label), "{label} in {answer}");
    }
    prometheus.until("pidone_worker_resident_memory_bytes > 1e7", &of_both);
    prometheus.until(r#"pidone_worker_state{state="ready"} == 1"#, &of_both);
    prometheus.until("pidone_ready == pidone_target_workers - 1", &[&target]);

    for _ in 0..5 {
        let victim = *service.workers().first().unwrap();
        processes::kill(victim, libc::SIGKILL);
        service.up(1);
    }
    prometheus.until(
        r#"ALERTS{alertstate="firing"}"#,
        &["PidoneWorkersRestart", r#""severity":"warning""#],
    );
    prometheus.stop();
    service.stop().code(0);
}

#[test]
fn prometheus_scrapes_the_app_s_own_metrics() {
    let test = "prometheus_scrapes_the_app_s_own_metrics";
    if !is_installed(test, "prometheus", PACKAGE) {
        return;
    }
    let directory = TempDir::new();
    let script = include_str!("../operate/app-metrics.js");
    directory.file("app.js", script, 0o644);
    let modules = node_modules("tests/operate/packages");
    symlink(modules, directory.path("node_modules")).unwrap();
    let target = format!("{HOME}:{}", fresh_port());
    let options = ["--http", &target, "--app-metrics"];
    let service = App::at(directory, "app.js").workers(2, options).ready();
    let prometheus = Prometheus::start("prometheus/prometheus.yml", &[("web:9100", &target)]);
    for query in [
        "app_hits == 4",
        "app_requests_total{code=\"200\"} == 7",
        "app_latency_seconds_bucket{method=\"GET\",le=\"+Inf\"} == 100",
        "app_size_bytes_count{method=\"GET\"} == 100",
    ] {
        prometheus.until(query, &[&target]);
    }
    prometheus.stop();
    service.stop().code(0);
}

/// With what the cluster would tell of three ports of two pods; Debian's Prometheus cannot ask one.
#[test]
fn of_a_cluster_the_ports_with_metrics_are_found() {
    let test = "of_a_cluster_the_ports_with_metrics_are_found";
    if !is_installed(test, "prometheus", PACKAGE) {
        return;
    }
    let (service, http) = workers();
    let port = |number: u16, scrape: &str, declared: u16| {
        format!(
            "      - targets: [\"{HOME}:{number}\"]
        labels:
          __meta_kubernetes_pod_annotation_prometheus_io_scrape: \"{scrape}\"
          __meta_kubernetes_pod_annotation_prometheus_io_port: \"{http}\"
          __meta_kubernetes_pod_container_port_number: \"{declared}\"
          __meta_kubernetes_namespace: shop
          __meta_kubernetes_pod_name: web-{number}\n"
        )
    };
    let told = [
        port(service.app.port, "true", service.app.port),
        port(http, "true", http),
        port(fresh_port(), "", http),
    ];
    let told = format!("static_configs:\n{}", told.concat());
    let asked = "kubernetes_sd_configs:\n      - role: pod\n";
    let prometheus = Prometheus::start("prometheus/kubernetes.yml", &[(asked, &told)]);
    let name = format!(r#""pod":"web-{http}""#);
    prometheus.until("pidone_ready == 1", &[&name, r#""namespace":"shop""#]);
    let (status, targets) = prometheus.get("/api/v1/targets?state=active");
    assert_eq!(status, 200);
    assert_eq!(targets.matches("\"scrapeUrl\"").count(), 1, "{targets}");
    prometheus.stop();
    service.stop().code(0);
}
