//! Signals that are for pidone itself, and processes that are stopped.

use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, Status, can_be_init, processes, words};

#[test]
fn sigabrt_ends_pidone_and_its_workers() {
    // The kernel keeps such a signal from PID 1.
    let mut ways = vec![(false, Status::Killed(libc::SIGABRT))];
    if can_be_init("sigabrt_ends_pidone_and_its_workers, as PID 1") {
        ways.push((true, Status::Code(134)));
    }
    for (as_init, status) in ways {
        let service = App::named(PLAIN)
            .start_with(
                2,
                [""; 0],
                |pidone| {
                    if as_init { pidone.init() } else { pidone }
                },
            )
            .ready();
        let workers = service.workers();
        service.run.signal(libc::SIGABRT);
        let end = service.run.end();
        assert_eq!(end.status, status, "{end:?}");
        assert!(
            end.stderr.contains("SIGABRT: killing all workers"),
            "{end:?}"
        );
        processes::wait_until("no worker is left", || {
            let lives = |pid: &i32| processes::state(*pid).is_some_and(|state| state != 'Z');
            !workers.iter().any(lives)
        });
    }
}

/// As when `docker run -it` loses its terminal, or a terminal emulator is closed.
#[test]
fn a_terminal_that_closes_stops_the_workers() {
    let pty = nix::pty::openpty(None, None).unwrap();
    for fd in [&pty.master, &pty.slave] {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    // pidone leads the session.
    let service = App::named(PLAIN)
        .start_with(2, [""; 0], |pidone| {
            pidone
                .under(["setsid", "--ctty", "--wait"])
                .stdin(pty.slave)
        })
        .ready();
    // One that somebody has sent.
    service.reload();
    drop(pty.master);
    let end = service.run.end();
    end.code(0);
    assert!(end.stderr.contains("the terminal is closed"), "{end:?}");
    assert!(end.stderr.contains(words::STOPPING), "{end:?}");
}

#[test]
fn a_stopped_child_is_continued_by_a_stop() {
    let mut pidones = vec![Pidone::plain()];
    if can_be_init("a_stopped_child_is_continued_by_a_stop, as PID 1") {
        pidones.push(Pidone::plain().init());
    }
    for pidone in pidones {
        let run = pidone.command(["cat"]).start();
        run.until_started();
        let child = run.child_pid();
        processes::kill(child, libc::SIGSTOP);
        processes::wait_until("it is stopped", || processes::state(child) == Some('T'));
        run.signal(libc::SIGTERM);
        run.end().code(143);
    }
}
