//! With which status pidone leaves, and what becomes of those who are left.

use std::io::BufRead;

use crate::harness::{Pidone, can_be_init, is_root, probe, processes};

#[test]
fn the_childs_code_is_pidones() {
    for code in [0, 1, 77, 125, 255] {
        Pidone::plain()
            .shell(&format!("exit {code}"))
            .run()
            .code(code)
            .quiet();
    }
}

#[test]
fn a_death_by_signal_is_128_and_its_number() {
    for number in [1, 2, 6, 9, 11, 15, 40, 64] {
        let end = Pidone::plain()
            .command(["bash", "-c", &format!("kill -{number} $$")])
            .run();
        end.code(128 + number);
        let name = [
            "SIGHUP",
            "SIGINT",
            "SIGABRT",
            "SIGKILL",
            "SIGSEGV",
            "SIGTERM",
            "SIGRTMIN+6",
            "SIGRTMAX",
        ][[1, 2, 6, 9, 11, 15, 40, 64]
            .iter()
            .position(|known| *known == number)
            .unwrap()];
        end.says(&["bash", name]);
    }
}

#[test]
fn leftovers_of_init_are_asked_to_end() {
    if can_be_init("leftovers_of_init_are_asked_to_end") {
        leftovers_are_asked_to_end(Pidone::plain().init());
    }
}

#[test]
fn leftovers_of_a_subreaper_are_asked_to_end() {
    leftovers_are_asked_to_end(Pidone::plain());
}

/// The orphan's last words stand on the same pipe, so all of them are there at the end.
fn leftovers_are_asked_to_end(pidone: Pidone) {
    let mut run = pidone.probe(["linger", "obey", "7"]).start();
    run.expect("ready");
    run.close_stdin();
    let end = run.end();
    end.code(7).quiet();
    assert_eq!(end.text(), "LEFT 15\n");
}

#[test]
fn an_expected_status_is_zero() {
    for options in [
        &["-e", "143"][..],
        &["--expect=3", "-e143"],
        &["-e", "143", "-e", "3"],
    ] {
        let run = Pidone::new(options).command(["cat"]).start();
        run.until_started();
        run.signal(15);
        run.end().code(0);
        let end = Pidone::new(options).shell("exit 3").run();
        end.code(if options.len() == 2 && options[0] == "-e" {
            3
        } else {
            0
        });
        Pidone::new(options).shell("exit 4").run().code(4);
    }
}

/// As after `trap '' CHLD`: the kernel would then throw the status away (wait(2), NOTES).
#[test]
fn an_ignored_sigchld_does_not_lose_the_status() {
    Pidone::plain()
        .with(["ignore=17"])
        .shell("exit 7")
        .run()
        .code(7)
        .quiet();
    Pidone::plain()
        .with(["block=17"])
        .shell("exit 7")
        .run()
        .code(7)
        .quiet();
}

#[test]
fn stubborn_leftovers_of_init_are_killed() {
    if can_be_init("stubborn_leftovers_of_init_are_killed") {
        stubborn_leftovers_are_killed(|options| Pidone::new(options).init());
    }
}

#[test]
fn stubborn_leftovers_of_a_subreaper_are_killed() {
    stubborn_leftovers_are_killed(|options| Pidone::new(options));
}

fn stubborn_leftovers_are_killed(pidone: fn(&[&str]) -> Pidone) {
    for (options, least) in [(&[][..], 1_900), (&["--grace", "300ms"], 290)] {
        let mut run = pidone(options).probe(["linger", "ignore", "7"]).start();
        run.expect("ready");
        run.close_stdin();
        run.expect("LEFT 15");
        // Its output ends with the last who could write to it.
        let end = run.end();
        end.code(7).quiet();
        assert_eq!(end.text(), "");
        assert!(end.took.as_millis() >= least, "{end:#?}");
    }
}

/// The grace is what it may take, not what it does take.
#[test]
fn pidone_leaves_as_soon_as_nobody_is_left() {
    let options = ["--grace", "10m"];
    let mut pidones = vec![Pidone::new(options)];
    if can_be_init("pidone_leaves_as_soon_as_nobody_is_left, as PID 1") {
        pidones.push(Pidone::new(options).init());
    }
    for pidone in pidones {
        let mut run = pidone.probe(["linger", "obey", "9"]).start();
        run.expect("ready");
        run.close_stdin();
        run.end().code(9).quiet();
    }
}

#[test]
fn many_requests_to_stop_end_the_wait_for_leftovers() {
    let run = Pidone::new(["--grace", "10m"])
        .probe(["linger", "ignore", "7"])
        .start();
    run.expect("ready");
    run.signal(15);
    run.expect("LEFT 15");
    let pidone = run.pid();
    processes::wait_until("patience ends", || {
        let runs = processes::state(pidone).is_some_and(|state| state != 'Z');
        if runs {
            processes::kill(pidone, 15);
        }
        !runs
    });
    run.end().code(143);
}

/// Somebody who came in by `docker exec` is no child of pidone's, and gets the same treatment.
#[test]
fn guests_of_init_may_finish_too() {
    if !is_root("guests_of_init_may_finish_too") {
        return;
    }
    let mut run = Pidone::plain().init().command(["cat"]).start();
    run.until_started();
    let pid = run.pid();
    let mut guest = std::process::Command::new("nsenter");
    guest.args(["--target", &pid.to_string(), "--pid", "--mount", "--"]);
    guest.arg(probe()).args(["signals", "15", "3"]);
    guest.stdout(std::process::Stdio::piped());
    let mut guest = guest.spawn().unwrap();
    let mut said = std::io::BufReader::new(guest.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("ready"), "{line}");
    run.close_stdin();
    let end = run.end();
    let guest = guest.wait().unwrap();
    assert_eq!(
        guest.code(),
        Some(3),
        "SIGTERM reached it, not PID 1's end: {guest}"
    );
    end.code(0).quiet();
}

#[test]
fn the_end_of_orphans_never_disturbs_the_status() {
    let mut run = Pidone::plain().probe(["orphans", "300", "42"]).start();
    run.expect("born and gone 300");
    run.close_stdin();
    run.end().code(42).quiet();
}
