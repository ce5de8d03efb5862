//! examples/systemd on a booted systemd, under load.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use crate::harness::http::server_of;
use crate::harness::killed::Killed;
use crate::harness::load::Plan;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN};
use crate::harness::{TempDir, processes, skipped};
use crate::machine::{Machine, has_limits, shared};
use crate::text;

/// As many workers as the tests expect, whatever the machine has.
const TWO: &str = "[Service]\nEnvironment=WEB_CONCURRENCY=2\n";

/// A new connection is answered; by which process of the machine.
#[track_caller]
fn who(port: u16) -> i32 {
    server_of(connect((Ipv4Addr::LOCALHOST, port)))
}

/// Answers, or takes memory until it is killed.
const SERVER: &str = "
    const answer = require('./answer.js');
    const held = [];
    require('http').createServer((request, response) => {
        while (request.url === '/grow') held.push(Buffer.alloc(1 << 24, 1));
        answer(request, response);
    }).listen(process.env.PORT);
";

/// A machine with the shipped service and socket for an app at /srv/app, and the app; the service also has these lines.
fn with_app(test: &str, lines: &str) -> Option<(Machine, App)> {
    let app = App::named(PLAIN);
    app.directory.file("server.js", SERVER, 0o644);
    app.open_to_all();
    let unit = |name: &str| {
        let unit = text(&format!("systemd/{name}")).replace("8080", &app.port.to_string());
        shared(&app.directory, name, &unit)
    };
    let places = [
        (app.directory.path("."), "/srv/app"),
        (unit("app.service"), "/etc/systemd/system/app.service"),
        (unit("app.socket"), "/etc/systemd/system/app.socket"),
        (
            shared(&app.directory, "more.conf", lines),
            "/etc/systemd/system/app.service.d/more.conf",
        ),
    ];
    let machine = Machine::boot(test, &places)?;
    machine.must("systemctl start app.socket app");
    Some((machine, app))
}

#[test]
fn the_service_loses_no_connection_while_it_is_operated() {
    let test = "the_service_loses_no_connection_while_it_is_operated";
    let Some((machine, app)) = with_app(test, TWO) else {
        return;
    };
    let pidone = machine.main_pid("app");
    let load = Plan::of(app.port).rate(100).start();
    load.until_answered_by(2);
    let kept = Plan::of(app.port).rate(50).keep_alive(8).start();
    kept.until_answered(20);

    // No line that a whole module makes long.
    let status = machine.must("systemctl status --full app");
    let longest = status.lines().map(str::len).max();
    assert!(status.contains("node ") && longest < Some(250), "{status}");

    // When it returns, the old ones are gone.
    let old = load.report().pids();
    machine.must("systemctl reload app");
    assert!(!old.contains(&who(app.port)));
    load.until_answered(20);

    let worker = processes::children(pidone)[0];
    let killed = Killed::now(worker, app.port);
    load.until_answered(100);
    assert_eq!(machine.main_pid("app"), pidone);

    machine.must("systemctl restart app");
    load.until_answered(100);
    for load in [load, kept] {
        let report = load.stop();
        report.only_failures("those inside the killed worker", |one| killed.explains(one));
        println!("{report}");
    }

    let warnings = machine.journal("-u app -p warning");
    assert!(warnings.contains("was killed by SIGKILL"), "{warnings}");
    assert!(!warnings.contains("ready"), "{warnings}");
    machine.must("systemctl stop app.socket app");
}

#[test]
fn a_worker_killed_for_memory_stops_no_service() {
    let test = "a_worker_killed_for_memory_stops_no_service";
    let Some((machine, app)) = with_app(test, TWO) else {
        return;
    };
    let policy = machine.must("systemctl show -P OOMPolicy app");
    assert_eq!(policy.trim(), "continue");
    let pidone = machine.main_pid("app");
    let worker = processes::children(pidone)[0];
    if !machine.starve(worker) {
        skipped(test, "no memory controller of cgroup v1");
        return;
    }
    processes::wait_until("the kernel has killed it", || {
        // It needs memory for each answer.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, app.port));
        !processes::children(pidone).contains(&worker)
    });
    processes::wait_until("it has a successor", || {
        machine
            .run("/usr/local/bin/pidone ctl --control /run/app/pidone.sock ready")
            .status
            .success()
            && processes::children(pidone).len() == 2
    });
    who(app.port);
    assert_eq!(machine.main_pid("app"), pidone);
    let warnings = machine.journal("-u app -p warning");
    assert!(warnings.contains("SIGKILL"), "{warnings}");
}

