//! Files of the kernel: /proc/self/cgroup, /proc/self/mountinfo, and files with single values.

use std::path::Component;

use pidone::sys::cgroup::{self, Cgroup};
use pidone::sys::procfs;

use super::parts;

pub fn check(data: &[u8]) {
    let [groups, mounts, values] = parts(data);
    for controller in ["memory", "cpu"] {
        let Some(found) = Cgroup::locate(controller, &groups, &mounts) else {
            continue;
        };
        // The directory is below the mount point.
        let below = found.directory.strip_prefix(&found.mount).unwrap();
        assert!(below.components().all(|part| part != Component::ParentDir));
    }
    for text in [&groups, &values] {
        for key in ["oom_kill", "nr_periods"] {
            if let Some(value) = cgroup::keyed(text, key) {
                let said = |line: &str| {
                    let words: Vec<_> = line.split_whitespace().collect();
                    words.first() == Some(&key)
                        && words.get(1).and_then(|word| word.parse().ok()) == Some(value)
                };
                assert!(text.lines().any(said), "{text:?}");
            }
        }
        for line in text.lines() {
            if let Some(limit) = cgroup::bytes(line) {
                assert_eq!(line.trim().parse(), Ok(limit));
                assert!(i64::try_from(limit).is_ok());
            }
            let _ = cgroup::cpu_max(line);
            let _ = procfs::ticks(line);
            let _ = procfs::resident_pages(line);
        }
    }
}
