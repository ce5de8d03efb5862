//! `--app-metrics`, with the real prom-client.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::admin::AdminEndpoints;
use crate::harness::http::ask;
use crate::harness::net::{connect, fresh_port};
use crate::harness::packages::node_modules;
use crate::harness::processes::{kill, memory, wait_until};
use crate::harness::service::{App, Service};
use crate::harness::{TempDir, is_installed};
use crate::metrics::{promtool, sample};

const MISSING: &str = "pidone_app_metrics_missing_total";

fn app() -> App {
    let directory = TempDir::new();
    directory.file("app.js", include_str!("app-metrics.js"), 0o644);
    let modules = node_modules("tests/operate/packages");
    symlink(modules, directory.path("node_modules")).unwrap();
    App::at(directory, "app.js")
}

/// Two workers of it, once they serve.
#[track_caller]
fn workers(admin: &AdminEndpoints, variables: &[(&str, &str)]) -> Service {
    let mut options = admin.options();
    options.push("--app-metrics".into());
    app()
        .start_with(2, options, |pidone| {
            let set = |pidone: crate::harness::Pidone, (name, value): &(&str, &str)| {
                pidone.env(name, *value)
            };
            variables.iter().fold(pidone, set)
        })
        .ready()
}

/// A page with both workers' metrics: on a busy machine one may be late.
#[track_caller]
fn complete(admin: &AdminEndpoints) -> String {
    let mut missing = 0.0;
    let mut page = String::new();
    wait_until("both have answered", || {
        page = admin.get("/metrics").1;
        let before = std::mem::replace(&mut missing, sample(&page, MISSING));
        missing == before
    });
    page
}

/// What `clusterMetrics()` of Node.js' own primary returns.
#[track_caller]
fn of_nodes_own_primary(variables: &[(&str, &str)]) -> String {
    let port = fresh_port();
    let app = app();
    let script = app.directory.path("app.js");
    let mut own = crate::harness::Pidone::program(["node".as_ref(), script.as_os_str()])
        .env("OWN", "1")
        .env("METRICS_PORT", port.to_string())
        .env("PORT", app.port.to_string());
    for (name, value) in variables {
        own = own.env(name, *value);
    }
    let run = own.start();
    for _ in 0..2 {
        run.expect("up ");
    }
    let page = ask(&mut connect(([127, 0, 0, 1], port)), "/", false);
    page.body().to_owned()
}

/// The app's part of a page: descriptions and samples, labels sorted, with their values.
fn parts(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter(|line| !line.is_empty());
    let own = lines.filter(|line| !line.contains("pidone_"));
    let part = |line: &str| {
        if line.starts_with('#') {
            return (line.to_owned(), String::new());
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        // No label value of the app has this in it.
        let mut labels: Vec<_> = labels
            .split("\",")
            .map(|one| one.trim_end_matches('"'))
            .collect();
        labels.sort_unstable();
        (format!("{name}{labels:?}"), value.to_owned())
    };
    own.map(part).collect()
}

#[test]
fn the_numbers_are_those_of_nodes_own_primary() {
    for package in ["prom-client", "prom-client-14"] {
        let variables = [("PROM_CLIENT", package)];
        let admin = AdminEndpoints::fresh();
        let service = workers(&admin, &variables);
        let page = complete(&admin);
        let own = parts(&of_nodes_own_primary(&variables));
        assert!(own.len() > 70, "{own:?}");
        assert_eq!(parts(&page), own, "{package}");
        service.stop().code(0);
    }
}

#[test]
fn default_metrics_have_their_names_and_types() {
    let variables = [("DEFAULTS", "1")];
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &variables);
    let page = complete(&admin);
    let described = |page: &str| -> Vec<_> {
        let all = parts(page).into_keys();
        all.filter(|line| line.starts_with('#')).collect()
    };
    let own = described(&of_nodes_own_primary(&variables));
    let is_default = |line: &&String| line.contains(" process_") || line.contains(" nodejs_");
    assert!(own.iter().filter(is_default).count() > 50, "{own:?}");
    assert_eq!(described(&page), own);
    service.stop().code(0);
}

