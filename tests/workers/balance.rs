//! Who gets a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::http::server_of;
use crate::harness::load::Kind;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN};
use crate::harness::{TempDir, words};
use crate::node::on_every_node;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn addresses(count: u8) -> impl Iterator<Item = IpAddr> {
    (1..=count).map(|last| Ipv4Addr::new(127, 0, 7, last).into())
}

#[test]
fn in_turn_means_in_turn() {
    on_every_node(|node| {
        let service = App::named(PLAIN)
            .node(&node.path)
            .workers(3, ["--balance", "round-robin"])
            .ready();
        let pids: Vec<_> = (0..30)
            .map(|_| server_of(connect((V4, service.app.port))))
            .collect();
        let round: BTreeSet<_> = pids[..3].iter().copied().collect();
        assert_eq!(round, service.workers());
        for (turn, pid) in pids.iter().enumerate() {
            assert_eq!(*pid, pids[turn % 3], "{pids:?}");
        }
        service.stop().code(0);
    });
}

/// And so do its neighbours: who shared a worker shares its successor.
#[test]
fn a_client_stays_with_its_worker_or_the_successor_of_it() {
    let service = App::named(PLAIN)
        .workers(4, ["--balance", "source-ip"])
        .ready();
    let workers = || {
        let load = service.load().rate(400).from(addresses(40)).start();
        let answers = load.next(200);
        load.stop().no_failures();
        let mut workers = BTreeMap::<IpAddr, BTreeSet<i32>>::new();
        for answer in &answers {
            workers
                .entry(answer.from.ip())
                .or_default()
                .insert(answer.pid);
        }
        assert_eq!(workers.len(), 40);
        assert!(workers.values().all(|pids| pids.len() == 1), "{workers:?}");
        workers
    };
    let before = workers();
    service.reload();
    let after = workers();
    let pairs: BTreeSet<_> = before.values().zip(after.values()).collect();
    assert_eq!(pairs.len(), 4, "{pairs:?}");
    service.stop().code(0);
}

/// A place whose worker is dead and waits for its next start attracts nobody.
#[test]
fn a_dead_workers_share_goes_to_the_others() {
    for balance in ["auto", "reuseport", "shared", "source-ip", "round-robin"] {
        let options = [
            "--balance",
            balance,
            "--backoff",
            "1h..1h",
            "--min-uptime",
            "1h",
        ];
        let service = App::named(PLAIN).workers(2, options).ready();
        let load = service.load().rate(200).from(addresses(50)).start();
        load.until_answered_by(2);
        // The first restart in a row is immediate; the second one waits for an hour.
        let victim = *service.workers().first().unwrap();
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        let successor = service.pid_after("up ");
        service.run.until_stderr_times(words::READY, 2);
        kill(Pid::from_raw(successor), Signal::SIGKILL).unwrap();
        service.run.until_stderr(&words::killed(successor));
        let left = service.workers();
        assert_eq!(left.len(), 1);
        load.until_answered(50);
        let later = load.next(100);
        assert!(later.iter().all(|answer| left.contains(&answer.pid)));
        let report = load.stop();
        report.only_failures("reset or closed at a death", |failure| {
            failure.established && failure.kind != Kind::TimedOut
        });
        assert!(report.failures.len() < 50, "{balance}: {report}");
        service.stop().code(0);
    }
}

/// A real socket.io app, HTTP long-polling only: each poll is a connection of its own, and must reach
/// the worker that knows the session.
#[test]
fn socket_io_polls_reach_their_worker() {
    const SERVER: &str = "
        const server = require('http').createServer();
        const { Server } = require('socket.io');
        new Server(server, { transports: ['polling'] }).on('connection', (socket) => {
            socket.on('echo', (text, answer) => answer(`${process.pid} ${text}`));
        });
        server.keepAliveTimeout = 1;
        server.listen(process.env.PORT, '127.0.0.1', () => console.log('up', process.pid));
    ";
    // One process for each address, for the library offers no way to choose it but an agent.
    const CLIENT: &str = "
        const { io } = require('socket.io-client');
        const [port, ...addresses] = process.argv.slice(2);
        const http = require('http');
        (async () => {
            const pids = new Set();
            for (const localAddress of addresses) {
                const agent = new http.Agent({ keepAlive: false, localAddress });
                const socket = io(`http://127.0.0.1:${port}`, {
                    transports: ['polling'], agent, forceNew: true, reconnection: false,
                });
                await new Promise((resolve, reject) => {
                    socket.on('connect', resolve).on('connect_error', reject);
                });
                for (let turn = 0; turn < 8; turn++) {
                    const said = await socket.timeout(10000).emitWithAck('echo', `turn ${turn}`);
                    const [pid, ...words] = said.split(' ');
                    if (words.join(' ') !== `turn ${turn}`) throw new Error(said);
                    pids.add(pid);
                }
                socket.disconnect();
            }
            console.log(pids.size);
            process.exit(0);
        })().catch((error) => { console.error(error); process.exit(1); });
    ";
    let ask = |balance: &str| {
        let app = App::script(SERVER).with_packages();
        let service = app.workers(4, ["--balance", balance]).ready();
        let client = service.app.directory.file("client.js", CLIENT, 0o644);
        let output = Command::new("node")
            .arg(client)
            .arg(service.app.port.to_string())
            .args(addresses(6).map(|address| address.to_string()))
            .output()
            .unwrap();
        service.stop().code(0);
        output
    };
    let sticky = ask("source-ip");
    assert!(sticky.status.success(), "{sticky:?}");
    let workers: usize = String::from_utf8_lossy(&sticky.stdout)
        .trim()
        .parse()
        .unwrap();
    assert!(workers > 1, "all sessions on one worker");
    // What the option is for: without it the polls of a session go everywhere.
    let spread = ask("round-robin");
    assert!(!spread.status.success(), "{spread:?}");
}

#[test]
fn auto_is_web_concurrency_or_the_cpus() {
    let directory = TempDir::new();
    let script = directory.file(
        "app.js",
        "console.log('up'); setInterval(() => {}, 1e6);",
        0o644,
    );
    let count = |pidone: crate::harness::Pidone| {
        let run = pidone
            .command(["node".as_ref(), script.as_os_str()])
            .start();
        run.until_stderr(words::READY);
        let count = crate::harness::processes::children(run.pid()).len();
        run.signal(libc::SIGTERM);
        run.end().code(0);
        count
    };
    let auto = || crate::harness::Pidone::new(["-i", "auto", "--ready", "none"]);
    assert_eq!(count(auto().env("WEB_CONCURRENCY", "3")), 3);
    // One CPU of this machine's, by affinity.
    assert_eq!(
        count(auto().under(["taskset", "1"]).env("WEB_CONCURRENCY", "")),
        1
    );
}
