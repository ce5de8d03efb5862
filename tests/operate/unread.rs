//! Standard error and standard output that nobody reads: pidone does not wait.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, can_be_init, is_root, processes};

/// Writes until there is no room, and leaves the description as it was. Tells how much it took.
fn fill(writer: &mut (impl Write + AsFd)) -> usize {
    let flags = OFlag::from_bits_retain(flags_of(writer));
    fcntl(&writer, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
    let mut filled = 0;
    while let Ok(bytes) = writer.write(&[b'.'; 4096]) {
        filled += bytes;
    }
    fcntl(&writer, FcntlArg::F_SETFL(flags)).unwrap();
    filled
}

fn flags_of(file: &impl AsFd) -> i32 {
    fcntl(file, FcntlArg::F_GETFL).unwrap()
}

fn skip(reader: &mut impl Read, filled: usize) {
    reader.read_exact(&mut vec![0; filled]).unwrap();
}

/// Both a pipe, as container runtimes give, and a socket.
#[test]
fn workers_are_looked_after_while_nobody_reads_the_log() {
    let (reader, writer) = std::io::pipe().unwrap();
    look_after_workers(reader, writer);
    let (reader, writer) = UnixStream::pair().unwrap();
    look_after_workers(reader, writer);
}

fn look_after_workers(mut reader: impl Read, mut writer: impl Write + AsFd + Into<OwnedFd>) {
    let filled = fill(&mut writer);
    let theirs = Stdio::from(writer.as_fd().try_clone_to_owned().unwrap());
    let service = App::named(PLAIN).start_with(2, [""; 0], |pidone| pidone.stderr(theirs));
    let first = *service.up(2).iter().next().unwrap();
    // A death, which is worth a line, and its successor; nobody stays a zombie.
    processes::kill(first, libc::SIGKILL);
    service.up(1);
    processes::wait_until("it is reaped", || processes::state(first).is_none());
    skip(&mut reader, filled);
    service.run.signal(libc::SIGTERM);
    service.run.end().code(0);
    drop(writer);
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    let mut lines = log.lines();
    let told = lines.next().unwrap();
    assert!(
        told.starts_with("pidone: warning: ") && told.contains(" dropped: "),
        "{log}"
    );
    assert!(lines.any(|line| line.contains("SIGTERM")), "{log}");
}

/// As tini and every other init does. The last line is lost, and the first one that could tell comes
/// too late.
#[test]
fn a_full_pipe_does_not_keep_single_mode_from_ending() {
    let mut pidones = vec![Pidone::new(["-v"])];
    if can_be_init("a_full_pipe_does_not_keep_single_mode_from_ending, as PID 1") {
        pidones.push(Pidone::new(["-v"]).init());
    }
    if is_root("a_full_pipe_does_not_keep_single_mode_from_ending, another user's") {
        pidones.push(Pidone::new(["-v"]).with(["uid=65534"]));
    }
    for pidone in pidones {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        fill(&mut writer);
        let flags = flags_of(&writer);
        let theirs = writer.try_clone().unwrap();
        let run = pidone
            .shell("echo ready; exec sleep 1000")
            .stderr(theirs)
            .start();
        run.expect("ready");
        processes::kill(run.child_pid(), libc::SIGKILL);
        run.end().code(137);
        // The app's own writes are as they were.
        assert_eq!(flags_of(&writer), flags);
    }
}

/// Ctrl-S stops the output of a terminal (termios(3), `IXON`).
#[test]
fn a_stopped_terminal_keeps_nobody_from_ending() {
    let mut run = Pidone::new(["-v"])
        .in_terminal()
        .probe(["signals", "99", "0"])
        .start();
    run.until("ready");
    run.write("\x13");
    processes::kill(run.child_pid(), libc::SIGKILL);
    run.end().code(137);
}

/// A wait for each line would take minutes.
#[test]
fn a_storm_of_lines_is_not_a_storm_of_waits() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let filled = fill(&mut writer);
    let mut run = Pidone::new(["-s", "-w"])
        .probe(["orphans", "1000", "42"])
        .stderr(writer)
        .start();
    run.expect("born and gone 1000");
    run.close_stdin();
    run.end().code(42);
    skip(&mut reader, filled);
}

/// It would take ten seconds by itself; a signal ends it at once.
#[test]
fn an_answer_that_nobody_reads_can_be_interrupted() {
    for words in [&["--help"][..], &["ctl", "--help"]] {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        fill(&mut writer);
        let run = Pidone::new(words).stdout(writer).start();
        processes::wait_until("it waits", || {
            processes::state(run.outer_pid()) == Some('S')
        });
        run.signal(libc::SIGTERM);
        run.end().code(125).says(&["not read", "SIGTERM"]);
    }
}
