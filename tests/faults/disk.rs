//! A disk with no room: `tests/operate` tells where the control socket goes then.

use std::fs::File;

use crate::SOON;
use crate::harness::http::server_of;
use crate::harness::killed::Killed;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, is_root, processes};

/// A file system of our own with room for nothing: the one file it may have is its root (tmpfs(5)).
fn with_full_disk(options: &[&str]) -> Pidone {
    let script = "mount -t tmpfs -o nr_inodes=1 none /mnt && exec \"$@\"";
    Pidone::new(options)
        .under(["unshare", "--mount", "sh", "-c", script, "sh"])
        .command(["true"])
}

#[test]
fn sockets_that_cannot_be_made_are_said_before_anything_starts() {
    if !is_root("sockets_that_cannot_be_made_are_said_before_anything_starts") {
        return;
    }
    for (option, value) in [
        ("--control", "/mnt/control.sock"),
        ("--listen", "unix:/mnt/app.sock"),
    ] {
        let end = with_full_disk(&[option, value]).run();
        end.code(125)
            .says(&["error: ", value, "No space left on device"]);
    }
}

/// A log on a disk that is full (full(4)).
#[test]
fn a_log_that_cannot_be_written_keeps_nobody_from_serving() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let app = App::named(PLAIN);
    let service = app.start_with(2, SOON, |pidone| pidone.stderr(full()));
    service.up(2);
    let pidone = service.run.pid();
    for _ in 0..2 {
        let victim = *service.workers().first().unwrap();
        Killed::now(victim, service.app.port);
        service.up(1);
        server_of(connect(([127, 0, 0, 1], service.app.port)));
    }
    service.run.signal(libc::SIGHUP);
    service.up(2);
    assert_eq!(service.run.pid(), pidone);
    processes::wait_until("two are left", || service.workers().len() == 2);
    service.stop().code(0);
}
