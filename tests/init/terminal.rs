//! pidone between a terminal and its child.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{Pidone, Run, binary, can_be_init, probe, processes};

/// What Ctrl-C, Ctrl-\ and Ctrl-Z send.
const CTRL_C: &str = "\x03";
const CTRL_BACKSLASH: &str = "\x1c";
const CTRL_Z: &str = "\x1a";

/// `code 128` is the kernel's own (`SI_KERNEL`, sigaction(2)): nobody has sent it again.
const FROM_TERMINAL: &str = "code 128 from 0 foreground 1\r\n";

fn terminal_of(run: &Run) -> PathBuf {
    std::fs::read_link(format!("/proc/{}/fd/0", run.outer_pid())).unwrap()
}

fn set_terminal(run: &Run, settings: &[&str]) {
    let mut stty = Command::new("stty");
    stty.arg("-F")
        .arg(terminal_of(run))
        .args(settings)
        .stdin(Stdio::null());
    assert!(stty.status().unwrap().success());
}

/// As in a container started with `-it`: pidone leads the session.
fn on_terminals(test: &str) -> Vec<Pidone> {
    let mut pidones = vec![Pidone::plain().in_terminal()];
    if can_be_init(&format!("{test}, as PID 1")) {
        pidones.push(Pidone::plain().init().in_terminal());
    }
    pidones
}

#[test]
fn keys_and_sizes_reach_the_child_once() {
    for pidone in on_terminals("keys_and_sizes_reach_the_child_once") {
        let mut run = pidone.probe(["signals", "10", "5"]).start();
        run.expect("ready");
        for (key, number) in [(CTRL_C, 2), (CTRL_BACKSLASH, 3), (CTRL_Z, 20), (CTRL_C, 2)] {
            run.write(key);
            let echo = run.until(&format!("SIGNAL {number} {FROM_TERMINAL}"));
            assert!(!echo.contains("SIGNAL"), "{echo:?}");
        }
        set_terminal(&run, &["cols", "100"]);
        run.expect("SIGNAL 28 code 128 from 0 foreground 1");
        run.signal(28);
        run.expect("SIGNAL 28 code 0 ");
        run.signal(10);
        run.expect("SIGNAL 10 code 0 ");
        run.end().code(5);
    }
}

#[test]
fn ctrl_c_ends_an_app_that_does_not_mind() {
    for pidone in on_terminals("ctrl_c_ends_an_app_that_does_not_mind") {
        let mut run = pidone
            .node("setInterval(() => {}, 1e6); console.log('ready')")
            .start();
        run.until("ready\r\n");
        run.write(CTRL_C);
        run.end().code(130);
    }
}

/// Nobody is there who could continue it: it goes on by itself.
#[test]
fn ctrl_z_stops_nothing_that_nobody_could_continue() {
    for pidone in on_terminals("ctrl_z_stops_nothing_that_nobody_could_continue") {
        let mut run = pidone.probe(["jobsignals", "2", "6"]).start();
        run.expect("ready");
        run.write(CTRL_Z);
        run.until("SIGNAL 18 code 0 ");
        run.write(CTRL_C);
        run.until(&format!("SIGNAL 2 {FROM_TERMINAL}"));
        run.end().code(6);
    }
}

#[test]
fn the_repl_answers_and_knows_ctrl_c() {
    for pidone in on_terminals("the_repl_answers_and_knows_ctrl_c") {
        let pidone = pidone
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("NODE_REPL_HISTORY", "");
        let mut run = pidone.command(["node"]).start();
        run.until("> ");
        run.write("1+1\r");
        run.until("\r\n2\r\n");
        run.write("console.log('an' + 'swer')\r");
        run.until("\r\nanswer\r\n");
        run.until("> ");
        run.write(CTRL_C);
        run.until("To exit, press Ctrl+C again");
        run.until("> ");
        run.write("process.stdout.columns * 0 + 77\r");
        run.until("\r\n77\r\n");
        run.write(".exit 3\r");
        run.end().code(0);
    }
}

#[test]
fn the_terminal_is_given_back() {
    for (script, status) in [("exit 3", 3), ("kill -9 $$", 137)] {
        let run = Pidone::plain().job(false).shell(script).start();
        run.until("foreground is the job");
        run.end().code(status);
    }
}

