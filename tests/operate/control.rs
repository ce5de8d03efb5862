//! What can be asked of pidone through its control socket.

use std::io::Write;
use std::os::unix::net::UnixListener;

use crate::harness::admin::{AdminEndpoints, talk};
use crate::harness::http::answer;
use crate::harness::net::connect_unix;
use crate::harness::service::{App, FRAGILE, PLAIN, all_answer};
use crate::harness::{Pidone, words};

#[test]
fn what_is_asked_for_is_done_when_the_answer_is_there() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 3, &[""; 0]).ready();
    let first = service.workers();
    let said = admin.ask("restart 1").done();
    assert_eq!(said.progress.len(), 1, "{said:?}");
    assert!(said.progress[0].starts_with("1 of 1: slot 1: worker 1 (pid "));
    let second = service.workers();
    assert_eq!((second.len(), second.intersection(&first).count()), (3, 2));

    let said = admin.ask("reload").done();
    assert_eq!(said.progress.len(), 3, "{said:?}");
    let third = service.workers();
    assert_eq!((third.len(), third.intersection(&second).count()), (3, 0));
    all_answer(&service, || service.who());

    for count in [4, 1, 1, 3] {
        admin.ask(&format!("scale {count}")).done();
        assert_eq!(service.workers().len(), count);
    }
    service.run.until_stderr_times(words::RELOADED, 2);
    assert_eq!(service.run.stderr_count(words::RELOADED), 2);
    admin.ask("stop").done();
    service.run.end().code(0);
    assert!(!admin.control.exists());
}

/// A `preStop` hook asks for it, and then the kubelet sends SIGTERM; or the other way round.
#[test]
fn a_stop_may_be_asked_for_and_signalled() {
    for asked_first in [true, false] {
        let admin = AdminEndpoints::fresh();
        let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
        let mut client = service.held();
        if !asked_first {
            service.run.signal(libc::SIGTERM);
            service.run.until_stderr(words::STOPPING);
        }
        admin.ask("stop").done();
        if asked_first {
            service.run.signal(libc::SIGTERM);
        }
        admin.ask("stop").done();
        service.release();
        assert_eq!(answer(&mut client).status(), 200);
        service.run.end().code(0);
    }
}

#[test]
fn a_reload_that_fails_says_so_and_changes_nothing() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(FRAGILE), 2, &[""; 0]).ready();
    let old = service.workers();
    service.app.directory.file("crash", "", 0o644);
    for request in ["reload", "restart 1"] {
        let said = admin.ask(request).refused("did not become ready");
        assert_eq!(said.progress, [""; 0]);
    }
    assert_eq!(service.workers(), old);
    admin.ask("ready").done();
    service.stop().code(0);
}

#[test]
fn several_who_ask_at_once_are_all_told() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let old = service.workers();
    let gone = connect_unix(&admin.control);
    (&gone).write_all(b"reload\n").unwrap();
    service.run.until_stderr(words::RELOAD_BEGUN);
    // Who does not wait for the answer stops nothing.
    drop(gone);
    std::thread::scope(|scope| {
        let others = ["reload", "restart 0", "restart 7", "scale 3"];
        let others = others.map(|line| scope.spawn(|| admin.ask(line)));
        let [reload, restart, nonsense, scale] = others.map(|other| other.join().unwrap());
        reload.done();
        restart.done();
        nonsense.refused("no slot 7");
        scale.done();
    });
    let new = service.workers();
    assert_eq!(new.len(), 3);
    assert!(new.is_disjoint(&old));
    service.stop().code(0);
}

#[test]
fn nonsense_is_told_so_and_harms_nobody() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(2);
    for (bytes, why) in [
        (&b"restart 2\n"[..], "no slot 2"),
        (b"scale 0\n", "at least 1 worker"),
        (b"scale 5000\n", "at most 1024 workers"),
        (b"scale many\n", ""),
        (b"restart\n", ""),
        (b"dance\n", ""),
        (b"\n", ""),
        (&[0xff; 100_000], ""),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
    ] {
        let mut stream = connect_unix(&admin.control);
        // It need not be read to the end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        let answer = String::from_utf8(answer).unwrap();
        crate::harness::admin::Said::parse(&answer).refused(why);
    }
    // Who says nothing, or half of it, keeps nobody from anything.
    let silent = connect_unix(&admin.control);
    let half = connect_unix(&admin.control);
    (&half).write_all(b"sto").unwrap();
    admin.ask("ready").done();
    drop((silent, half));
    admin.ask("stop").done();
    run.end();
}

