//! Clients that connect and take a moment to ask: a stop and a reload wait for their request.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::http::request;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN};
use crate::node::on_every_node;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Node.js 26 resets connections on which nothing has come when it closes a server. pidone waits for
/// what does within a quarter of a second.
#[test]
fn a_client_that_hesitates_is_served() {
    const HESITATION: Duration = Duration::from_millis(100);
    on_every_node(|node| {
        let in_time = (0..20).any(|_| {
            let app = App::named(PLAIN).node(&node.path);
            let service = app.workers(1, [""; 0]).ready();
            let mut client = connect((LOCALHOST, service.app.port));
            let begin = Instant::now();
            service.run.signal(libc::SIGTERM);
            thread::sleep(HESITATION);
            let mut words = String::new();
            let served = client.write_all(request("/", false).as_bytes());
            // On a machine that is so busy it says nothing.
            let in_time = begin.elapsed() < 2 * HESITATION;
            let served = served.and_then(|()| client.read_to_string(&mut words));
            if in_time {
                assert!(words.starts_with("HTTP/1.1 200 "), "{served:?} {words}");
            }
            service.run.end().code(0);
            in_time
        });
        assert!(in_time, "the machine has no quiet moment");
    });
}

/// Reloads of an app on Node.js 26, whose clients take 100 ms to ask for something. One that was slow
/// itself says nothing.
fn clients_that_hesitate_are_served(app: &str, protocols: &[&str]) {
    const CLIENT: &str = "
        const seen = { asked: 0, answered: 0, lost: [] };
        const connect = (version) => {
            const begin = Date.now();
            let all = '';
            const options = { port: Number(process.argv[2]) };
            const tls = { rejectUnauthorized: false, minVersion: version, maxVersion: version };
            const connect = version === 'plain'
                ? (asks) => require('net').connect(options, asks)
                : (asks) => require('tls').connect({ ...options, ...tls }, asks);
            const client = connect(() => setTimeout(() => {
                client.write('GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');
            }, 100));
            client.on('data', (part) => { all += part; });
            client.on('error', () => {});
            client.on('close', () => {
                if (all.startsWith('HTTP/1.1 200')) seen.answered += 1;
                else if (Date.now() - begin < 200) seen.lost.push(version);
            });
        };
        const timer = setInterval(() => {
            process.argv.slice(3).forEach(connect);
            seen.asked += 1;
            if (seen.asked === 20) console.log('going on');
        }, 10);
        process.stdin.on('data', () => clearInterval(timer));
        process.on('exit', () => console.log(JSON.stringify(seen)));
    ";
    on_every_node(|node| {
        // The others keep such connections, and would only slow this one down.
        if node.major < 26 {
            return;
        }
        let app = App::named(app).with_certificate().node(&node.path);
        let service = app.workers(1, [""; 0]).ready();
        let client = service.app.directory.file("client.js", CLIENT, 0o644);
        let mut client = Command::new(&node.path)
            .arg(client)
            .arg(service.app.port.to_string())
            .args(protocols)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(client.stdout.take().unwrap()).lines();
        assert_eq!(says.next().unwrap().unwrap(), "going on");
        for _ in 0..3 {
            service.reload();
        }
        client.stdin.take().unwrap().write_all(b"enough").unwrap();
        let seen = says.next().unwrap().unwrap();
        assert!(client.wait().unwrap().success());
        assert!(seen.ends_with("\"lost\":[]}"), "{seen}");
        service.stop().code(0);
    });
}

#[test]
fn clients_that_hesitate_are_served_in_a_reload() {
    clients_that_hesitate_are_served(PLAIN, &["plain", "plain"]);
}

#[test]
fn clients_that_hesitate_after_the_handshake_are_served() {
    clients_that_hesitate_are_served("tls.js", &["TLSv1.2", "TLSv1.3"]);
}