#[test]
fn prometheus_takes_the_app_s_metrics_in_both_formats() {
    let test = "prometheus_takes_the_app_s_metrics_in_both_formats";
    if !is_installed(test, "promtool", "prometheus") {
        return;
    }
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &[]);
    let text = complete(&admin);
    let check = promtool(&["check", "metrics"], &text);
    // 3: it read all, and does not like the app's name for a counter.
    let complaints = String::from_utf8(check.stderr).unwrap();
    assert_eq!(check.status.code(), Some(3), "{complaints}");
    assert_eq!(
        complaints.trim(),
        "app_hits counter metrics should have \"_total\" suffix"
    );
    crate::metrics::check_openmetrics(&admin);
    service.stop().code(0);
}

#[test]
fn a_worker_that_does_not_answer_is_left_out_in_time() {
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &[]);
    let victim = *service.workers().iter().next().unwrap();
    kill(victim, libc::SIGUSR2);
    service.after("stuck");
    // Scrapes at the same time share one question.
    let scrapes = thread::scope(|scope| {
        let scrape = || {
            let begin = Instant::now();
            (admin.get("/metrics").1, begin.elapsed())
        };
        let all: Vec<_> = (0..5).map(|_| scope.spawn(scrape)).collect();
        all.into_iter()
            .map(|one| one.join().unwrap())
            .collect::<Vec<_>>()
    });
    for (page, took) in &scrapes {
        assert_eq!(sample(page, MISSING), 1.0);
        assert_eq!(sample(page, "app_hits "), 2.0);
        assert!(*took < Duration::from_secs(10), "{took:?}");
    }
    assert!(
        scrapes
            .iter()
            .any(|(_, took)| *took >= Duration::from_millis(800))
    );
    // It is not asked again, and nobody waits for it.
    let (_, page) = admin.get("/metrics");
    assert_eq!(sample(&page, MISSING), 2.0);
    service.app.directory.file("release", "", 0o644);
    let mut last = String::new();
    wait_until("both answer again", || {
        last = admin.get("/metrics").1;
        last.contains("app_hits 4\n")
    });
    let end = service.stop();
    end.code(0);
    assert_eq!(end.stderr.matches("sent no metrics within 1 s").count(), 1);
}

#[test]
fn an_app_without_a_registry_is_asked_once() {
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &[("NO_REGISTRY", "1")]);
    for scrape in 1..=5 {
        let (status, page) = admin.get("/metrics");
        assert_eq!(status, 200);
        assert_eq!(sample(&page, MISSING), 2.0 * f64::from(scrape));
        assert!(!page.contains("app_hits"), "{page}");
    }
    let end = service.stop();
    end.code(0);
    // Its other listeners get the question, as they would from Node.js' own primary.
    assert_eq!(end.text().matches("asked").count(), 2, "{end:?}");
}

#[test]
fn memory_for_a_large_registry_is_released_after_the_scrape() {
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &[("MANY", "10000")]);
    let before = memory(service.run.pid(), "RssAnon");
    for _ in 0..3 {
        let page = complete(&admin);
        assert_eq!(sample(&page, "app_many{number=\"7777\""), 2.0 * 7777.0);
    }
    wait_until("the memory is released", || {
        memory(service.run.pid(), "RssAnon") < before + 1024
    });
    service.stop().code(0);
}

#[test]
fn an_answer_that_is_too_long_is_left_out() {
    let admin = AdminEndpoints::fresh();
    let service = workers(&admin, &[("MANY", "50000")]);
    let (status, page) = admin.get("/metrics");
    assert_eq!(status, 200);
    assert_eq!(sample(&page, MISSING), 2.0);
    assert!(!page.contains("app_many"), "{page}");
    service.stop().code(0);
}
