//! Real Node.js apps.

use crate::harness::{Pidone, can_be_init};

#[test]
fn an_app_with_a_handler_ends_with_its_own_status() {
    let app = "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1e6); console.log('ready')";
    let mut pidones = vec![Pidone::plain()];
    if can_be_init("an_app_with_a_handler_ends_with_its_own_status, as PID 1") {
        pidones.push(Pidone::plain().init());
    }
    for pidone in pidones {
        let run = pidone.node(app).start();
        run.expect("ready");
        run.signal(15);
        run.end().code(9).quiet();
    }
}

#[test]
fn an_app_without_a_handler_ends_all_the_same() {
    let app = "setInterval(() => {}, 1e6); console.log('ready')";
    let mut pidones = vec![Pidone::plain()];
    if can_be_init("an_app_without_a_handler_ends_all_the_same, as PID 1") {
        pidones.push(Pidone::plain().init());
    }
    for pidone in pidones {
        let run = pidone.node(app).start();
        run.expect("ready");
        run.signal(15);
        run.end().code(143).says(&["node", "SIGTERM"]);
    }
}

/// What it has spawned and forgotten is asked to end when it is gone.
#[test]
fn what_an_app_leaves_behind_ends_too() {
    let app = r#"
        const { spawn } = require("child_process");
        const script = "trap 'echo cleaned up; exit' TERM; echo child; while :; do read line; done";
        const child = spawn("bash", ["-c", script], { detached: true, stdio: ["pipe", "inherit", "inherit"] });
        process.stdin.on("end", () => process.exit(4)).resume();
    "#;
    let mut run = Pidone::plain().node(app).start();
    run.expect("child");
    run.close_stdin();
    let end = run.end();
    end.code(4);
}
