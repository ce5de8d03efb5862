//! `--http-drain`: how its module gets into a worker, and that clients lose nothing.

use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::http::ask;
use crate::harness::net::connect;
use crate::harness::processes;
use crate::harness::service::{App, Service};
use crate::harness::words;
use crate::node::{Node, on_every_node};

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Says how it was started, it and a child of its own, and what a Node.js that it starts makes of that.
const REPORTER: &str = "
    const { execArgv, env } = process;
    const see = () => JSON.stringify({
        loaded: globalThis.loaded,
        heap: require('v8').getHeapStatistics().heap_size_limit,
        header: require('http').maxHeaderSize,
        options: env.NODE_OPTIONS,
        setting: env.SETTING,
        execArgv,
        args: [require('path').relative('.', process.argv[1]), ...process.argv.slice(2)],
        main: require.main === module,
    });
    if (process.argv[2] === 'child') {
        process.send(see());
        process.disconnect();
    } else {
        require('http').createServer((request, response) => response.end(String(process.pid)))
            .listen(env.PORT, () => {
                const child = require('child_process').fork(__filename, ['child']);
                child.on('message', (report) => console.log('started', see(), report));
            });
    }
";

/// The end is announced: a kept connection gets its last answer, and says so.
#[track_caller]
fn announces(service: Service) {
    let mut client = connect((LOCALHOST, service.app.port));
    assert!(!ask(&mut client, "/", true).closing());
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    processes::wait_until("the end is announced", || {
        let mut probe = connect((LOCALHOST, service.app.port));
        ask(&mut probe, "/", true).closing()
    });
    assert!(ask(&mut client, "/", true).closing());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    service.run.end().code(0);
}

/// The app as it is started by this line, with the name `node` for this Node.js.
fn started(node: &Node, line: &[&str], drain: bool) -> Service {
    let app = App::script(REPORTER);
    let real = Command::new(&node.path)
        .args(["-p", "process.execPath"])
        .output();
    let real = String::from_utf8(real.unwrap().stdout).unwrap();
    symlink(real.trim(), app.directory.path("node")).unwrap();
    let file = |name: &str, text: &str| app.directory.file(name, text, 0o755);
    let mark = |mark| format!("globalThis.loaded = (globalThis.loaded ?? '') + '{mark}';");
    file("a.js", &mark("a"));
    file("b.js", &mark("b"));
    file("c.mjs", &mark("c"));
    file("d.mjs", &mark("d"));
    let options = r#"NODE_OPTIONS="--max-old-space-size=96 -r ./a.js""#;
    file("env", &format!("SETTING=here\n{options}\n"));
    file(
        "node.config.json",
        r#"{"nodeOptions":{"import":["./d.mjs"],"max-http-header-size":12345}}"#,
    );
    file("app", &format!("#!/usr/bin/env node\n{REPORTER}"));
    file("start.sh", "#!/bin/sh\nexec node test.js \"$@\"\n");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", app.directory.path(".").display());
    let announced = drain.then_some(["--http-drain", "1s"]);
    app.command_line(line)
        .start_with(1, announced.into_iter().flatten(), |pidone| {
            pidone.env("PATH", path).env("NODE_NO_WARNINGS", "1")
        })
}

#[test]
fn http_drain_takes_no_option_of_the_app_away() {
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let mut direct = vec!["node", "-r", "./b.js", "--import", "./c.mjs"];
        if node.major >= 20 {
            direct.push("--env-file=env");
        }
        if node.major >= 24 {
            direct.push("--experimental-default-config-file");
        }
        direct.extend(["test.js", "an argument"]);
        for line in [&direct[..], &["app", "an argument"], &["./start.sh", "x"]] {
            let [alone, with] = [false, true].map(|drain| {
                let service = started(node, line, drain);
                let report = service.after("started ");
                service.run.until_stderr(words::READY);
                if drain {
                    announces(service);
                } else {
                    service.stop().code(0);
                }
                report
            });
            assert_eq!(alone, with, "{line:?}");
            assert!(alone.contains("an argument") || alone.contains("\"x\""));
            if line == direct && node.major >= 24 {
                assert!(alone.contains(r#""loaded":"abdc""#), "{alone}");
                assert!(alone.contains(r#""header":12345"#), "{alone}");
            }
        }
    });
}
