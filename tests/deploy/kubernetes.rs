//! examples/kubernetes: what Kubernetes' schema says of it, and pidone with what is in it. The kubelet's
//! part, its probes and its end of a pod, is the test's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::harness::http::ask;
use crate::harness::load::{Answer, Failure, Kind, Plan};
use crate::harness::markdown::Page;
use crate::harness::net::{connect, fresh_port};
use crate::harness::service::{App, PLAIN};
use crate::harness::{processes, words};
use crate::manifest::{Manifest, Tools};
use crate::{example, shows_lines_of, text};

const FILE: &str = "kubernetes/web.yaml";
const POD: &str = "Deployment.spec.template.spec";
const CONTAINER: &str = "Deployment.spec.template.spec.containers.0";
const VERSIONS: [&str; 2] = ["1.28", "1.37"];

#[test]
fn kubernetes_takes_the_manifest() {
    let Some(tools) = Tools::here("kubernetes_takes_the_manifest") else {
        return;
    };
    for version in VERSIONS {
        let end = tools.validate(&text(FILE), version);
        assert!(end.status.success(), "{end:?}");
        let said = String::from_utf8_lossy(&end.stdout).into_owned();
        for name in ["deployment", "service", "poddisruptionbudget"] {
            assert!(said.contains(name), "{name}: {said}");
        }
        for (right, wrong) in [
            ("containerPort: 3000", "containerPorts: 3000"),
            ("periodSeconds: 2", "periodSeconds: 2s"),
            ("drop: [ALL]", "drop: ALL"),
            ("image: web:1", "imagine: web:1"),
        ] {
            let broken = text(FILE).replace(right, wrong);
            assert_ne!(broken, text(FILE), "{right}");
            let end = tools.validate(&broken, version);
            assert!(!end.status.success(), "{wrong}: {end:?}");
        }
    }
}

/// The container's limit and what `--max-memory` takes of it, in MiB.
fn memory(web: &Manifest, env: &BTreeMap<&str, &str>) -> [u64; 2] {
    let limit = web.get(&format!("{CONTAINER}.resources.limits.memory"));
    let limit: u64 = limit.strip_suffix("Gi").unwrap().parse().unwrap();
    let share: u64 = env["PIDONE_MAX_MEMORY"]
        .strip_suffix('%')
        .unwrap()
        .parse()
        .unwrap();
    [limit * 1024, limit * 1024 * share / 100]
}

/// The blocks of the manual's page about Kubernetes that are YAML.
fn shown() -> Vec<String> {
    let page = Page::read("docs/kubernetes.md");
    page.blocks_in("yaml").map(str::to_owned).collect()
}

#[test]
fn the_manual_shows_lines_of_the_manifest() {
    shows_lines_of(shown()[0].lines(), FILE);
}

#[test]
fn kubernetes_takes_what_the_manual_shows() {
    let Some(tools) = Tools::here("kubernetes_takes_what_the_manual_shows") else {
        return;
    };
    let blocks = shown();
    let objects = blocks
        .iter()
        .filter(|block| block.starts_with("apiVersion: "));
    let mut objects: Vec<_> = objects.cloned().collect();
    assert_eq!(objects.len(), 2, "{objects:?}");
    let autoscaler = objects.iter_mut().find(|it| it.contains("\n  metrics:\n"));
    let metric = blocks.iter().find(|block| block.contains("type: Pods"));
    autoscaler.unwrap().push_str(metric.unwrap());
    // ContainerResource is stable since 1.30.
    for object in objects {
        let end = tools.validate(&object, VERSIONS[1]);
        assert!(end.status.success(), "{end:?}\n{object}");
    }
}

