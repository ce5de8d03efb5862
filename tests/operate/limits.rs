//! The container's limits change while it lives.

use std::fs;
use std::path::Path;

use crate::harness::admin::AdminEndpoints;
use crate::harness::cgroup::Group;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, Run, processes, skipped, words};

/// A group for CPUs, where there is more than one.
fn cpus(test: &str) -> Option<Group> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    if available < 2 {
        skipped(test, "it needs two CPUs");
        return None;
    }
    Group::new(test, "cpu")
}

fn has_watch(run: &Run) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", run.pid())).unwrap();
    let target = |entry: std::io::Result<fs::DirEntry>| fs::read_link(entry.unwrap().path());
    let mut targets = descriptors.map(target);
    targets.any(|target| target.is_ok_and(|target| target == Path::new("anon_inode:inotify")))
}

#[test]
fn the_number_of_workers_follows_the_cpu_limit() {
    let Some(group) = cpus("the_number_of_workers_follows_the_cpu_limit") else {
        return;
    };
    group.set_cpus(1);
    let app = App::named(PLAIN);
    let service = app.start_as(1, ["-i", "auto"], |pidone| pidone.under(group.wrapper("")));
    let service = service.ready();
    let first = service.workers();
    assert_eq!(first.len(), 1);
    group.set_cpus(2);
    let run = &service.run;
    run.until_stderr(&words::scaling(1, 2));
    run.until_stderr("scaling done: 2 workers serve");
    assert!(service.workers().len() == 2 && service.workers().is_superset(&first));
    processes::wait_for_sleep(run.pid());
    let before = processes::switches(run.pid());
    Pidone::plain()
        .node("setTimeout(() => {}, 300)")
        .run()
        .code(0);
    assert_eq!(processes::switches(run.pid()), before, "it wakes up");
    group.set_cpus(1);
    run.until_stderr("scaling done: one worker serves");
    assert_eq!(service.workers(), first);
    let why = "workers: the container's CPU limit has changed (-i auto)";
    assert_eq!(run.stderr_count(why), 2);
    service.stop().code(0);
}

#[test]
fn the_memory_limit_of_workers_follows_the_containers() {
    let Some(group) = Group::new(
        "the_memory_limit_of_workers_follows_the_containers",
        "memory",
    ) else {
        return;
    };
    group.set_memory(100 << 20);
    let run = Pidone::new(["-i", "1", "--channel", "off", "--max-memory", "50%"])
        .command(["sleep", "inf"])
        .under(group.wrapper(""))
        .start();
    run.until_stderr(words::READY);
    group.set_memory(200 << 20);
    run.until_stderr(
        "--max-memory changes from 50 MiB to 100 MiB: the container's memory limit has changed",
    );
    run.signal(libc::SIGTERM);
    run.end();
}

#[test]
fn the_status_has_the_containers_use_and_limits() {
    let test = "the_status_has_the_containers_use_and_limits";
    let Some(group) = Group::new(test, "memory") else {
        return;
    };
    group.set_memory(100 << 20);
    let admin = AdminEndpoints::fresh();
    let run = Pidone::new(admin.options())
        .command(["sleep", "inf"])
        .under(group.wrapper(""))
        .start();
    run.until_started();
    let (_, status) = admin.get("/status");
    let number = |name: &str| {
        let (_, rest) = status.split_once(&format!("\"{name}\":")).unwrap();
        let end = rest.find(',').unwrap();
        rest[..end]
            .parse::<u64>()
            .unwrap_or_else(|_| panic!("{name} in {status}"))
    };
    assert_eq!(number("container_memory_limit_bytes"), 100 << 20);
    let used = number("container_memory_bytes");
    assert!((100_000..50 << 20).contains(&used), "{status}");
    assert!(number("container_cpu_ms") > 0, "{status}");
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(number("container_cpu_limit_millicores"), cpus as u64 * 1000);
    admin.ask("stop").done();
    run.end();
}

#[test]
fn nothing_is_watched_that_no_option_depends_on() {
    let Some(group) = Group::new("nothing_is_watched_that_no_option_depends_on", "cpu") else {
        return;
    };
    for (options, is_watched) in [
        (&["-i", "auto"][..], true),
        (&["-i", "auto", "--follow-limits", "off"], false),
        (&["-i", "1"], false),
        (&["-i", "1", "--max-memory", "300M"], false),
    ] {
        let run = Pidone::new(options.iter().chain(&["--channel", "off"]))
            .command(["sleep", "inf"])
            .under(group.wrapper(""))
            .start();
        run.until_stderr(words::READY);
        assert_eq!(has_watch(&run), is_watched, "{options:?}");
        run.signal(libc::SIGTERM);
        run.end();
    }
}

#[test]
fn a_limit_that_cannot_be_read_is_not_taken_for_none() {
    let Some(group) = cpus("a_limit_that_cannot_be_read_is_not_taken_for_none") else {
        return;
    };
    group.set_cpus(1);
    let admin = AdminEndpoints::fresh();
    let run = Pidone::new(admin.options())
        .env("PIDONE_INSTANCES", "auto")
        .env("PIDONE_CHANNEL", "off")
        .command(["sleep", "inf"])
        .under(group.wrapper(""))
        .start();
    run.until_stderr(words::READY);
    let pid = run.pid();
    processes::wait_for_sleep(pid);
    processes::limit_descriptors(pid);
    group.set_cpus(2);
    // A change would be followed after a wait with a time limit.
    processes::wait_for_sleep(pid);
    let scaling = words::scaling(1, 2);
    assert_eq!(run.stderr_count(&scaling), 0);
    processes::limit(pid, "nofile=1000:");
    processes::wait_until("the change is seen", || {
        admin.ask("status").done();
        run.stderr_count(&scaling) == 1
    });
    admin.ask("stop").done();
    run.end();
}

/// The user has no inotify instance left.
#[test]
fn a_change_that_cannot_be_watched_is_seen_later() {
    const TEST: &str = "a_change_that_cannot_be_watched_is_seen_later";
    const NO_INSTANCES: &str = "/proc/sys/user/max_inotify_instances";
    let Some(group) = cpus(TEST) else {
        return;
    };
    let limited = |command: &str| format!("echo 0 >{NO_INSTANCES} && {command}");
    let try_it = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", &limited("true")])
        .output();
    if !try_it.is_ok_and(|done| done.status.success()) {
        skipped(TEST, "this machine permits no user namespace");
        return;
    }
    group.set_cpus(1);
    let admin = AdminEndpoints::fresh();
    let inner = limited("exec \"$0\" \"$@\"");
    let namespace = ["unshare", "--user", "--map-root-user", "sh", "-c", &inner];
    let wrapper = group.wrapper("").into_iter();
    let run = Pidone::new(admin.options())
        .env("PIDONE_INSTANCES", "auto")
        .env("PIDONE_CHANNEL", "off")
        .command(["sleep", "inf"])
        .under(wrapper.chain(namespace.map(String::from)))
        .start();
    run.until_stderr(words::READY);
    assert!(!has_watch(&run));
    group.set_cpus(2);
    processes::wait_until("the change is seen", || {
        admin.ask("status").done();
        run.stderr_count(&words::scaling(1, 2)) == 1
    });
    admin.ask("stop").done();
    run.end();
}
