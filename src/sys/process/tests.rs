use super::*;
use crate::config::Command;
use crate::sys::reaper;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

fn shell(script: &str) -> PreparedCommand {
    let command = Command {
        program: "/bin/sh".into(),
        args: ["-c", script].map(Into::into).into(),
    };
    PreparedCommand::new(&command, None).unwrap()
}

/// The children's output until the last of them has exited.
fn read(mut output: PipeReader) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

fn inheritance_of<'a>(descriptors: &'a [BorrowedFd<'a>]) -> Inheritance<'a> {
    Inheritance {
        descriptors,
        ..Inheritance::default()
    }
}

/// Duplicates a descriptor to this number or a higher one; the number is the point of the test.
fn move_to(fd: BorrowedFd<'_>, number: i32) -> OwnedFd {
    // SAFETY: takes numbers only.
    let moved = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    // SAFETY: the kernel has just returned this descriptor; no other code owns it.
    unsafe { OwnedFd::from_raw_fd(Errno::result(moved).unwrap()) }
}

#[test]
fn descriptors_are_passed_in_order_from_any_number() {
    // The pipes probably have the numbers that the child's descriptors need, in another order.
    for far_away in [false, true] {
        let (readers, mut writers): (Vec<_>, Vec<_>) = (0..6)
            .map(|_| pipe().unwrap())
            .map(|(reader, writer)| (reader, OwnedFd::from(writer)))
            .unzip();
        if far_away {
            writers = writers.iter().map(|fd| move_to(fd.as_fd(), 100)).collect();
        }
        let inheritance: Vec<_> = writers.iter().rev().map(AsFd::as_fd).collect();
        let program = shell("for fd in 3 4 5 6 7 8; do eval \"echo $fd >&$fd\"; done");
        let pid = program.spawn(&Setup::default(), inheritance_of(&inheritance));
        drop(writers);
        for (reader, number) in readers.into_iter().rev().zip(3..) {
            assert_eq!(read(reader), format!("{number}\n"));
        }
        reaper::discard(pid.unwrap());
    }
}

#[test]
fn one_descriptor_can_be_passed_twice() {
    let (reader, writer) = pipe().unwrap();
    let program = shell("echo three >&3; echo four >&4");
    let inheritance = [writer.as_fd(), writer.as_fd()];
    let pid = program.spawn(&Setup::default(), inheritance_of(&inheritance));
    drop(writer);
    assert_eq!(read(reader), "three\nfour\n");
    reaper::discard(pid.unwrap());
}

#[test]
fn the_environment_is_passed_with_the_childs_process_id() {
    let (reader, writer) = pipe().unwrap();
    let mut environment = Environment::of(vec![c"no variable".into(), c"A=1".into()]);
    environment.set("LISTEN_PID", "77");
    environment.set_listen_pid();
    // Written by the shell itself: the first process reads its own environment.
    let program = shell("echo $$ >&3; tr '\\0' '\\n' </proc/$$/environ >&3");
    let inheritance = Inheritance {
        descriptors: &[writer.as_fd()],
        environment: Some(&environment),
        directory: None,
    };
    let pid = program.spawn(&Setup::default(), inheritance).unwrap();
    drop(writer);
    let expected = format!("{pid}\nno variable\nA=1\nLISTEN_PID={pid}\n");
    assert_eq!(read(reader), expected);
    reaper::discard(pid);
}

#[test]
fn passing_too_many_descriptors_is_a_separate_error() {
    // SAFETY: the number is not open, and is only used as a number.
    let closed = unsafe { BorrowedFd::borrow_raw(9_999) };
    let error = shell("exit 0")
        .spawn(&Setup::default(), inheritance_of(&[closed]))
        .unwrap_err();
    assert_eq!(error.step, SpawnStep::Descriptors);
    assert_eq!(error.cause.raw_os_error(), Some(libc::EBADF));
}
