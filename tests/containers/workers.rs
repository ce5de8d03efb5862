//! N workers in a container: nothing is lost, whatever the container's walls are made of.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::docker::{Container, docker, images};
use crate::harness::load::{Answer, Failure, Kind, Plan};
use crate::harness::net::{accepted, fresh_port};
use crate::harness::{alone, processes, words};

/// Restarts at once, however often.
const AT_ONCE: [&str; 2] = ["PIDONE_BACKOFF=10ms..10ms", "PIDONE_MAX_RESTARTS=100/60s"];

/// A container whose command is an app of the harness, and the port it listens on.
struct Service {
    container: Container,
    port: u16,
}

impl Service {
    /// `settings` are variables, `options` those of `docker run`.
    #[track_caller]
    fn start(app: &str, settings: &[&str], options: &[&str]) -> Self {
        let port = fresh_port();
        let given = format!("PORT={port}");
        let mut all = vec!["--network=host", "-e", &given];
        all.extend(options);
        all.extend(settings.iter().flat_map(|setting| ["-e", setting]));
        let container = Container::start(&all, &images().workers, &["node", app]);
        Self { container, port }
    }

    /// Waits until all serve.
    #[track_caller]
    fn ready(self) -> Self {
        self.container.said(words::READY, 1);
        self
    }

    /// pidone's children: the process id in the container, and on the machine.
    #[track_caller]
    fn workers(&self) -> BTreeMap<i32, i32> {
        let children = processes::children(self.container.init());
        let alive = |pid: &i32| processes::state(*pid).is_some_and(|state| state != 'Z');
        let inside = |pid: i32| {
            let all = processes::status(pid, "NSpid");
            all.split_whitespace().last().unwrap().parse().unwrap()
        };
        let alive = children.into_iter().filter(alive);
        alive.map(|pid| (inside(pid), pid)).collect()
    }

    #[track_caller]
    fn reload(&self, times: usize) {
        docker(&["kill", "-s", "HUP", &self.container.id]);
        self.container.said(words::RELOADED, times);
    }

    /// kill -9, by `docker exec` as somebody in the container would, or from outside.
    #[track_caller]
    fn kill(&self, worker: (i32, i32), from_inside: bool) -> Death {
        let (pid, outer) = (worker.0, Pid::from_raw(worker.1));
        // Stopped first: what it has accepted by then is known exactly.
        kill(outer, Signal::SIGSTOP).unwrap();
        processes::wait_until("it is stopped", || {
            processes::state(outer.as_raw()) == Some('T')
        });
        let inside = accepted(outer.as_raw(), self.port);
        let stopped = Instant::now();
        if from_inside {
            let script = format!("process.kill({pid}, 'SIGKILL')");
            docker(&["exec", &self.container.id, "node", "-e", &script]);
        } else {
            kill(outer, Signal::SIGKILL).unwrap();
        }
        self.container.said(&words::killed(pid), 1);
        Death { stopped, inside }
    }
}

/// A worker that was killed, and the connections that were inside it.
struct Death {
    stopped: Instant,
    inside: HashSet<u16>,
}

impl Death {
    /// Whether this was lost with it: a request that it had accepted, or one on a connection that it
    /// had kept.
    fn explains(&self, failure: &Failure) -> bool {
        let was_inside = failure.established && self.inside.contains(&failure.port);
        was_inside && (failure.reused > 0 || failure.asked <= self.stopped)
    }
}

/// Who gave most of the answers.
fn busiest(answers: &[Answer]) -> i32 {
    let mut counts = BTreeMap::<_, usize>::new();
    for answer in answers {
        *counts.entry(answer.pid).or_default() += 1;
    }
    *counts.iter().max_by_key(|(_, count)| **count).unwrap().0
}

