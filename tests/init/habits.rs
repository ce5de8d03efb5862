//! What users of tini and dumb-init are used to.

use crate::harness::{Pidone, can_be_init, processes, scaled_ms};

#[test]
fn the_license_is_there_for_those_who_ask() {
    for option in ["-l", "--license"] {
        let end = Pidone::new([option]).run();
        let text = end.code(0).quiet().text();
        // And what is linked in: .ci/release-check compares the names.
        let (own, others) = text.split_at(include_str!("../../LICENSE").len());
        assert_eq!(own, include_str!("../../LICENSE"));
        assert!(
            others.contains("nix") && others.contains("THIRD-PARTY-LICENSES"),
            "{text}"
        );
    }
}

/// An entry point of tini's and one of dumb-init's, with only the path changed.
#[test]
fn their_command_lines_work() {
    for options in [
        &["-s"][..],
        &["-sg"],
        &["-vvv"],
        &["-g", "-w", "-v"],
        &["-p", "SIGTERM", "-s"],
        &["-e", "143", "-e130"],
        &["-c"],
        &["--single-child"],
        &["-v", "-c"],
        &["--rewrite", "15:3"],
        &["-r", "15:2", "-r", "2:15"],
        &["--verbose"],
    ] {
        Pidone::new(options).shell("exit 6").run().code(6);
        // Both also take the command without `--`.
        let line = options.iter().copied().chain(["sh", "-c", "exit 6"]);
        Pidone::new(line).run().code(6);
    }
}

#[test]
fn the_subreaper_of_init_is_no_error() {
    if can_be_init("the_subreaper_of_init_is_no_error") {
        Pidone::new(["-s"])
            .init()
            .shell("exit 6")
            .run()
            .code(6)
            .quiet();
    }
}

#[test]
fn the_louder_the_more() {
    let lines = |options: &[&str]| {
        let end = Pidone::new(options).shell("exit 0").run();
        end.code(0).stderr.lines().count()
    };
    assert_eq!(lines(&[]), 0);
    let debug = lines(&["-v"]);
    assert!(0 < debug && debug < lines(&["-v", "-v"]));
    assert_eq!(lines(&["-vv"]), lines(&["-v", "-v"]));
}

/// dumb-init's `-c` is pidone's default; its default is pidone's `-g`. The child has a group of its
/// own either way.
#[test]
fn the_child_never_shares_pidones_group() {
    for options in [&["-c"][..], &["-g"], &[]] {
        let mut run = Pidone::new(options).command(["cat"]).start();
        run.until_started();
        let child = run.child_pid();
        assert_eq!(
            nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(child)))
                .unwrap()
                .as_raw(),
            child
        );
        assert_ne!(processes::state(child), None);
        run.close_stdin();
        run.end().code(0);
    }
}

#[test]
fn every_option_can_be_a_variable() {
    let run = Pidone::plain()
        .env("PIDONE_REWRITE", "TERM:INT, HUP:0")
        .env("PIDONE_EXPECT", "3,4")
        .env("PIDONE_WARN_ON_REAP", "1")
        .probe(["signals", "2", "4"])
        .start();
    run.expect("ready");
    run.signal(1);
    run.signal(15);
    run.expect("SIGNAL 2 ");
    run.end().code(0).quiet();
    let run = Pidone::plain()
        .env("PIDONE_GROUP", "1")
        .probe(["family", "10"])
        .start();
    run.expect("");
    run.expect("");
    run.signal(10);
    let mut got = [run.line(), run.line()];
    got.sort();
    assert_eq!(got, ["child 10", "parent 10"]);
    run.end().code(0);
    let run = Pidone::plain()
        .env("PIDONE_STOP_SIGNAL", "USR2")
        .env("PIDONE_GRACE", scaled_ms(200))
        .probe(["signals", "64"])
        .start();
    run.expect("ready");
    run.signal(15);
    run.expect("SIGNAL 12 ");
    run.end().code(137);
}

#[test]
fn the_command_line_wins_over_the_variable() {
    let run = Pidone::new(["--stop-signal", "HUP", "-r", "USR1:WINCH"])
        .env("PIDONE_STOP_SIGNAL", "USR2")
        .env("PIDONE_REWRITE", "USR1:0")
        .probe(["signals", "1"])
        .start();
    run.expect("ready");
    run.signal(10);
    run.expect("SIGNAL 28 ");
    run.signal(15);
    run.expect("SIGNAL 1 ");
    run.end().code(0);
}
