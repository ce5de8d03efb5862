//! examples/systemd: what systemd's own tools make of it.

use std::process::Command;

use crate::harness::http::server_of;
use crate::harness::manager::Manager;
use crate::harness::markdown::Page;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN, all_answer};
use crate::harness::{TempDir, binary, is_installed};
use crate::{example, shows_lines_of, text};

const UNITS: [&str; 3] = ["app.service", "app.socket", "pidone@.service"];

#[test]
fn systemd_takes_the_example_units() {
    let test = "systemd_takes_the_example_units";
    if !is_installed(test, "systemd-analyze", "systemd") {
        return;
    }
    let directory = TempDir::new();
    let units = UNITS.map(|name| {
        // It wants to see the programs.
        let unit = text(&format!("systemd/{name}"))
            .replace("/usr/local/bin/pidone", binary().to_str().unwrap())
            .replace("/usr/bin/node", "/bin/true");
        directory.file(name, &unit, 0o644)
    });
    let verify = || {
        let end = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args(&units)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&end.stderr).into_owned();
        let ours = said.lines().filter(|line| is_about_units(line)).count();
        (end.status.success() && ours == 0, said)
    };
    let (is_good, said) = verify();
    assert!(is_good, "{said}");
    // And would say so if they were not.
    let wrong = std::fs::read_to_string(&units[0]).unwrap();
    let wrong = wrong.replace("KillMode=mixed", "KillMode=mixd");
    directory.file(UNITS[0], &wrong, 0o644);
    let (is_good, said) = verify();
    assert!(!is_good && said.contains("mixd"), "{said}");
}

/// Those of the manual, which leaves lines out, and changes none.
#[test]
fn the_manual_shows_lines_of_the_example_units() {
    let page = Page::read("docs/systemd.md");
    for (name, part) in [("app.service", "ExecReload="), ("app.socket", "[Socket]")] {
        let mut blocks = page.blocks_in("ini");
        let block = blocks.find(|block| block.contains(part)).unwrap();
        let lines = block.lines().filter(|line| !line.is_empty());
        shows_lines_of(lines, &format!("systemd/{name}"));
    }
}

fn is_about_units(line: &str) -> bool {
    line.contains("app.") || line.contains("pidone@")
}

/// Out of 10, which is worst. What is left is what Node.js needs; without any of the lines it is 9.2.
#[test]
fn the_example_units_are_hardened() {
    let test = "the_example_units_are_hardened";
    if !is_installed(test, "systemd-analyze", "systemd") {
        return;
    }
    for name in ["app.service", "pidone@.service"] {
        let end = Command::new("systemd-analyze")
            .args(["security", "--no-pager", "--offline=yes"])
            .arg("--threshold=15")
            .arg(example(&format!("systemd/{name}")))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&end.stdout);
        assert!(said.contains("Overall exposure level"), "{end:?}");
        assert!(end.status.success(), "{said}");
    }
}

/// What a unit says after this.
#[track_caller]
fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut lines = unit.lines().filter_map(|line| line.strip_prefix(name));
    let value = lines.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(lines.next(), None, "{name} twice");
    value
}

/// Listens as the socket unit says, and starts what the service says with what it says, when the
/// first client comes.
#[test]
fn the_example_is_started_by_its_socket_and_tells_the_manager() {
    let test = "the_example_is_started_by_its_socket_and_tells_the_manager";
    if !is_installed(test, "systemd-socket-activate", "systemd") {
        return;
    }
    let app = App::named(PLAIN);
    let port = app.port;
    app.directory
        .file("server.js", "require('./plain.js')", 0o644);
    let home = app.directory.path("");
    let own = |name: &str| {
        text(&format!("systemd/{name}"))
            .replace("8080", &port.to_string())
            .replace("/run/app", home.to_str().unwrap().trim_end_matches('/'))
    };
    let (service, socket) = (own(UNITS[0]), own(UNITS[1]));
    let reload = setting(&service, "ExecReload=").to_owned();

    let line = setting(&service, "ExecStart=");
    let (pidone, command) = line.split_once(" -- ").unwrap();
    let mut options = pidone.split(' ');
    assert_eq!(options.next(), Some("/usr/local/bin/pidone"));
    let command = command.replace("/usr/bin/node", "node");
    let variables: Vec<_> = setting(&service, "Environment=")
        .split(' ')
        .map(|entry| entry.split_once('=').unwrap())
        .collect();

    // What `auto` finds may be any number.
    let manager = Manager::new();
    let watchdog = format!("{}000000", setting(&service, "WatchdogSec="));
    let mut env = vec![("WEB_CONCURRENCY", "2"), ("NOTIFY_SOCKET", &manager.name)];
    env.extend([("WATCHDOG_USEC", &*watchdog)]);
    env.extend(&variables);
    // Which passes nothing on from the environment by itself.
    let mut activate = vec!["systemd-socket-activate"];
    activate.extend(["-l", setting(&socket, "ListenStream=")]);
    activate.extend(env.iter().flat_map(|(name, _)| ["-E", *name]));

    let app = app.command_line(command.split(' '));
    let service = app.start_as(2, options, |pidone| {
        let pidone = pidone.under(activate);
        env.iter()
            .fold(pidone, |pidone, (name, value)| pidone.env(name, value))
    });
    service.run.until_stderr("Listening on");
    let answer = || server_of(connect(([127, 0, 0, 1], port)));
    let first = answer();
    manager.until("READY=1");
    assert!(service.workers().contains(&first));
    all_answer(&service, answer);

    let old = service.workers();
    let mut words = reload.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/pidone"));
    let ctl = Command::new(binary()).args(words).output().unwrap();
    assert!(ctl.status.success(), "{ctl:?}");
    manager.until("RELOADING=1");
    manager.until("READY=1");
    assert!(service.workers().is_disjoint(&old));
    all_answer(&service, answer);

    service.run.signal(libc::SIGTERM);
    manager.until("STOPPING=1");
    service.run.end().code(0);
}
