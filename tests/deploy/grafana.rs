//! examples/prometheus: the dashboard and the recording rules, answered by a real Prometheus that scrapes workers
//! under load.

use std::process::Command;

use crate::harness::cgroup::Group;
use crate::harness::net::fresh_port;
use crate::harness::service::{App, PLAIN};
use crate::harness::{is_installed, processes};
use crate::prometheus::{HOME, PACKAGE, Prometheus};
use crate::{example, text};

const DASHBOARD: &str = "prometheus/grafana.json";

/// Writes each query of a dashboard as a line: its place, a tab, itself.
const QUERIES: &str = r"
    const dashboard = JSON.parse(require('fs').readFileSync(process.argv[1]));
    const say = (place, query) => console.log(`${place}\t${query}`);
    for (const { title, targets } of dashboard.panels) {
        for (const { refId, expr } of targets ?? []) say(`${title}, ${refId}`, expr);
    }
    for (const { name, expr } of dashboard.annotations.list) say(name, expr);
    for (const { name, definition } of dashboard.templating.list) {
        const [, series, label] = definition?.match(/^label_values\((.*), (\w+)\)$/) ?? [];
        if (series) say(name, `group by (${label}) (${series})`);
    }
";

/// Writes what is wrong with a dashboard, as Grafana 10 and newer read it without a plugin.
const PROBLEMS: &str = r"
    const dashboard = JSON.parse(require('fs').readFileSync(process.argv[1]));
    const check = (is, what) => is || console.log(what);
    check(dashboard.schemaVersion >= 38, 'it is for an older Grafana');
    check(dashboard.title, 'it has no name');
    check(/^[\w-]{8,40}$/.test(dashboard.uid), 'its uid is none');
    check(!JSON.stringify(dashboard).includes('__inputs'), 'it cannot be provisioned');
    const variables = dashboard.templating.list.map(({ name }) => name);
    check(new Set(variables).size === variables.length, 'a variable exists twice');
    const source = { type: 'prometheus', uid: '${datasource}' };
    const isOurs = (thing) => JSON.stringify(thing.datasource) === JSON.stringify(source);
    const known = new Set([...variables, '__rate_interval', '__range', '__all']);
    for (const [, name] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g)) {
        check(known.has(name), `there is no variable ${name}`);
    }
    for (const annotation of dashboard.annotations.list) {
        check(isOurs(annotation), `${annotation.name}: another data source`);
    }
    for (const variable of dashboard.templating.list) {
        check(variable.type === 'datasource' || isOurs(variable), `${variable.name}: another data source`);
    }
    const taken = new Map();
    const ids = new Set();
    for (const panel of dashboard.panels) {
        const say = (is, what) => check(is, `${panel.title}: ${what}`);
        const { x, y, w, h } = panel.gridPos;
        say(!ids.has(panel.id), 'its id exists twice');
        ids.add(panel.id);
        say(x >= 0 && x + w <= 24, 'it is outside of the grid');
        for (let i = x; i < x + w; i++) {
            for (let j = y; j < y + h; j++) {
                say(!taken.has(`${i},${j}`), `it is on top of ${taken.get(`${i},${j}`)}`);
                taken.set(`${i},${j}`, panel.title);
            }
        }
        say(['row', 'stat', 'timeseries'].includes(panel.type), `${panel.type} may be a plugin`);
        if (panel.type === 'row') continue;
        say(isOurs(panel) && panel.targets.every(isOurs), 'another data source');
        say(panel.description, 'it is not explained');
        const refs = panel.targets.map(({ refId }) => refId);
        say(refs.length && new Set(refs).size === refs.length, 'its queries have no names of their own');
        for (const { expr, legendFormat } of panel.targets) {
            say(legendFormat, 'a query has no legend');
            say(expr.includes('{job=~\u0022$job\u0022, instance=~\u0022$instance\u0022'), 'a query has not the variables');
        }
        for (const { matcher } of panel.fieldConfig.overrides) {
            const names = { byFrameRefID: refs, byName: [matcher.options] }[matcher.id];
            say(names?.includes(matcher.options), `nothing is ${matcher.options}`);
        }
    }
";

/// What a Node.js program says about the dashboard, line by line.
#[track_caller]
fn said(program: &str) -> Vec<String> {
    let end = Command::new("node")
        .args(["-e", program])
        .arg(example(DASHBOARD))
        .output()
        .unwrap();
    assert!(end.status.success(), "{end:?}");
    let lines = String::from_utf8(end.stdout).unwrap();
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn grafana_can_show_the_dashboard() {
    assert_eq!(said(PROBLEMS), [""; 0]);
}

/// The queries of the dashboard, with its variables as Grafana replaces them, and the recorded series.
fn queries() -> Vec<(String, String)> {
    let dashboard = said(QUERIES).into_iter().map(|line| {
        let (place, query) = line.split_once('\t').unwrap();
        let mut query = query.to_owned();
        for (variable, value) in [
            ("$job", "web"),
            ("$instance", ".+"),
            ("$__rate_interval", "1m"),
            ("$__range", "1m"),
        ] {
            query = query.replace(variable, value);
        }
        assert!(!query.contains('$'), "{query}");
        (place.to_owned(), query)
    });
    let rules = text("prometheus/recording.yml");
    let recorded = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .map(|name| ("recorded".to_owned(), name.to_owned()));
    dashboard.chain(recorded).collect()
}

#[test]
fn every_query_has_an_answer_under_load() {
    let test = "every_query_has_an_answer_under_load";
    if !is_installed(test, "prometheus", PACKAGE) {
        return;
    }
    // So that there is a limit to show.
    let group = Group::new(test, "memory");
    let http = fresh_port();
    let target = format!("{HOME}:{http}");
    let options = [
        "-i",
        "2",
        "--http",
        &target,
        "--backoff",
        "10ms..10ms",
        "--max-memory",
        "2G",
    ];
    let service = App::named(PLAIN).start_as(2, options, |pidone| match &group {
        Some(group) => {
            group.set_memory(4 << 30);
            pidone.under(group.wrapper(""))
        }
        None => pidone,
    });
    let service = service.ready();
    let prometheus = Prometheus::start("prometheus/prometheus.yml", &[("web:9100", &target)]);
    let load = service.load().rate(200).start();
    prometheus.until("pidone_worker_exits_total or pidone_ready", &[&target]);
    processes::kill(*service.workers().first().unwrap(), libc::SIGKILL);
    service.up(1);
    service.reload();

    let queries = queries();
    assert!(queries.len() > 30, "{queries:?}");
    for (place, query) in queries {
        // Neither has the recorded share of it.
        let needs_limit = ["memory_limit", "container_memory:"];
        if group.is_none() && needs_limit.iter().any(|name| query.contains(name)) {
            continue;
        }
        prometheus.until_any(&place, &query);
    }
    // They show what has happened, and not only zeros.
    for query in [
        r#"sum(increase(pidone_restarts_total{cause="exit"}[1m])) > 0"#,
        r#"pidone_worker_exits_total{signal="SIGKILL"} > 0"#,
        r#"sum(increase(pidone_reloads_total{result="success"}[1m])) > 0"#,
        "instance:pidone_worker_cpu_seconds:rate5m > 0",
        "instance:pidone_worker_boot_duration_seconds:mean1h > 0",
    ] {
        prometheus.until_any("in this test", query);
    }
    load.stop();
    prometheus.rules_are_healthy();
    prometheus.stop();
    service.stop().code(0);
}
