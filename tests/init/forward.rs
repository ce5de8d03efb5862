//! Signals on their way to the child.

use std::os::unix::fs::FileExt;

use crate::harness::{Pidone, Run, Status, can_be_init, processes, scaled_ms, skipped};

const KILL: i32 = 9;
const CHLD: i32 = 17;
const STOP: i32 = 19;

#[test]
fn every_signal_reaches_the_child() {
    every_signal(Pidone::plain());
}

#[test]
fn every_signal_reaches_the_child_of_init() {
    if can_be_init("every_signal_reaches_the_child_of_init") {
        every_signal(Pidone::plain().init());
    }
}

/// One after the other, so that the next line proves that nothing else came in between.
fn every_signal(pidone: Pidone) {
    let run = pidone.probe(["signals", "64", "3"]).start();
    run.expect("ready");
    let pidone = run.pid();
    for number in (1..=64).filter(|number| ![KILL, CHLD, STOP].contains(number)) {
        processes::kill(pidone, number);
        run.expect(&format!("SIGNAL {number} code 0 "));
    }
    run.end().code(3).quiet();
}

#[test]
fn the_death_of_children_is_pidones_own_affair() {
    let run = Pidone::plain().probe(["signals", "10"]).start();
    run.expect("ready");
    run.signal(CHLD);
    run.signal(10);
    run.expect("SIGNAL 10 ");
    run.end().code(0);
}

/// The kernel keeps real-time signals apart, however many of one kind there are (signal(7)).
#[test]
fn a_burst_of_queued_signals_arrives_in_full() {
    let run = Pidone::plain().probe(["count", "40", "500"]).start();
    run.expect("ready");
    processes::kill_often(run.pid(), 40, 500);
    run.expect("all 500");
    run.end().code(0).quiet();
}

/// Somebody sent it before pidone's first instruction: it waits, and then has its usual effect.
#[test]
fn a_signal_before_the_child_exists_is_delivered_to_it() {
    for number in [1, 2, 10, 15, 34, 64] {
        let pend = format!("pend={number}");
        let run = Pidone::plain().with([&pend]).command(["cat"]).start();
        run.end().code(128 + number);
        if can_be_init("a_signal_before_the_child_exists_is_delivered_to_it, as PID 1") {
            let run = Pidone::plain()
                .init()
                .with([&pend])
                .command(["cat"])
                .start();
            run.end().code(128 + number);
        }
    }
}

/// A PATH of many directories that do not exist makes the start take long.
#[test]
fn a_signal_during_the_start_is_delivered() {
    let path = format!("{}/usr/bin:/bin", "/x:".repeat(40_000));
    let run = Pidone::plain().env("PATH", path).command(["cat"]).start();
    let pidone = run.outer_pid();
    processes::wait_until("the child is on its way", || {
        !processes::children(pidone).is_empty()
    });
    run.signal(15);
    run.end().code(143);
}

#[test]
fn only_the_child_is_meant() {
    for options in [&[][..], &["-c"], &["--single-child"]] {
        let run = Pidone::new(options).probe(["family", "10"]).start();
        let mut ready = [run.line(), run.line()];
        ready.sort();
        assert_eq!(ready, ["child ready", "parent ready"]);
        let [grandchild] = processes::children(run.child_pid())[..] else {
            panic!("a family of two")
        };
        run.signal(12);
        run.expect("parent 12");
        // Had it got the signal as well, it would say so before this one.
        processes::kill(grandchild, 10);
        run.expect("child 10");
        run.signal(10);
        run.expect("parent 10");
        run.end().code(0);
    }
}

#[test]
fn group_means_the_childs_whole_group() {
    for options in [["-g"], ["--group"]] {
        let run = Pidone::new(options).probe(["family", "10"]).start();
        run.expect("");
        run.expect("");
        for number in [12, 10] {
            run.signal(number);
            let mut got = [run.line(), run.line()];
            got.sort();
            assert_eq!(got, [format!("child {number}"), format!("parent {number}")]);
        }
        run.end().code(0);
    }
}

/// Sends each signal and looks at what becomes of it; nothing for a signal that is dropped.
fn translates(run: &Run, pairs: &[(i32, Option<i32>)]) {
    for (sent, wanted) in pairs {
        run.signal(*sent);
        if let Some(wanted) = wanted {
            run.expect(&format!("SIGNAL {wanted} "));
        }
    }
}

