//! What `docker run` says of a command's end, or of its failure to start.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::docker::{Container, build, client, docker, images, patience, run};
use crate::harness::{TempDir, processes, words};

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_status_is_the_apps() {
    let node = &images().node;
    for (script, expected) in [
        ("process.exit(0)", 0),
        ("process.exit(42)", 42),
        ("throw new Error('no')", 1),
        ("process.kill(process.pid, 'SIGKILL')", 137),
        ("process.abort()", 134),
    ] {
        let (status, _, stderr) = run(&[], node, &["node", "-e", script]);
        assert_eq!(status, expected, "{script}: {stderr}");
    }
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_command_that_cannot_start_says_why() {
    let node = &images().node;
    for (command, expected, words) in [
        ("no-such-command", 127, "PATH"),
        ("/no/such/command", 127, "No such file or directory"),
        ("/etc", 126, "/etc"),
        ("/etc/passwd", 126, "Permission denied"),
    ] {
        let (status, stdout, stderr) = run(&[], node, &[command]);
        assert_eq!(status, expected, "{command}: {stderr}");
        assert!(
            stderr.contains(words) && stderr.contains(command),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(stdout, "");
    }
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_wrong_option_is_125() {
    let (status, stdout, stderr) = run(&[], &images().alone, &["--grace", "soon", "/pidone"]);
    assert_eq!((status, stdout.as_str()), (125, ""));
    assert!(
        stderr.contains("--grace") && stderr.contains("soon"),
        "{stderr}"
    );

    let (status, _, stderr) = run(&["-e", "PIDONE_GRACE=later"], &images().alone, &["/app"]);
    assert_eq!(status, 125);
    assert!(
        stderr.contains("PIDONE_GRACE") && stderr.contains("later"),
        "{stderr}"
    );
}

/// The pids limit comes down to the shell alone, which then becomes pidone: no fork is left to it.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn no_process_to_be_had_is_125_and_says_so() {
    let container = Container::start(
        &["-i", "--entrypoint", "sh", "--pids-limit", "50"],
        &images().debian,
        &["-c", "echo ready; read -r line; exec /pidone -- true"],
    );
    container.line("ready");
    let mut attached = client(patience().as_secs())
        .args(["attach", &container.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    docker(&["update", "--pids-limit", "1", &container.id]);
    let mut stdin = attached.stdin.take().unwrap();
    stdin.write_all(b"go\n").unwrap();
    drop(stdin);
    attached.wait().unwrap();
    let status = container.wait();
    let (_, stderr) = container.logs();
    assert_eq!(status, 125, "{stderr}");
    assert!(
        stderr.contains("\"true\"") && stderr.contains("pids limit"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// No process for a successor: the other worker serves, pidone says why and tries again until there is room.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_worker_that_no_process_can_be_had_for_comes_back() {
    let options = [
        "--pids-limit=100",
        "-e",
        "PORT=3000",
        "-e",
        "PIDONE_INSTANCES=2",
        "-e",
        "PIDONE_BACKOFF=100ms..100ms",
        "-e",
        "PIDONE_MAX_RESTARTS=1000/1s",
    ];
    let container = Container::start(&options, &images().workers, &["node", "plain.js"]);
    container.said(words::READY, 1);
    let workers = processes::children(container.init());
    docker(&["update", "--pids-limit", "5", &container.id]);
    kill(Pid::from_raw(workers[0]), Signal::SIGKILL).unwrap();
    let line = container.said("pids limit", 2);
    assert!(line.contains("cannot start \"node\""), "{line}");
    assert_eq!(processes::children(container.init()), [workers[1]]);
    docker(&["update", "--pids-limit", "100", &container.id]);
    container.said(words::READY, 2);
    assert_eq!(processes::children(container.init()).len(), 2);
    assert_eq!(container.stop("3600"), 0);
}

/// The kernel kills, and only the cgroup knows that it was for want of memory.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_death_for_want_of_memory_is_explained() {
    let eat = "const eaten = []; for (;;) eaten.push(Buffer.alloc(1 << 20, 1))";
    let limits = ["--memory=96m", "--memory-swap=96m"];
    let (status, _, stderr) = run(&limits, &images().node, &["node", "-e", eat]);
    assert_eq!(status, 137, "{stderr}");
    assert!(stderr.contains("OOM killer"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    // A SIGKILL from elsewhere is no such death.
    let script = "process.kill(process.pid, 'SIGKILL')";
    let (status, _, stderr) = run(&limits, &images().node, &["node", "-e", script]);
    assert_eq!(status, 137, "{stderr}");
    assert!(!stderr.contains("memory"), "{stderr}");
}

/// Of two workers one eats all there is: it is named, and the other one is not.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_worker_that_ran_out_of_memory_is_named() {
    const EAT: &str = "
        const eaten = [];
        const eat = () => { for (;;) eaten.push(Buffer.alloc(1 << 20, 1)); };
        require('http').createServer().listen(3000);
        if (process.env.NODE_APP_INSTANCE === '1') process.on('SIGUSR2', eat);
        else process.on('SIGUSR2', () => {});
    ";
    let files = TempDir::new();
    let app = files.file("eat.js", EAT, 0o644);
    let lines = format!("FROM {}\nCOPY eat.js /app/\n", images().workers);
    let image = build("eater", &lines, &[("eat.js", &app)]);
    let options = [
        "--memory=256m",
        "--memory-swap=256m",
        "-e",
        "PIDONE_INSTANCES=2",
    ];
    let container = Container::start(&options, &image, &["node", "eat.js"]);
    container.said(words::READY, 1);
    docker(&["kill", "-s", "USR2", &container.id]);
    let line = container.said("OOM killer", 1);
    assert!(line.contains("worker 1 (pid "), "{line}");
    assert!(line.contains(words::RESTARTING), "{line}");
    container.said(words::READY, 2);
    assert_eq!(container.stop("3600"), 0);
}
