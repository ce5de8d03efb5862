//! With which status pidone leaves, and what becomes of those who are left.

use crate::harness::{Pidone, Run, Status, can_be_init, is_root, probe, processes, scaled_ms};

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
    let grace = scaled_ms(300);
    for (options, least) in [(&[][..], 1_900), (&["--grace", &grace], 290)] {
        let mut run = pidone(options).probe(["linger", "ignore", "7"]).start();
        run.expect("ready");
        run.close_stdin();
        run.expect("LEFT 15");
        // Its output ends with the last who could write to it.
        let end = run.end();
        end.code(7);
        let killed =
            "pidone: warning: remaining processes did not exit; sending SIGKILL: probe (pid ";
        assert_eq!(end.stderr.matches(killed).count(), 1, "{end:#?}");
        // SIGCONT, for those that are stopped.
        assert_eq!(end.text(), "LEFT 18\n");
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

/// A program that somebody starts in the container of this pidone, as `docker exec` does.
fn guest(run: &Run, program: &[&str]) -> Pidone {
    let pid = run.pid().to_string();
    let nsenter = ["nsenter", "--target", &pid, "--pid", "--mount", "--"];
    Pidone::program(program).under(nsenter)
}

/// Somebody who came in by `docker exec` is no child of pidone's, and gets the same treatment. Where
/// pidfd_open(2) is refused too, as by old kernels and profiles.
#[test]
fn guests_of_init_may_finish_too() {
    if !is_root("guests_of_init_may_finish_too") {
        return;
    }
    let refused = format!("refuse={}", libc::SYS_pidfd_open);
    for circumstances in [&[][..], &[refused]] {
        let pidone = Pidone::plain().init().with(circumstances);
        let mut run = pidone.command(["cat"]).start();
        run.until_started();
        let probe = probe().to_str().unwrap();
        let guest = guest(&run, &[probe, "signals", "15", "3"]).start();
        guest.expect("ready");
        run.close_stdin();
        run.end().code(0).quiet();
        // SIGTERM has reached it, and not PID 1's end.
        guest.end().code(3);
    }
}

/// It ignores SIGTERM.
#[test]
fn a_shell_left_open_does_not_hold_up_the_end() {
    if !is_root("a_shell_left_open_does_not_hold_up_the_end") {
        return;
    }
    let mut run = Pidone::new(["--grace", "10m"])
        .init()
        .command(["cat"])
        .start();
    run.until_started();
    let shell = guest(&run, &["/bin/sh", "-i"])
        .env("PS1", "SHELL> ")
        .in_terminal()
        .start();
    shell.until("SHELL> ");
    run.close_stdin();
    run.end().code(0).quiet();
    assert_eq!(shell.end().status, Status::Killed(libc::SIGHUP));
}

/// They come to pidone with the end of their parent, and no signal tells.
#[test]
fn children_of_guests_may_finish_too() {
    if !is_root("children_of_guests_may_finish_too") {
        return;
    }
    let mut run = Pidone::plain().init().command(["cat"]).start();
    run.until_started();
    let script = "(trap 'sleep 0.3; echo finished; exit' TERM; echo up; while :; do sleep 0.01; done) & wait";
    let guest = guest(&run, &["/bin/sh", "-c", script]).start();
    guest.expect("up");
    run.close_stdin();
    run.end().code(0);
    guest.expect("finished");
}

#[test]
fn the_end_of_orphans_never_disturbs_the_status() {
    let mut run = Pidone::plain().probe(["orphans", "300", "42"]).start();
    run.expect("born and gone 300");
    run.close_stdin();
    run.end().code(42).quiet();
}
