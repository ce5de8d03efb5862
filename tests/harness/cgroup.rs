//! Control groups, as a container runtime makes them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{is_root, skipped};

/// A control group below the tests' own.
pub struct Group {
    directory: PathBuf,
    is_v2: bool,
}

impl Group {
    /// `None`, with the reason printed, where such a group cannot be made.
    pub fn new(test: &str, controller: &str) -> Option<Self> {
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
            ("cpuacct", true) => "cpu.stat",
            ("cpuacct", false) => "cpuacct.usage",
            (_, true) => "memory.max",
            (_, false) => "memory.limit_in_bytes",
        });
        file.exists().then_some(group)
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.directory.join(file), value).unwrap();
    }

    pub fn set_cpus(&self, cpus: u32) {
        let quota = cpus * 100_000;
        if self.is_v2 {
            self.write("cpu.max", &format!("{quota} 100000"));
        } else {
            self.write("cpu.cfs_quota_us", &quota.to_string());
        }
    }

    pub fn set_memory(&self, bytes: u64) {
        let file = if self.is_v2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        self.write(file, &bytes.to_string());
    }

    /// What puts a command into it; `before` is run first.
    pub fn wrapper(&self, before: &str) -> Vec<String> {
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
