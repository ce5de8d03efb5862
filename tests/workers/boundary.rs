//! Workers that misbehave on their channel: pidone and the neighbours do not care.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::harness::service::{App, Service, all_answer};
use crate::harness::{patience, processes, words};
use crate::node::{Node, on_every_node};

/// Serves; instance 0 does some evil first, or once it listens. `say` writes to the channel, past
/// Node.js.
fn evil(first: &str, then: &str) -> App {
    App::script(&format!(
        "const fs = require('fs');
        const evil = process.env.NODE_APP_INSTANCE === '0';
        function say(bytes) {{
            for (let rest = Buffer.from(bytes); rest.length > 0;) {{
                try {{
                    rest = rest.subarray(fs.writeSync(3, rest));
                }} catch (error) {{
                    if (error.code !== 'EAGAIN') throw error;
                }}
            }}
        }}
        if (evil) {{ {first} }}
        const server = require('http').createServer(require('./answer.js'));
        server.listen(process.env.PORT, () => {{
            console.log('up', process.pid);
            if (evil) {{ {then} }}
        }});"
    ))
}

/// For a worker that does not obey.
const SHORT: [&str; 2] = ["--grace", "1s"];

fn start(node: &Node, app: App, options: &[&str]) -> Service {
    app.node(&node.path).workers(2, options)
}

/// Everything that a line can be and a message of Node.js' is not.
const GARBAGE: &str = r#"
    const lines = [
        '', ' ', '\0', '{', '}', '[', ']', 'null', '1e999', '"', '\\', 'ready', '\xff\xfe', '{}', '[]',
        '{"cmd":"NODE_', '{"cmd":"NODE_"}', '{"cmd":"NODE_CLUSTER"}', '{"cmd":"NODE_CLUSTER","seq":-1}',
        '{"cmd":"NODE_CLUSTER","act":"queryServer"}', '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1e300}',
        '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"port":70000,"addressType":4}',
        '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":2,"address":"/etc/passwd","port":-1,"addressType":-1}',
        '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":3,"fd":2147483647}',
        '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":4,"fd":1}',
        '{"cmd":"NODE_CLUSTER","act":"listening"}', '{"cmd":"NODE_CLUSTER","act":"close","key":"999"}',
        '{"cmd":"NODE_CLUSTER","act":"close"}', '{"cmd":"NODE_CLUSTER","ack":999}',
        '{"cmd":"NODE_CLUSTER","ack":0,"accepted":true}', '{"cmd":"NODE_CLUSTER","ack":1,"accepted":false}',
        '{"cmd":"NODE_HANDLE_ACK"}', '{"cmd":"NODE_HANDLE_NACK"}', '{"cmd":"NODE_HANDLE_NACK"}',
        '{"cmd":"NODE_CLUSTER","act":"online","seq":0}', '{"cmd":"NODE_CLUSTER","act":7,"seq":0}',
        '['.repeat(100000), '{"cmd":"NODE_CLUSTER","act":' + '{"a":'.repeat(50000), '"' + '\\'.repeat(70001),
        '{"cmd":"NODE_CLUSTER","data":"' + 'x'.repeat(100000) + '"}',
    ];
    for (const line of lines) say(Buffer.from(line + '\n', 'latin1'));
"#;

#[test]
fn garbage_gets_a_warning_and_nothing_else() {
    on_every_node(|node| {
        let then = format!("{GARBAGE} setImmediate(() => console.log('done'));");
        let service = start(node, evil("", &then), &[]);
        service.after("done");
        let service = service.until_ready();
        service.run.until_stderr(words::BABBLES);
        let workers = service.workers();
        all_answer(&service, || service.who());
        service.reload();
        service.run.until_stderr_times(words::BABBLES, 2);
        assert!(service.workers().is_disjoint(&workers));
        all_answer(&service, || service.who());
        let end = service.stop();
        end.code(0);
        // One for each worker that does so, not one for each line.
        assert_eq!(end.stderr.matches(words::BABBLES).count(), 2, "{end:?}");
    });
}

#[test]
fn a_line_of_20_mb_takes_no_memory() {
    on_every_node(|node| {
        const LONG: &str = "
            const block = Buffer.alloc(1 << 20, 'x');
            for (let n = 0; n < 20; n++) say(block);
            say('\\n');
        ";
        let service = start(node, evil(LONG, ""), &[]);
        let pidone = {
            service.run.until_started();
            service.run.pid()
        };
        service.up(2);
        let service = service.until_ready();
        all_answer(&service, || service.who());
        let peak = processes::memory(pidone, "VmHWM");
        assert!(peak < LIMIT_KIB, "{peak} KiB");
        service.stop().code(0);
    });
}

/// Written by Node.js itself: what does not fit stays in the worker.
#[test]
fn messages_of_any_size_and_number_take_no_memory() {
    on_every_node(|node| {
        const MUCH: &str = "
            const text = 'x'.repeat(1 << 20);
            for (let n = 0; n < 20; n++) process.send({ n, text });
            process.send('last', () => console.log('done'));
        ";
        let service = start(node, evil("", MUCH), &[]);
        service.after("done");
        let service = service.until_ready();
        all_answer(&service, || service.who());
        let peak = processes::memory(service.run.pid(), "VmHWM");
        assert!(peak < LIMIT_KIB, "{peak} KiB");
        service.stop().code(0);
    });
}

/// Less than what was written, and more than a debug build takes by itself.
const LIMIT_KIB: usize = 16 * 1024;

/// Writes as fast as it can, and does nothing else any more.
const FLOOD: &str = "
    const lines = '{\"a\":1}\\n'.repeat(8000);
    console.log('flood');
    for (;;) say(lines);
";