/// Reloads, deaths and the end of 4 workers of an unchanged Fastify app without any handler, under
/// a load of 1,000 requests a second.
#[track_caller]
fn nothing_is_lost(settings: &[&str], adjust: impl Fn(Plan) -> Plan, rounds: usize) {
    let _alone = alone();
    let settings: Vec<_> = [&["PIDONE_INSTANCES=4"], &AT_ONCE[..], settings].concat();
    let service = Service::start("fastify.js", &settings, &[]).ready();
    let load = adjust(Plan::of(service.port)).start();
    load.until_answered(500);
    let mut booted = 4;
    let mut deaths = Vec::new();
    for round in 1..=rounds {
        let old = service.workers();
        service.reload(round);
        booted += 4;
        let new = service.workers();
        assert!(new.len() == 4 && new.keys().all(|pid| !old.contains_key(pid)));
        for from_inside in [true, false] {
            let victim = busiest(&load.next(500));
            deaths.push(service.kill((victim, service.workers()[&victim]), from_inside));
            booted += 1;
            service.container.lines("up ", booted);
            load.until_answered(500);
        }
    }
    assert_eq!(service.workers().len(), 4);
    let status = service.container.stop("3600");
    let (_, stderr) = service.container.logs();
    assert_eq!(status, 0, "{stderr}");
    let report = load.stop();
    let is_late = |failure: &Failure| !failure.established && failure.kind == Kind::Refused;
    report.only_failures("inside a killed worker, or refused after the stop", |one| {
        is_late(one) || deaths.iter().any(|death| death.explains(one))
    });
    // The load went on until the end and after it.
    assert!(report.failures.iter().any(is_late), "{report}");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn nothing_is_lost_on_new_connections() {
    nothing_is_lost(&[], |plan| plan, 3);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn requests_in_flight_are_answered() {
    nothing_is_lost(&[], |plan| plan.slow(Duration::from_millis(200)), 1);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn nothing_is_lost_on_kept_connections_with_http_drain() {
    nothing_is_lost(&["PIDONE_HTTP_DRAIN=2s"], |plan| plan.keep_alive(64), 1);
}

/// As many workers as the container's share of the processors, which here is less than there are.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn auto_is_what_the_container_may_use() {
    let all = thread::available_parallelism().unwrap().get();
    for (options, expected) in [
        (&[][..], all),
        (&["--cpus=1"], 1),
        (&["--cpus=0.5"], 1),
        (&["--cpus=2"], all.min(2)),
        (&["--cpuset-cpus=0"], 1),
        (&["--cpus=1", "-e", "WEB_CONCURRENCY=3"], 3),
    ] {
        let service = Service::start("plain.js", &["PIDONE_INSTANCES=auto"], options).ready();
        assert_eq!(service.workers().len(), expected, "{options:?}");
        assert_eq!(service.container.stop("3600"), 0);
    }
}

/// Which worker each client came to.
fn by_client(answers: &[Answer]) -> BTreeMap<IpAddr, BTreeSet<i32>> {
    let mut clients = BTreeMap::<_, BTreeSet<_>>::new();
    for answer in answers {
        let workers = clients.entry(answer.from.ip()).or_default();
        workers.insert(answer.pid);
    }
    clients
}

/// It takes a BPF program on a group of sockets to keep clients with their workers, and to keep them
/// away from a slot that has none.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn with_less_allowed_new_connections_are_steered_all_the_same() {
    let _alone = alone();
    for options in [
        &["--read-only"][..],
        &["--user=1000"],
        &["--cap-drop=ALL"],
        &["--security-opt=no-new-privileges"],
        &[
            "--read-only",
            "--user=1000:1000",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        ],
    ] {
        // A second death in a row has to wait that long for a successor.
        let settings = [
            "PIDONE_INSTANCES=4",
            "PIDONE_BALANCE=source-ip",
            "PIDONE_BACKOFF=10m..10m",
        ];
        let service = Service::start("plain.js", &settings, options).ready();
        let clients = (1..=16).map(|last| IpAddr::from([127, 0, 0, last]));
        let load = Plan::of(service.port).rate(500).from(clients).start();
        // The line that is waited for comes before the last of them gets new connections.
        load.until_answered(100);
        let before = by_client(&load.next(320));
        assert_eq!(before.len(), 16);
        assert!(before.values().all(|workers| workers.len() == 1));
        let serving: BTreeSet<_> = before.values().flatten().copied().collect();
        let first = service.workers();
        assert!(serving.len() > 1, "{options:?}: {serving:?}");

        let victim = *serving.first().unwrap();
        let mut deaths = vec![service.kill((victim, first[&victim]), false)];
        let successor = service.container.lines("up ", 5);
        let successor = successor.trim_start_matches("up ").parse().unwrap();
        load.until("its successor", |answers| {
            let mut answers = answers.iter();
            answers.find(|answer| answer.pid == successor).map(|_| ())
        });
        deaths.push(service.kill((successor, service.workers()[&successor]), false));
        load.until_answered(100);
        let after = by_client(&load.next(320));
        assert_eq!(service.workers().len(), 3);
        for (client, workers) in &before {
            let now = &after[client];
            if workers.contains(&victim) {
                assert!(
                    now.len() == 1 && !now.contains(&successor),
                    "{client}: {now:?}"
                );
            } else {
                assert_eq!(now, workers, "{options:?}: {client}");
            }
        }
        load.stop().only_failures("inside a killed worker", |one| {
            deaths.iter().any(|death| death.explains(one))
        });
        assert_eq!(service.container.stop("3600"), 0, "{options:?}");
    }
}

/// pidone is root, and has bound the port before it became nobody else's.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn port_80_is_bound_by_pidone_for_workers_without_rights() {
    let start = |settings: &[&str], ports_from: u16| {
        let ports = format!("--sysctl=net.ipv4.ip_unprivileged_port_start={ports_from}");
        let mut options = vec![&*ports, "-e", "PORT=80", "-e", "PIDONE_INSTANCES=2"];
        options.extend(["-e", "PIDONE_USER=node", "-e", "PIDONE_MAX_RESTARTS=1/60s"]);
        options.extend(settings.iter().flat_map(|setting| ["-e", setting]));
        Container::start(&options, &images().workers, &["node", "plain.js"])
    };
    let container = start(&["PIDONE_LISTEN=80"], 1024);
    container.said(words::READY, 1);
    let ask = "fetch('http://127.0.0.1/').then((response) => response.text()).then(console.log)";
    let answer = docker(&["exec", &container.id, "node", "-e", ask]);
    let service = Service {
        container,
        port: 80,
    };
    let workers = service.workers();
    let pid = answer.strip_suffix(" /").unwrap().parse().unwrap();
    assert!(workers.contains_key(&pid), "{answer}: {workers:?}");
    for pid in workers.values() {
        assert_eq!(processes::status(*pid, "Uid"), "1000\t1000\t1000\t1000");
        assert_eq!(processes::status(*pid, "CapEff"), "0000000000000000");
        assert_eq!(processes::status(*pid, "NoNewPrivs"), "1");
    }
    assert_eq!(service.container.stop("3600"), 0);

    // Not named by --listen: an error of Node.js, and of an app that does not handle it.
    let container = start(&[], 1024);
    assert_eq!(container.wait(), 1);
    let (_, stderr) = container.logs();
    assert!(stderr.contains("EACCES"), "{stderr}");
    assert!(stderr.contains(words::CRASH_LOOP), "{stderr}");

    // Where every port is for everybody, as Docker has it in a container's own network, it is theirs too.
    let container = start(&[], 0);
    container.said(words::READY, 1);
    assert_eq!(container.stop("3600"), 0);
}
