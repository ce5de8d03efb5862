//! The container's limits change while it lives.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, Run, is_root, processes, skipped, words};

/// A control group below the tests' own.
struct Group {
    directory: PathBuf,
    is_v2: bool,
}

impl Group {
    /// `None`, with the reason printed, where such a group cannot be made.
    fn new(test: &str, controller: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let group = Self::make(test, controller);
        if group.is_none() {
            skipped(test, &format!("no control group for {controller} here"));
        }
        group
    }

    fn make(test: &str, controller: &str) -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
        let has = |list: &str| list.split(',').any(|one| one == controller);
        let own = |wanted: &dyn Fn(&str) -> bool| {
            groups.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let controllers = fields.next()?;
                wanted(controllers).then(|| fields.next())?
            })
        };
        let (kind, own, is_v2) = match own(&has) {
            Some(own) => ("cgroup", own, false),
            None => ("cgroup2", own(&str::is_empty)?, true),
        };
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields[2] == kind && (is_v2 || has(fields[3]))).then(|| fields[1])
        })?;
        let name = format!("pidone-{test}-{}", std::process::id());
        let directory = Path::new(mount)
            .join(own.trim_start_matches('/'))
            .join(name);
        fs::create_dir(&directory).ok()?;
        let group = Self { directory, is_v2 };
        let file = group.directory.join(match (controller, is_v2) {
            ("cpu", true) => "cpu.max",
            ("cpu", false) => "cpu.cfs_quota_us",
            (_, true) => "memory.max",
            (_, false) => "memory.limit_in_bytes",
        });
        file.exists().then_some(group)
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.directory.join(file), value).unwrap();
    }

    fn set_cpus(&self, cpus: u32) {
        let quota = cpus * 100_000;
        if self.is_v2 {
            self.write("cpu.max", &format!("{quota} 100000"));
        } else {
            self.write("cpu.cfs_quota_us", &quota.to_string());
        }
    }

    fn set_memory(&self, bytes: u64) {
        let file = if self.is_v2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        self.write(file, &bytes.to_string());
    }

    /// What puts a command into it; `before` is run first.
    fn wrapper(&self, before: &str) -> Vec<String> {
        let procs = self.directory.join("cgroup.procs");
        let script = format!("echo $$ >{} && {before}exec \"$0\" \"$@\"", procs.display());
        vec!["sh".into(), "-c".into(), script]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Processes of a failed test may still be exiting.
        let _ = fs::remove_dir(&self.directory);
    }
}

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