/// A kill inside the unit's own limit, which systemd and pidone both see.
#[test]
fn a_kill_in_the_units_memory_limit_stops_no_service() {
    let test = "a_kill_in_the_units_memory_limit_stops_no_service";
    let limit = format!("{TWO}MemoryMax=400M\n");
    let Some((machine, app)) = has_limits(test).then(|| with_app(test, &limit)).flatten() else {
        return;
    };
    let pidone = machine.main_pid("app");
    let workers = processes::children(pidone);
    let mut client = connect((Ipv4Addr::LOCALHOST, app.port));
    let request = b"GET /grow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.write_all(request).unwrap();
    assert!(!client.read(&mut [0]).is_ok_and(|read| read > 0));
    machine.until_journal("app", "killed by the kernel's OOM killer");
    // systemd's own words.
    machine.until_journal("app", "killed by the OOM killer");
    processes::wait_until("it has a successor", || {
        let now = processes::children(pidone);
        now.len() == 2 && now.iter().filter(|pid| workers.contains(pid)).count() == 1
    });
    who(app.port);
    assert_eq!(machine.main_pid("app"), pidone);
}

#[test]
fn limits_that_systemd_changes_are_followed() {
    let test = "limits_that_systemd_changes_are_followed";
    let lines = "[Service]\nMemoryMax=500M\nCPUQuota=200%\nEnvironment=PIDONE_MAX_MEMORY=40%\n";
    let Some((machine, app)) = has_limits(test).then(|| with_app(test, lines)).flatten() else {
        return;
    };
    machine.must("systemctl set-property --runtime app MemoryMax=1000M");
    let changed =
        "--max-memory changes from 200 MiB to 400 MiB: the container's memory limit has changed";
    machine.until_journal("app", changed);
    machine.must("systemctl set-property --runtime app CPUQuota=100%");
    machine.until_journal("app", "scaling done: one worker serves");
    machine.must("systemctl set-property --runtime app CPUQuota=200%");
    machine.until_journal("app", "scaling done: 2 workers serve");
    who(app.port);
}

/// Two good releases and a bad one below /opt/apps/shop, and the template's unit for it.
struct Shop {
    directory: TempDir,
    port: u16,
}

impl Shop {
    fn new() -> Self {
        let app = App::named(PLAIN);
        let (directory, port) = (TempDir::new(), app.port);
        for release in ["1", "2"] {
            let script = format!(
                "require('http').createServer((_, response) => response.end(`${{process.pid}} {release} `)) \
                 .listen(process.env.PORT)"
            );
            shared(&directory, &format!("shop/{release}/index.js"), &script);
        }
        shared(&directory, "shop/bad/index.js", "process.exit(3)");
        shared(
            &directory,
            "pidone/shop.env",
            &format!("PORT={port}\nWEB_CONCURRENCY=2\n"),
        );
        shared(
            &directory,
            "pidone@.service",
            &text("systemd/pidone@.service"),
        );
        let shop = Self { directory, port };
        shop.switch_to("1");
        shop
    }

    fn boot(&self, test: &str, more: &[(PathBuf, &'static str)]) -> Option<Machine> {
        let place = |name: &str, place| (self.directory.path(name), place);
        let mut places = vec![
            place("shop", "/opt/apps/shop"),
            place("pidone", "/etc/pidone"),
            place("pidone@.service", "/etc/systemd/system/pidone@.service"),
        ];
        places.extend_from_slice(more);
        Machine::boot(test, &places)
    }

    fn switch_to(&self, release: &str) {
        let next = self.directory.path("shop/next");
        std::os::unix::fs::symlink(release, &next).unwrap();
        std::fs::rename(next, self.directory.path("shop/current")).unwrap();
    }

    /// The release that answers a new connection.
    #[track_caller]
    fn serves(&self) -> String {
        let mut client = connect((Ipv4Addr::LOCALHOST, self.port));
        let answer = crate::harness::http::ask(&mut client, "/", false);
        answer.body().split(' ').nth(1).unwrap().to_owned()
    }
}

#[test]
fn a_release_behind_a_link_is_deployed_or_refused() {
    let test = "a_release_behind_a_link_is_deployed_or_refused";
    let shop = Shop::new();
    let Some(machine) = shop.boot(test, &[]) else {
        return;
    };
    machine.must("systemctl start pidone@shop");
    assert_eq!(shop.serves(), "1");
    shop.switch_to("2");
    machine.must("systemctl reload pidone@shop");
    assert_eq!(shop.serves(), "2");

    shop.switch_to("bad");
    let failed = machine.run("systemctl reload pidone@shop");
    assert!(!failed.status.success(), "{failed:?}");
    assert_eq!(shop.serves(), "2");
    machine.must("systemctl is-active pidone@shop");
    let errors = machine.journal("-u pidone@shop -p err");
    assert!(errors.contains("reload failed"), "{errors}");
}

/// The other way to a reload that is waited for: systemd sends HUP, and waits for `READY=1`.
#[test]
fn notify_reload_waits_for_the_reload() {
    let test = "notify_reload_waits_for_the_reload";
    let shop = Shop::new();
    let lines = "[Service]\nType=notify-reload\nExecReload=\n";
    let file = shared(&shop.directory, "reload.conf", lines);
    let place = "/etc/systemd/system/pidone@.service.d/reload.conf";
    let Some(machine) = shop.boot(test, &[(file, place)]) else {
        return;
    };
    machine.must("systemctl start pidone@shop");
    shop.switch_to("2");
    machine.must("systemctl reload pidone@shop");
    assert_eq!(shop.serves(), "2");
}