fn seconds(time: &str) -> u64 {
    time.strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn what_belongs_together_in_the_manifest_agrees() {
    let Some(tools) = Tools::here("what_belongs_together_in_the_manifest_agrees") else {
        return;
    };
    let web = tools.read(&example(FILE));
    let env = web.pairs(&format!("{CONTAINER}.env"), ".value");
    let ports = web.pairs(&format!("{CONTAINER}.ports"), ".containerPort");
    let [delay, drain, grace] =
        ["DRAIN_DELAY", "HTTP_DRAIN", "GRACE"].map(|name| seconds(env[&*format!("PIDONE_{name}")]));
    // Both begin with the stop, and the grace period when both are over (docs/reload-and-stop.md).
    let needed = delay.max(drain) + grace;
    let given = web.number(&format!("{POD}.terminationGracePeriodSeconds"));
    assert!(u64::from(given) > needed, "{given} for {needed}");
    // The workers, a successor, and one that drains.
    let workers = u64::from(web.number(&format!("{CONTAINER}.resources.limits.cpu"))) + 2;
    let [limit, worker] = memory(&web, &env);
    assert!(
        limit >= workers * worker,
        "{limit} for {workers} x {worker}"
    );
    let heap = env["NODE_OPTIONS"].strip_prefix("--max-old-space-size=");
    let heap: u64 = heap.unwrap().parse().unwrap();
    assert!(heap < worker, "{heap} of {worker}");
    assert_eq!(env["PORT"], ports["http"]);
    assert_eq!(env["PIDONE_HTTP"], ports["pidone"]);
    let annotations = "Deployment.spec.template.metadata.annotations.prometheus.io";
    assert_eq!(web.get(&format!("{annotations}/port")), ports["pidone"]);
    assert_eq!(web.get("Service.spec.ports.0.targetPort"), "http");
    let labels = web.get("Deployment.spec.template.metadata.labels.app");
    for selector in [
        "Deployment.spec.selector.matchLabels.app",
        "PodDisruptionBudget.spec.selector.matchLabels.app",
        "Service.spec.selector.app",
    ] {
        assert_eq!(web.get(selector), labels, "{selector}");
    }
}

/// One of the kubelet's probes.
struct Probe {
    path: String,
    port: u16,
}

impl Probe {
    #[track_caller]
    fn of(web: &Manifest, name: &str, port: u16) -> Self {
        let place = format!("{CONTAINER}.{name}.httpGet");
        assert_eq!(web.get(&format!("{place}.port")), "pidone");
        let path = web.get(&format!("{place}.path")).to_owned();
        Self { path, port }
    }

    /// "Any code greater than or equal to 200 and less than 400 indicates success."
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/>
    #[track_caller]
    fn succeeds(&self) -> bool {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        TcpStream::connect(address).is_ok()
            && (200..400).contains(&ask(&mut connect(address), &self.path, false).status())
    }
}

#[test]
fn a_pod_of_the_manifest_starts_serves_and_ends_without_a_loss() {
    let test = "a_pod_of_the_manifest_starts_serves_and_ends_without_a_loss";
    let Some(tools) = Tools::here(test) else {
        return;
    };
    let web = tools.read(&example(FILE));
    let app = App::named(PLAIN);
    app.directory
        .file("server.js", "require('./plain.js')", 0o644);
    let (port, http) = (app.port, fresh_port());
    // As it is, but for the two ports.
    let mut env = web.pairs(&format!("{CONTAINER}.env"), ".value");
    let own = [port, http].map(|port| port.to_string());
    env.extend([("PORT", &*own[0]), ("PIDONE_HTTP", &*own[1])]);
    // These stand for the limits that Kubernetes makes of them.
    let [_, max_memory] = memory(&web, &env);
    let max_memory = format!("{max_memory}M");
    env.insert("PIDONE_MAX_MEMORY", &max_memory);
    let limit = format!("{CONTAINER}.resources.limits.cpu");
    env.insert("WEB_CONCURRENCY", web.get(&limit));
    let cpus = web.number(&limit);
    let args = web.list(&format!("{CONTAINER}.args"), "");
    let pod = app
        .command_line(args)
        .start_as(cpus.into(), [""; 0], |pidone| {
            env.iter()
                .fold(pidone, |pidone, (name, value)| pidone.env(name, value))
        });

    let probe = |name| Probe::of(&web, name, http);
    let [startup, readiness, liveness] =
        ["startupProbe", "readinessProbe", "livenessProbe"].map(probe);
    processes::wait_until("the startup probe succeeds", || startup.succeeds());
    assert_eq!(pod.workers().len(), usize::from(cpus));
    assert!(readiness.succeeds() && liveness.succeeds());

    // Clients as a load balancer: they keep connections, so many that each worker has some, and go
    // on until nobody is there.
    let plan = Plan::of(port).rate(200).slow(Duration::from_millis(100));
    let load = plan.keep_alive(32).start();
    load.until_answered_by(cpus.into());

    let told = Instant::now();
    pod.run.signal(libc::SIGTERM);
    processes::wait_until("the readiness probe fails", || !readiness.succeeds());
    let unready = Instant::now();
    assert!(liveness.succeeds());
    pod.run.until_stderr(words::STOPPING);
    let end = pod.run.end();
    let took = told.elapsed();
    end.code(0);
    let patience = web.number(&format!("{POD}.terminationGracePeriodSeconds"));
    assert!(took < Duration::from_secs(patience.into()), "{took:?}");

    // Whoever came within the delay was served, and at the end somebody came too late.
    let delay = Duration::from_secs(seconds(env["PIDONE_DRAIN_DELAY"]));
    let is_late =
        |one: &Failure| !one.established && one.kind == Kind::Refused && one.at >= told + delay;
    processes::wait_until("somebody comes too late", || {
        load.report().failures.iter().any(is_late)
    });
    let report = load.stop();
    report.only_failures("refused after the delay", is_late);
    let is_newcomer = |one: &&Answer| one.asked > unready && one.reused == 0;
    let new_connections = report.answers.iter().filter(is_newcomer).count();
    assert!(new_connections > 0, "{report}");
}
