//! With which status pidone leaves, and what becomes of those who are left.

use crate::harness::{Pidone, can_be_init};

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
        leftovers_are_asked_to_end(Pidone::plain().as_init());
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
