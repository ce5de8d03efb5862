//! Containers with less in them, or with less allowed.

use crate::docker::{Container, images, run};

/// Says who and where it is, then serves.
const WHO: &str = "
    let fs = require('fs'), write;
    try { fs.writeFileSync('/new', ''); write = 'written' } catch (e) { write = e.code }
    const status = fs.readFileSync('/proc/self/status', 'utf8');
    const field = (name) => status.match(new RegExp(name + ':\\\\s*(.*)'))[1];
    require('http').createServer((q, r) => r.end('hello')).listen(0, '127.0.0.1', () => console.log(
        'up', process.getuid(), process.getgid(), write, field('CapEff'), field('NoNewPrivs'), process.ppid))";

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn with_less_allowed_it_starts_and_stops_all_the_same() {
    let uncapped = "0000000000000000";
    for (options, expected) in [
        (vec![], ["0 0 written", "0 1"]),
        (vec!["--read-only"], ["0 0 EROFS", "0 1"]),
        (
            vec!["--user", "1000"],
            ["1000 1000 EACCES 0000000000000000", "0 1"],
        ),
        (
            vec!["--user", "1000:1000"],
            ["1000 1000 EACCES 0000000000000000", "0 1"],
        ),
        // Somebody whom /etc/passwd does not know.
        (
            vec!["--user", "4242:4242"],
            ["4242 4242 EACCES 0000000000000000", "0 1"],
        ),
        (
            vec!["--cap-drop=ALL"],
            ["0 0 written 0000000000000000", "0 1"],
        ),
        (
            vec!["--security-opt=no-new-privileges"],
            ["0 0 written", "1 1"],
        ),
        (
            vec![
                "--read-only",
                "--user=1000",
                "--cap-drop=ALL",
                "--security-opt=no-new-privileges",
            ],
            ["1000 1000 EROFS 0000000000000000", "1 1"],
        ),
    ] {
        let app = Container::start(&options, &images().node, &["node", "-e", WHO]);
        let line = app.line("up ");
        assert!(
            line.starts_with(&format!("up {}", expected[0])) && line.ends_with(expected[1]),
            "{options:?}: {line}"
        );
        if !expected[0].ends_with(uncapped) {
            assert!(!line.contains(uncapped), "{options:?}: {line}");
        }
        let status = app.stop("3600");
        assert_eq!(status, 143, "{options:?}: {:?}", app.logs());
        let (_, stderr) = app.logs();
        assert!(stderr.contains("SIGTERM"), "{options:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{options:?}: {stderr}");
    }
}

/// Names from /etc/passwd and /etc/group of an image that has no C library's lookups.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn pidone_can_step_down_to_a_user_itself() {
    let who = "const s = require('fs').readFileSync('/proc/self/status', 'utf8');
        console.log(process.getuid(), process.getgid(), String(process.getgroups().sort()),
            /CapEff:\\s*0+$/m.test(s), /NoNewPrivs:\\s*1/.test(s))";
    for user in ["node", "1000", "node:node"] {
        let option = format!("PIDONE_USER={user}");
        let (status, stdout, stderr) = run(&["-e", &option], &images().node, &["node", "-e", who]);
        assert_eq!(status, 0, "{user}: {stderr}");
        assert!(stdout.starts_with("1000 1000 1000"), "{user}: {stdout}");
        assert!(stdout.ends_with(" true true\n"), "{user}: {stdout}");
    }
    let (_, stdout, _) = run(
        &["-e", "PIDONE_USER=node"],
        &images().node,
        &["node", "-e", who],
    );
    assert_eq!(stdout, "1000 1000 1000,2000 true true\n");
    let (status, _, stderr) = run(
        &["-e", "PIDONE_USER=nobody-here"],
        &images().node,
        &["node"],
    );
    assert_eq!(status, 125);
    assert!(stderr.contains("nobody-here"), "{stderr}");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_environment_is_the_containers_own() {
    let print = "console.log(JSON.stringify(Object.entries(process.env).sort()))";
    let options = ["--hostname=box", "-e", "ODD=a b=c", "-e", "EMPTY="];
    let with = run(&options, &images().node, &["node", "-e", print]);
    let without = run(&options, "pidone-test/node", &["node", "-e", print]);
    assert_eq!(with, without);
    assert!(with.1.contains(r#"["ODD","a b=c"]"#), "{}", with.1);
}
