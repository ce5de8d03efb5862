//! pidone's own control group, of version 1 and 2: its limits, and the kills of the OOM killer in
//! it.
//!
//! Found as cgroups(7) says: /proc/self/cgroup names the group, /proc/self/mountinfo the mount. In
//! a container the two may be relative to different namespaces, which `Cgroup::locate` resolves.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The group that pidone is in, for one controller.
#[derive(Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// The version of its hierarchy.
    pub version: Version,
    /// Where the hierarchy, or the visible part of it, is mounted.
    pub mount: PathBuf,
    /// The group's directory, at the mount or below it.
    pub directory: PathBuf,
}

/// The version of a hierarchy (cgroups(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// Counts the processes of pidone's group that the kernel killed when it was out of memory.
///
/// Costs nothing until it is made, and then reads two small files; so it can be made after the
/// child has started.
#[derive(Debug)]
pub struct OomCounter {
    file: PathBuf,
}

impl OomCounter {
    /// `None`: no visible memory controller, or a kernel that does not count (before 4.13).
    #[must_use]
    pub fn find() -> Option<Self> {
        let cgroup = Cgroup::of("memory")?;
        let counter = Self {
            file: cgroup.directory.join(match cgroup.version {
                Version::V1 => "memory.oom_control",
                Version::V2 => "memory.events",
            }),
        };
        counter.read().is_some().then_some(counter)
    }

    /// The number of kills so far; compare it before and after a death by SIGKILL. On version 2 it
    /// includes groups below.
    #[must_use]
    pub fn read(&self) -> Option<u64> {
        keyed(&fs::read_to_string(&self.file).ok()?, "oom_kill")
    }
}

/// The files with the limits of a controller, from the group up to the mount; a write to one of
/// them changes what [`cpu_limit`] or [`memory_limit`] says, or where the group may run.
#[must_use]
pub fn limit_files(controller: &str) -> Vec<PathBuf> {
    Cgroup::of(controller).map_or_else(Vec::new, |cgroup| cgroup.limit_files(controller))
}

/// Whether all of these files can be read now.
#[must_use]
pub fn can_read(files: &[PathBuf]) -> bool {
    files.iter().all(|file| fs::read(file).is_ok())
}

/// The CPU time that the group may use, in thousandths of a CPU: the least quota from the group up
/// to the mount. `None`: no quota.
#[must_use]
pub fn cpu_limit() -> Option<u64> {
    Cgroup::of("cpu")?.cpu_limit()
}

/// The memory that the group may use, in bytes: the least limit from the group up to the mount.
/// `None`: no limit.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    Cgroup::of("memory")?.memory_limit()
}

/// What pidone's group uses and may use. Found once, as that reads more than the values themselves.
#[derive(Debug)]
pub struct ContainerMeter {
    quota: Option<Cgroup>,
    used: Option<Cgroup>,
    memory: Option<Cgroup>,
}

impl ContainerMeter {
    /// Finds the group for each controller.
    #[must_use]
    pub fn find() -> Self {
        Self {
            quota: Cgroup::of("cpu"),
            used: Cgroup::of("cpuacct"),
            memory: Cgroup::of("memory"),
        }
    }

    /// The CPU time that the group has used, in ms.
    #[must_use]
    pub fn cpu_ms(&self) -> Option<u64> {
        let used = self.used.as_ref()?;
        let (time, in_ms) = match used.version {
            Version::V1 => (used.value("cpuacct.usage", ""), 1_000_000),
            Version::V2 => (used.value("cpu.stat", "usage_usec"), 1000),
        };
        Some(time? / in_ms)
    }

    /// The CPUs that the group may use, in thousandths of a CPU.
    #[must_use]
    pub fn cpu_limit(&self) -> Option<u64> {
        self.quota.as_ref()?.cpu_limit()
    }

    /// The memory that the group uses, in bytes, without what the kernel drops first when it needs
    /// memory: as Docker and Kubernetes count it.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        let memory = self.memory.as_ref()?;
        let (all, files) = match memory.version {
            Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
            Version::V2 => ("memory.current", "inactive_file"),
        };
        let (all, files) = (memory.value(all, "")?, memory.value("memory.stat", files)?);
        Some(all.saturating_sub(files))
    }

    /// The memory that the group may use, in bytes.
    #[must_use]
    pub fn memory_limit(&self) -> Option<u64> {
        self.memory.as_ref()?.memory_limit()
    }
}

impl Cgroup {
    /// The only number in a file of the group, or the one with this key.
    fn value(&self, file: &str, key: &str) -> Option<u64> {
        let text = read(&self.directory, file)?;
        if key.is_empty() {
            bytes(&text)
        } else {
            keyed(&text, key)
        }
    }

    fn cpu_limit(&self) -> Option<u64> {
        self.tightest(|directory| match self.version {
            Version::V1 => {
                let quota = read(directory, "cpu.cfs_quota_us")?;
                let period = read(directory, "cpu.cfs_period_us")?;
                millicpus(&quota, &period)
            }
            Version::V2 => cpu_max(&read(directory, "cpu.max")?),
        })
    }

    fn memory_limit(&self) -> Option<u64> {
        self.tightest(|directory| match self.version {
            Version::V1 => bytes(&read(directory, "memory.limit_in_bytes")?),
            Version::V2 => bytes(&read(directory, "memory.max")?),
        })
    }

    fn of(controller: &str) -> Option<Self> {
        let groups = fs::read("/proc/self/cgroup").ok()?;
        let mounts = fs::read("/proc/self/mountinfo").ok()?;
        Self::locate(
            controller,
            &String::from_utf8_lossy(&groups),
            &String::from_utf8_lossy(&mounts),
        )
    }

