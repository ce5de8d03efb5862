//! A booted systemd: the Debian root that `.ci/systemd-root` has made, under systemd-nspawn, on this machine's network.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::harness::manager::Manager;
use crate::harness::{TempDir, binary, is_installed, processes, skipped};

const BOOT: &str = include_str!("boot.sh");

const HIERARCHIES: [&str; 4] = ["systemd", "unified", "memory", "."];

/// It runs until it is dropped.
pub struct Machine {
    nspawn: Child,
    /// The first process in it.
    leader: Option<i32>,
    name: String,
    directory: TempDir,
}

impl Machine {
    /// Boots with these files and directories in place: what, and where. `None`: not here.
    #[track_caller]
    pub fn boot(test: &str, places: &[(PathBuf, &str)]) -> Option<Self> {
        let Some(root) = std::env::var_os("PIDONE_TEST_SYSTEMD") else {
            skipped(test, "no systemd to boot here (.ci/systemd-root)");
            return None;
        };
        if !is_installed(test, "systemd-nspawn", "systemd-container") {
            return None;
        }
        let directory = TempDir::new();
        let name = directory.path("").file_name().unwrap().to_owned();
        let name = name.to_str().unwrap().replace('.', "-");
        let console = File::create(directory.path("console")).unwrap();
        let manager = Manager::new();
        let pidone = (binary(), "/usr/local/bin/pidone");
        let binds = places.iter().chain([&pidone]).map(|(what, place)| {
            let what = what.canonicalize().unwrap();
            format!("--bind-ro={}:{place}", what.display())
        });
        let nspawn = Command::new("sh")
            .args(["-c", BOOT, "sh", &name, "--directory"])
            .arg(root)
            .args(binds)
            .env("NOTIFY_SOCKET", &manager.name)
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        let pid = i32::try_from(nspawn.id()).unwrap();
        let mut machine = Self {
            nspawn,
            leader: None,
            name,
            directory,
        };
        processes::wait_until("its first process", || {
            assert_eq!(machine.nspawn.try_wait().unwrap(), None);
            // There is another child, which starts it.
            let mut children = processes::children(pid).into_iter();
            machine.leader = children.find(|child| inner_pid(*child) == Some(1));
            machine.leader.is_some()
        });
        manager.until("READY=1");
        Some(machine)
    }

    /// Runs a command in it.
    pub fn run(&self, line: &str) -> Output {
        let leader = self.leader.unwrap();
        Command::new("nsenter")
            .args(["-m", "-p", "-u", "-i", "-t", &leader.to_string()])
            .args(line.split(' '))
            .output()
            .unwrap()
    }

    /// The same, which must succeed; returns the output.
    #[track_caller]
    pub fn must(&self, line: &str) -> String {
        let end = self.run(line);
        assert!(end.status.success(), "{line}: {end:?}{}", self.journal(""));
        String::from_utf8(end.stdout).unwrap()
    }

    /// The messages in the journal; `options` as for journalctl(1).
    pub fn journal(&self, options: &str) -> String {
        let line = format!("journalctl --quiet --no-pager --output=cat {options}");
        let end = self.run(line.trim_end());
        String::from_utf8_lossy(&end.stdout).into_owned()
    }

    /// Waits for this in the messages of a unit.
    #[track_caller]
    pub fn until_journal(&self, unit: &str, text: &str) {
        let options = format!("-u {unit}");
        processes::wait_until(text, || self.journal(&options).contains(text));
    }

    /// The main process of a unit, by its number on the outside.
    #[track_caller]
    pub fn main_pid(&self, unit: &str) -> i32 {
        let inner = self.must(&format!("systemctl show -P MainPID {unit}"));
        let inner = inner.trim().parse().ok();
        processes::family(self.leader.unwrap())
            .into_iter()
            .find(|pid| inner_pid(*pid) == inner)
            .unwrap()
    }

    /// Puts a process where it gets no more memory, so that the kernel kills it; false: this machine has no such place.
    pub fn starve(&self, pid: i32) -> bool {
        let group = Path::new("/sys/fs/cgroup/memory").join(&self.name);
        let limit = group.join("memory.limit_in_bytes");
        let is_made = group.is_dir() || fs::create_dir(&group).is_ok();
        is_made
            && fs::write(limit, "4096").is_ok()
            && fs::write(group.join("cgroup.procs"), pid.to_string()).is_ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = self.directory.path("console");
            eprintln!("{}", fs::read_to_string(console).unwrap_or_default());
        }
        // PID 1 of its namespace: everything in it ends with it.
        if let Some(leader) = self.leader {
            let leader = nix::unistd::Pid::from_raw(leader);
            let _ = nix::sys::signal::kill(leader, nix::sys::signal::Signal::SIGKILL);
        } else {
            let _ = self.nspawn.kill();
        }
        let _ = self.nspawn.wait();
        for hierarchy in HIERARCHIES {
            remove_groups(&Path::new("/sys/fs/cgroup").join(hierarchy).join(&self.name));
        }
    }
}

/// Whether a machine can limit its units: with control groups of version 2 only.
pub fn has_limits(test: &str) -> bool {
    let given = fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control");
    let given = given.unwrap_or_default();
    let all = given.contains("cpu") && given.contains("memory");
    all || skipped(
        test,
        "cgroup v2 does not have its controllers here (.ci/unified-machine)",
    )
}

/// The number of a process in its own namespace, if it still runs.
fn inner_pid(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers?.split_whitespace().next_back()?.parse().ok()
}

/// Removes a control group with those in it.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// A file that any user may read.
pub fn shared(directory: &TempDir, name: &str, contents: &str) -> PathBuf {
    let path = directory.path(name);
    let parent = path.parent().unwrap();
    fs::create_dir_all(parent).unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    directory.file(name, contents, 0o644)
}
