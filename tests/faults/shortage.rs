//! Processes, descriptors and memory that are not to be had, while workers serve.

use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use crate::SOON;
use crate::harness::killed::Killed;
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{Pidone, Status, is_root, processes, words};
use crate::vitals::Vitals;

/// Workers that run as nobody else does here.
fn of_a_lonely_user(uid: u32, options: &[&str]) -> Service {
    let app = App::named(PLAIN);
    app.open_to_all();
    let uid = format!("uid={uid}");
    let options = SOON.iter().chain(options);
    app.start_with(2, options, |pidone| pidone.with([uid]))
        .ready()
}

/// One worker dies while this limit of pidone's keeps another from being started in its place, which
/// is said like this. The other one serves all the time, and when the limit is lifted all is well.
#[track_caller]
fn outlives(service: Service, limit: impl Fn(i32), lifted: &str, said: &str) {
    let before = Vitals::of(&service);
    let load = service.load().rate(200).start();
    load.until_answered_by(2);
    let pidone = service.run.pid();
    limit(pidone);
    let (cpu, begun) = (processes::cpu_time(pidone), Instant::now());
    let victim = *service.workers().first().unwrap();
    let killed = Killed::now(victim, service.app.port);
    service.run.until_stderr(&words::killed(victim));
    service.run.until_stderr_times(said, 5);
    load.until_answered(100);
    let share = (processes::cpu_time(pidone) - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    processes::limit(pidone, lifted);
    service.up(1);
    service.run.until_stderr_times(words::ALL_READY, 2);
    load.until_answered_by(2);
    load.stop()
        .only_failures("what was inside", |failure| killed.explains(failure));
    assert!(share < 0.5, "{:.0} % of a processor", share * 100.0);
    before.are_those_of(&service);
    service.reload();
    let end = service.stop();
    end.code(0);
    let (lines, attempts) = (
        end.stderr.lines().count(),
        end.stderr.matches(words::RESTARTING).count(),
    );
    assert!(lines < 20 + 2 * attempts, "{lines} lines: {end:?}");
}

/// A user id that no other run of the tests has, so that its processes are ours.
fn lonely() -> u32 {
    100_000 + std::process::id() % 100_000 * 10
}

#[test]
fn no_process_to_be_had() {
    if !is_root("no_process_to_be_had") {
        return;
    }
    let service = of_a_lonely_user(lonely(), &[]);
    let status = std::fs::metadata(format!("/proc/{}", service.run.pid()));
    assert_eq!(status.unwrap().uid(), lonely());
    let none = |pid| processes::limit(pid, "nproc=1:");
    outlives(service, none, "nproc=4096:", "cannot create a process");
}

#[test]
fn no_descriptor_to_be_had() {
    let service = App::named(PLAIN).workers(2, SOON).ready();
    let none = processes::limit_descriptors;
    outlives(
        service,
        none,
        "nofile=1024:",
        "raise the limit of descriptors",
    );
}

/// What waits to be let in by pidone itself waits until it can be.
#[test]
fn no_descriptor_for_a_connection_that_pidone_accepts() {
    let service = App::named(PLAIN)
        .workers(2, SOON.iter().chain(&["--balance", "round-robin"]))
        .ready();
    let before = Vitals::of(&service);
    let pidone = service.run.pid();
    processes::limit_descriptors(pidone);
    let load = service.load().rate(100).start();
    service.run.until_stderr("cannot accept a connection");
    let (cpu, begun) = (processes::cpu_time(pidone), Instant::now());
    // Others are looked after: somebody comes, boots, and is given up for want of a channel.
    service.run.signal(libc::SIGTTIN);
    service.run.until_stderr("raise the limit of descriptors");
    while load.report().sent < 100 {
        std::thread::yield_now();
    }
    let share = (processes::cpu_time(pidone) - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    processes::limit(pidone, "nofile=1024:");
    load.until_answered(200);
    load.stop().no_failures();
    assert!(share < 0.5, "{:.0} % of a processor", share * 100.0);
    service.run.signal(libc::SIGTTOU);
    service.run.until_stderr(&words::scaling(3, 2));
    before.are_those_of(&service);
    let end = service.stop();
    end.code(0);
    let said = end.stderr.matches("cannot accept a connection").count();
    assert_eq!(said, 1, "{end:?}");
}

/// V8 wants gigabytes of address space at once, pidone next to nothing.
#[test]
fn no_memory_to_be_had() {
    let service = App::named(PLAIN).workers(2, SOON).ready();
    let size = processes::memory(service.run.pid(), "VmSize");
    let none = |pid| processes::limit(pid, &format!("as={}:", (size + 1024) * 1024));
    outlives(service, none, "as=unlimited:", "; restarting in");
}

#[test]
fn no_memory_from_the_start_is_a_crash_loop_of_the_app() {
    let options = ["--max-restarts", "1/60s", "--backoff", "10ms..10ms"];
    let under = |pidone: Pidone| pidone.under(["prlimit", "--as=67108864"]);
    let end = App::named(PLAIN).start_with(2, options, under).run.end();
    assert!(end.stderr.contains(words::CRASH_LOOP), "{end:?}");
    // It is the app's own status, and none of pidone's.
    let pidones = [Status::Code(0), Status::Code(125)];
    assert!(!pidones.contains(&end.status), "{end:?}");
}