    /// The same, from the text of both files.
    ///
    /// A controller is on version 1 when /proc/self/cgroup names it; otherwise it can only be on
    /// version 2, whose line is `0::/path`.
    #[must_use]
    pub fn locate(controller: &str, groups: &str, mounts: &str) -> Option<Self> {
        let lines = || groups.lines().filter_map(group_line);
        let v1 = lines().find(|(controllers, _)| has(controllers, controller));
        let (version, group) = match v1 {
            Some((_, group)) => (Version::V1, group),
            None => (
                Version::V2,
                lines().find(|(controllers, _)| controllers.is_empty())?.1,
            ),
        };
        let seen: Vec<_> = mounts
            .lines()
            .filter_map(Mount::parse)
            .filter(|mount| match version {
                Version::V1 => mount.kind == "cgroup" && has(mount.options, controller),
                Version::V2 => mount.kind == "cgroup2",
            })
            .collect();
        let found = seen
            .iter()
            .find_map(|mount| Some((mount.path(), mount.below_root(group)?)));
        let (mount, directory) = match (found, seen.first()) {
            (Some((mount, below)), _) => (mount.clone(), mount.join(below)),
            // The path leaves the namespace: the group is unknown.
            (None, Some(first)) if climbs(Path::new(group)) || climbs(&first.root()) => {
                return None;
            }
            // A mount of another part of the tree: what a container sees there is its own.
            (None, Some(first)) => (first.path(), first.path()),
            (None, None) => return None,
        };
        Some(Self {
            version,
            mount,
            directory,
        })
    }

    /// The least limit of the directories from the group up to the mount: a parent's limit holds
    /// for its children, and a child's own limit may be larger.
    fn tightest(&self, limit: impl Fn(&Path) -> Option<u64>) -> Option<u64> {
        self.directories().filter_map(limit).min()
    }

    fn limit_files(&self, controller: &str) -> Vec<PathBuf> {
        let names: &[&str] = match (controller, self.version) {
            ("cpu", Version::V1) => &["cpu.cfs_quota_us", "cpu.cfs_period_us"],
            ("cpu", Version::V2) => &["cpu.max"],
            ("cpuset", _) => &["cpuset.cpus"],
            ("memory", Version::V1) => &["memory.limit_in_bytes"],
            ("memory", Version::V2) => &["memory.max"],
            _ => &[],
        };
        let files = self
            .directories()
            .flat_map(|directory| names.iter().map(|name| directory.join(name)));
        // The root of version 2 has none.
        files.filter(|file| file.exists()).collect()
    }

    /// The directories from the group up to the mount.
    fn directories(&self) -> impl Iterator<Item = &Path> {
        let all = self.directory.ancestors();
        all.take_while(|directory| directory.starts_with(&self.mount))
    }
}

/// The controllers and the path of a line `ID:CONTROLLERS:PATH`; the path may hold colons.
fn group_line(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.splitn(3, ':').skip(1);
    Some((fields.next()?, fields.next()?))
}

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
struct Mount<'a> {
    root: &'a str,
    path: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // Between the two halves there are any number of optional fields.
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let mut right = right.split(' ');
        // Both are absolute; joining a path that is not could lead anywhere.
        let mut path = || left.next().filter(|path| path.starts_with('/'));
        Some(Self {
            root: path()?,
            path: path()?,
            kind: right.next()?,
            options: right.nth(1)?,
        })
    }

    fn root(&self) -> PathBuf {
        unescape(self.root)
    }

    fn path(&self) -> PathBuf {
        unescape(self.path)
    }

    /// The path from the mount's root to a group; `None` if it is not below the root.
    fn below_root(&self, group: &str) -> Option<PathBuf> {
        let root = self.root();
        let below = Path::new(group).strip_prefix(&root).ok()?;
        (!climbs(&root) && !climbs(below)).then(|| below.to_path_buf())
    }
}

/// A path relative to a cgroup namespace that it is not in (cgroup_namespaces(7)).
fn climbs(path: &Path) -> bool {
    path.components()
        .any(|component| component == Component::ParentDir)
}

fn has(list: &str, wanted: &str) -> bool {
    list.split(',').any(|item| item == wanted)
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).map(|code| u8::from_str_radix(code, 8));
        match (code, part.get(3..)) {
            (Some(Ok(code)), Some(rest)) => {
                path.push(char::from(code));
                path.push_str(rest);
            }
            _ => path.push_str(part),
        }
    }
    path.into()
}

fn read(directory: &Path, file: &str) -> Option<String> {
    fs::read_to_string(directory.join(file)).ok()
}

/// The value of a line `KEY VALUE` of memory.events or memory.oom_control.
#[must_use]
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
}

/// The quota in cpu.max (`QUOTA PERIOD`), in thousandths of a CPU.
#[must_use]
pub fn cpu_max(text: &str) -> Option<u64> {
    let (quota, period) = text.split_once(' ')?;
    millicpus(quota, period)
}

/// `max` and -1 both mean "no quota"; neither parses as a number here.
#[must_use]
pub fn millicpus(quota: &str, period: &str) -> Option<u64> {
    let quota: u64 = quota.trim().parse().ok()?;
    let period: u64 = period.trim().parse().ok()?;
    quota.checked_mul(1000)?.checked_div(period)
}

/// The limit in memory.max or memory.limit_in_bytes.
///
/// `max` (version 2) and the largest multiple of a page in an i64 (version 1) mean "no limit".
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    const LARGEST_PAGE: u64 = 64 * 1024;
    let limit: u64 = text.trim().parse().ok()?;
    (limit < i64::MAX.unsigned_abs() - LARGEST_PAGE).then_some(limit)
}

#[cfg(test)]
mod tests;