#[test]
fn rewrite_speaks_names_and_numbers() {
    for (from, to) in [
        ("TERM", "INT"),
        ("SIGTERM", "SIGINT"),
        ("15", "2"),
        ("sigterm", "2"),
        ("15", "int"),
    ] {
        let run = Pidone::new(["-r", &format!("{from}:{to}")])
            .probe(["signals", "10"])
            .start();
        run.expect("ready");
        translates(
            &run,
            &[(15, Some(2)), (2, Some(2)), (1, Some(1)), (10, Some(10))],
        );
        run.end().code(0);
    }
}

#[test]
fn rewrite_is_repeatable_and_drops() {
    let options = [
        "-r",
        "HUP:0",
        "--rewrite",
        "RTMIN+3:USR2",
        "--rewrite=WINCH:RTMAX-1",
        "-rUSR2:HUP",
    ];
    let run = Pidone::new(options).probe(["signals", "10"]).start();
    run.expect("ready");
    // What was rewritten once is not rewritten again.
    translates(
        &run,
        &[
            (1, None),
            (37, Some(12)),
            (28, Some(63)),
            (12, Some(1)),
            (1, None),
            (10, Some(10)),
        ],
    );
    run.end().code(0);
}

#[test]
fn rewrite_can_kill() {
    let run = Pidone::new(["-r", "HUP:KILL"]).probe(["signals"]).start();
    run.expect("ready");
    run.signal(1);
    run.end().code(137);
}

#[test]
fn stop_signal_stands_for_every_request_to_stop() {
    let run = Pidone::new(["--stop-signal", "QUIT"])
        .probe(["signals", "10"])
        .start();
    run.expect("ready");
    translates(
        &run,
        &[
            (15, Some(3)),
            (2, Some(3)),
            (3, Some(3)),
            (1, Some(1)),
            (12, Some(12)),
            (10, Some(10)),
        ],
    );
    run.end().code(0);
}

#[test]
fn grace_ends_with_sigkill() {
    let run = Pidone::new(["--grace", &scaled_ms(300)])
        .probe(["signals", "64"])
        .start();
    run.expect("ready");
    // Not a request to stop: nothing runs out.
    run.signal(1);
    run.expect("SIGNAL 1 ");
    run.signal(15);
    run.expect("SIGNAL 15 ");
    let asked = std::time::Instant::now();
    let end = run.end();
    assert!(asked.elapsed().as_millis() >= 250, "{end:#?}");
    end.code(137);
    assert!(
        end.stderr.contains("grace") && end.stderr.contains("SIGKILL"),
        "{end:#?}"
    );
}

#[test]
fn the_death_of_the_parent_is_a_signal() {
    let mut run = Pidone::new(["-p", "USR1"])
        .under(["bash", "-c", "\"$@\" & read -r", "bash"])
        .probe(["signals", "10", "4"])
        .start();
    run.expect("ready");
    run.close_stdin();
    run.expect("SIGNAL 10 ");
    // The end of the shell; its job is over when the pipes are.
    run.end();
}

/// A fault of pidone's own: its code is overwritten where it will go on after its wait.
#[test]
fn a_fault_of_pidone_itself_is_not_forwarded() {
    let run = Pidone::plain().probe(["signals", "10"]).start();
    run.expect("ready");
    let (pidone, child) = (run.pid(), run.child_pid());
    let counter = processes::wait_for_sleep(pidone);
    let memory = std::fs::File::options()
        .write(true)
        .open(format!("/proc/{pidone}/mem"));
    if let Err(error) = memory.and_then(|memory| memory.write_all_at(&[0; 64], counter)) {
        skipped(
            "a_fault_of_pidone_itself_is_not_forwarded",
            &format!("this kernel protects code: {error}"),
        );
        return;
    }
    processes::kill(pidone, 12);
    processes::wait_until("pidone is dead", || processes::state(pidone) == Some('Z'));
    processes::kill(child, 10);
    run.expect("SIGNAL 10 ");
    let end = run.end();
    let faults = [libc::SIGSEGV, libc::SIGILL].map(Status::Killed);
    assert!(faults.contains(&end.status), "{end:#?}");
}