#[test]
fn who_waits_is_told_when_pidone_stops_instead() {
    let admin = AdminEndpoints::fresh();
    let script = "
        if (require('fs').existsSync(`${__dirname}/late`)) console.log('late');
        else require('./plain.js');
    ";
    let service = admin.workers(App::script(script), 2, &[""; 0]).ready();
    service.app.directory.file("late", "", 0o644);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| admin.ask("reload"));
        // Its successor boots and never listens.
        assert_eq!(service.run.line(), "late");
        admin.ask("stop").done();
        waiting.join().unwrap().refused("stopping");
    });
    service.run.end().code(0);
}

#[test]
fn single_mode_opens_it_when_asked() {
    let admin = AdminEndpoints::fresh();
    let run = Pidone::new(admin.options())
        .probe(["signals", "15"])
        .start();
    run.expect("ready");
    assert!(
        admin
            .ask("status")
            .done()
            .text
            .contains(&run.child_pid().to_string())
    );
    admin.ask("live").done();
    admin.ask("ready").done();
    assert_eq!(admin.get("/readyz").0, 200);
    for request in ["reload", "restart 0", "scale 2"] {
        admin.ask(request).refused("-i");
    }
    admin.ask("stop").done();
    run.expect("SIGNAL 15 ");
    run.end().code(0);
    assert!(!admin.control.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let admin = AdminEndpoints::fresh();
    drop(UnixListener::bind(&admin.control).unwrap());
    assert!(admin.control.exists());
    let run = admin.sleepers(1);
    admin.ask("ready").done();
    let path = admin.control.display().to_string();
    let second = Pidone::new(["--control", &path]).command(["true"]);
    second
        .run()
        .code(125)
        .says(&["error: ", "--control", &path]);
    // It is still the first one's.
    admin.ask("stop").done();
    run.end();
    for path in ["/proc/no/such.sock", "/no/such/directory/x"] {
        let end = Pidone::new(["--control", path]).command(["true"]).run();
        end.code(125).says(&["error: ", "--control", path]);
    }
}

/// In mounts of their own: what is in /run and /tmp there is nobody else's.
#[test]
fn the_usual_places_are_tried_in_turn() {
    let unshare = ["unshare", "--user", "--map-root-user", "--mount", "true"];
    let can = std::process::Command::new(unshare[0])
        .args(&unshare[1..])
        .status();
    if !can.is_ok_and(|status| status.success()) {
        crate::harness::skipped(
            "the_usual_places_are_tried_in_turn",
            "no mount namespaces here",
        );
        return;
    }
    let cases = [
        ("", "", Some("run/pidone.sock")),
        (",ro", "", Some("tmp/pidone.sock")),
        // Full: the one file there may be is the root (tmpfs(5)).
        (",nr_inodes=1", "", Some("tmp/pidone.sock")),
        (",ro", ",ro", None),
        (",nr_inodes=1", ",nr_inodes=1", None),
    ];
    for (run_options, tmp_options, place) in cases {
        let mount = |options, on| format!("mount -t tmpfs -o size=1m{options} none {on}");
        // pidone may itself be in what the mounts hide.
        let script = format!(
            "mount -t tmpfs none /mnt && cp \"$1\" /mnt/pidone && shift && {} && {} && exec /mnt/pidone \"$@\"",
            mount(run_options, "/run"),
            mount(tmp_options, "/tmp")
        );
        let mut wrapper = unshare[..4].to_vec();
        wrapper.extend(["sh", "-c", &script, "sh"]);
        let options = "-i 1 --channel off --ready none --stop-signal KILL".split(' ');
        let run = Pidone::new(options)
            .command(["sleep", "inf"])
            .under(&wrapper)
            .env("PIDONE_CONTROL", "");
        let run = run.start();
        run.until_stderr(words::READY);
        let root = format!("/proc/{}/root", run.outer_pid());
        match place {
            Some(place) => {
                let path = std::path::Path::new(&root).join(place);
                talk(&path, b"ready\n").done();
                assert_eq!(run.stderr_count("warning"), 0);
            }
            None => run.until_stderr("--control PATH"),
        }
        // It was copied, so the harness would not know it.
        let pidone = nix::unistd::Pid::from_raw(run.outer_pid());
        nix::sys::signal::kill(pidone, nix::sys::signal::Signal::SIGTERM).unwrap();
        run.end();
    }
}