#[test]
fn a_flood_stalls_nobody() {
    on_every_node(|node| {
        let service = start(node, evil("", FLOOD), &SHORT);
        service.after("flood");
        service.run.signal(libc::SIGTTIN);
        let third = service.pid_after("up ");
        // Those that reach the flooding one wait for ever.
        let load = service.load().rate(100).timeout(2 * patience()).start();
        load.until("an answer of the new worker", |answers| {
            answers
                .iter()
                .any(|answer| answer.pid == third)
                .then_some(())
        });
        load.until_answered(50);
        service.stop();
    });
}

#[test]
fn a_flood_is_throttled() {
    let service = evil("", FLOOD).workers(2, SHORT);
    service.after("flood");
    let pidone = service.run.pid();
    let (cpu, begin) = (processes::cpu_time(pidone), Instant::now());
    // While somebody boots.
    for _ in 0..5 {
        service.run.signal(libc::SIGTTIN);
        service.pid_after("up ");
    }
    let share = (processes::cpu_time(pidone) - cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    // A flood that is not throttled takes all of it.
    assert!(
        share < 0.3,
        "pidone has had {:.0} % of a processor",
        share * 100.0
    );
    service.stop();
}

#[test]
fn descriptors_that_a_worker_sends_are_closed_and_it_goes_on() {
    on_every_node(|node| {
        const SEND: &str = "
            const net = require('net');
            const other = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
                for (let n = 0; n < 100; n++) process.send('have a server', other);
                process.send('after', () => {
                    // Nothing goes through before all of them are acknowledged.
                    net.createServer().listen(0, () => console.log('done'));
                });
            });
        ";
        let service = start(node, evil("", SEND), &[]);
        service.after("done");
        let service = service.until_ready();
        all_answer(&service, || service.who());
        let count = processes::descriptors(service.run.pid());
        assert!(count < 40, "{count} descriptors");
        service.stop().code(0);
    });
}

#[test]
fn listeners_have_a_bound_and_only_their_worker_feels_it() {
    on_every_node(|node| {
        const MANY: &str = "
            const all = 200;
            let good = 0, bad = 0;
            const codes = new Set();
            const check = () => { if (good + bad === all) console.log('done', good, [...codes].join()); };
            for (let n = 0; n < all; n++) {
                require('net').createServer()
                    .on('error', (error) => { codes.add(error.code); bad++; check(); })
                    .listen(0, '127.0.0.1', () => { good++; check(); });
            }
        ";
        let service = start(node, evil("", MANY), &[]);
        let done = service.after("done ");
        let (good, codes) = done.split_once(' ').unwrap();
        let good: usize = good.parse().unwrap();
        assert!((1..=64).contains(&good), "{good} listeners");
        assert_eq!(codes, "EMFILE");
        let service = service.until_ready();
        all_answer(&service, || service.who());
        service.stop().code(0);
    });
}

#[test]
fn listeners_that_come_and_go_leave_nothing() {
    on_every_node(|node| {
        const AGAIN: &str = "
            let left = 300;
            const again = () => {
                if (left-- === 0) return console.log('done');
                const one = require('net').createServer().listen(0, '127.0.0.1', () => one.close(again));
                one.on('error', (error) => { console.log('error', error.code); });
            };
            again();
        ";
        let service = start(node, evil("", AGAIN), &[]);
        service.after("done");
        let service = service.until_ready();
        let count = processes::descriptors(service.run.pid());
        assert!(count < 40, "{count} descriptors");
        all_answer(&service, || service.who());
        service.stop().code(0);
    });
}

#[test]
fn one_that_disconnects_is_replaced() {
    on_every_node(|node| {
        // Once, or it would be a crash loop.
        const LEAVE: &str = "
            if (!fs.existsSync('left')) {
                fs.writeFileSync('left', '');
                process.disconnect();
            }
        ";
        let service = start(node, evil("", LEAVE), &[]);
        service.up(3);
        service.run.until_stderr(words::RESTARTING);
        service.run.until_stderr(words::READY);
        all_answer(&service, || service.who());
        service.stop().code(0);
    });
}

/// The end of the channel is not the end of the worker, and the other way round.
#[test]
fn a_channel_that_outlives_its_worker_hides_nothing() {
    on_every_node(|node| {
        const HEIR: &str = "
            if (!fs.existsSync('left')) {
                fs.writeFileSync('left', '');
                const stdio = ['ignore', 'ignore', 'ignore', 3];
                require('child_process').spawn('sleep', ['1000'], { detached: true, stdio });
                process.exit(0);
            }
        ";
        let service = start(node, evil("", HEIR), &[]);
        service.up(3);
        service.run.until_stderr(words::RESTARTING);
        processes::wait_until("both answer", || {
            let pids: BTreeSet<_> = (0..20).map(|_| service.who()).collect();
            pids.len() == 2
        });
        service.stop().code(0);
    });
}

#[test]
fn one_that_hangs_keeps_nobody_from_serving_or_stopping() {
    on_every_node(|node| {
        const HANG: &str = "process.on('SIGTERM', () => {}); console.log('hangs'); for (;;);";
        let service = start(node, evil("", HANG), &SHORT);
        service.after("hangs");
        service.run.signal(libc::SIGTTIN);
        service.pid_after("up ");
        service.stop().code(137);
    });
}

/// It reads nothing, so nothing can be written to it for ever; a stop continues it.
#[test]
fn one_that_is_stopped_keeps_nobody_from_serving_or_stopping() {
    on_every_node(|node| {
        let service = start(node, evil("", ""), &[]).ready();
        let stopped = *service.workers().first().unwrap();
        processes::kill(stopped, libc::SIGSTOP);
        service.run.signal(libc::SIGTTIN);
        service.pid_after("up ");
        service.stop().code(0);
    });
}