/// The child that could not become its program had taken the terminal already.
#[test]
fn the_terminal_is_given_back_when_nothing_could_be_started() {
    let run = Pidone::plain()
        .job(false)
        .command(["/no/such/command"])
        .start();
    run.until("foreground is the job");
    run.end().code(127);
}

/// Not by a child in the background, which has no business with the foreground.
#[test]
fn the_terminal_is_not_taken_from_others() {
    let run = Pidone::plain().job(true).probe(["report"]).start();
    run.until("foreground 0\r\n");
    run.until("foreground is the shell");
    run.end().code(0);
}

/// With `stty tostop`, whoever writes from the background is stopped, unless he blocks SIGTTOU.
#[test]
fn in_the_background_pidone_is_not_stopped() {
    let run = Pidone::new(["-v"])
        .stdout(Stdio::piped())
        .job(true)
        .probe(["signals", "10", "5"])
        .start();
    run.expect("ready");
    set_terminal(&run, &["tostop"]);
    for (number, name) in [
        (22, "SIGTTOU"),
        (21, "SIGTTIN"),
        (20, "SIGTSTP"),
        (10, "SIGUSR1"),
    ] {
        run.signal(number);
        run.expect(&format!("SIGNAL {number} code 0 "));
        run.until_stderr(&format!("{name} to"));
    }
    run.expect("foreground is the shell");
    run.end().code(5);
}

/// A real interactive shell, for what only a shell does.
struct Shell(Run);

impl Shell {
    fn start() -> Self {
        let run =
            Pidone::interactive_shell("bash", &["--norc", "--noprofile", "--noediting", "-i"]);
        let shell = Self(run);
        shell.prompt();
        shell
    }

    fn prompt(&self) {
        self.0.until("SHELL> ");
    }

    /// Types pidone's command line.
    fn pidone(&mut self, rest: &str) {
        self.0.write(&format!("'{}' {rest}\n", binary().display()));
    }

    fn leave(mut self) {
        self.0.write("exit 0\n");
        self.0.end().code(0);
    }
}

#[test]
fn a_shell_suspends_and_resumes_the_job() {
    let mut shell = Shell::start();
    shell.pidone(&format!("-- '{}' jobsignals 10 4", probe().display()));
    shell.0.until("\nready");
    let (pidone, child) = (shell.0.pid(), shell.0.child_pid());
    for _ in 0..3 {
        shell.0.write(CTRL_Z);
        shell.0.until("Stopped");
        shell.prompt();
        assert_eq!(processes::state(pidone), Some('T'));
        assert_eq!(processes::state(child), Some('T'));
        shell.0.write("fg\n");
        let line = shell.0.until("SIGNAL 18 code 0");
        assert!(!line.contains("SIGNAL"), "{line:?}");
        shell.0.until("foreground 1\r\n");
        shell.0.write(CTRL_C);
        shell.0.until(&format!("SIGNAL 2 {FROM_TERMINAL}"));
    }
    shell.0.write(CTRL_Z);
    shell.0.until("Stopped");
    shell.prompt();
    shell.0.write("bg\n");
    shell.0.until("SIGNAL 18 code 0");
    shell.0.until("foreground 0\r\n");
    shell.0.write("kill -USR1 %1\n");
    shell.0.until("SIGNAL 10 code 0");
    shell.0.write("wait %1; echo status=$?\n");
    shell.0.until("\nstatus=4\r\n");
    shell.leave();
}

#[test]
fn a_job_in_the_background_waits_for_the_terminal() {
    let mut shell = Shell::start();
    shell.pidone("-- cat &");
    shell.prompt();
    processes::wait_until("both are stopped", || {
        let family = processes::family(shell.0.outer_pid());
        family.len() == 3
            && family[1..]
                .iter()
                .all(|pid| processes::state(*pid) == Some('T'))
    });
    shell.0.write("fg\n");
    shell.0.until("-- cat");
    shell.0.write("hello\n");
    shell.0.until("hello\r\nhello\r\n");
    shell.0.write("\x04");
    shell.prompt();
    shell.0.write("echo status=$?\n");
    shell.0.until("\nstatus=0\r\n");
    shell.leave();
}

#[test]
fn a_shell_goes_on_after_ctrl_c() {
    let mut shell = Shell::start();
    shell.pidone("-- cat");
    shell.0.until("-- cat\r\n");
    shell.0.until_started();
    shell.0.write(CTRL_C);
    shell.prompt();
    shell.0.write("echo status=$?\n");
    shell.0.until("\nstatus=130\r\n");
    shell.leave();
}
