use super::*;

fn locate(controller: &str, groups: &str, mounts: &str) -> Option<Cgroup> {
    Cgroup::locate(controller, groups, mounts)
}

#[allow(clippy::unnecessary_wraps)]
fn at(version: Version, mount: &str, directory: &str) -> Option<Cgroup> {
    Some(Cgroup {
        version,
        mount: mount.into(),
        directory: directory.into(),
    })
}

/// Docker on version 1, no cgroup namespace: the group's path is relative to the host's root, and
/// only that group is mounted.
const V1_DOCKER_GROUPS: &str = "\
12:memory:/docker/c0ffee
11:cpu,cpuacct:/docker/c0ffee
1:name=systemd:/docker/c0ffee
0::/system.slice/containerd.service
";
const V1_DOCKER_MOUNTS: &str = "\
2270 2266 0:90 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755,inode64
2271 2270 0:28 /docker/c0ffee /sys/fs/cgroup/systemd ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw,xattr,name=systemd
2272 2270 0:31 /docker/c0ffee /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:15 - cgroup cgroup rw,memory
2273 2270 0:33 /docker/c0ffee /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:17 - cgroup cgroup rw,cpu,cpuacct
";

#[test]
fn docker_on_version_1() {
    let memory = "/sys/fs/cgroup/memory";
    assert_eq!(
        locate("memory", V1_DOCKER_GROUPS, V1_DOCKER_MOUNTS),
        at(Version::V1, memory, memory)
    );
    let cpu = "/sys/fs/cgroup/cpu,cpuacct";
    assert_eq!(
        locate("cpu", V1_DOCKER_GROUPS, V1_DOCKER_MOUNTS),
        at(Version::V1, cpu, cpu)
    );
}

#[test]
fn a_group_below_the_container_on_version_1() {
    let groups = V1_DOCKER_GROUPS.replace("c0ffee", "c0ffee/app:1");
    assert_eq!(
        locate("memory", &groups, V1_DOCKER_MOUNTS),
        at(
            Version::V1,
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/memory/app:1"
        )
    );
    // A name with the same beginning is another group, and not below.
    let groups = V1_DOCKER_GROUPS.replace("c0ffee", "c0ffee2");
    assert_eq!(
        locate("memory", &groups, V1_DOCKER_MOUNTS),
        at(
            Version::V1,
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/memory"
        )
    );
}

/// Docker on version 2, its default: a cgroup namespace, in which the container's group is the root.
const V2_DOCKER_MOUNTS: &str = "\
652 648 0:52 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
653 652 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
";

#[test]
fn docker_on_version_2() {
    let root = "/sys/fs/cgroup";
    for controller in ["memory", "cpu"] {
        assert_eq!(
            locate(controller, "0::/\n", V2_DOCKER_MOUNTS),
            at(Version::V2, root, root)
        );
    }
    // `--cgroupns=host`: both paths are relative to the host's root.
    let group = "/system.slice/docker-c0ffee.scope";
    assert_eq!(
        locate("memory", &format!("0::{group}\n"), V2_DOCKER_MOUNTS),
        at(Version::V2, root, &format!("{root}{group}"))
    );
}

#[test]
fn a_group_outside_the_namespace_is_unknown() {
    assert_eq!(locate("memory", "0::/../other\n", V2_DOCKER_MOUNTS), None);
    // unshare(1) --cgroup, the mount being older than the namespace.
    let mounts = "32 22 0:27 /../../.. /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    assert_eq!(locate("memory", "0::/\n", mounts), None);
}

/// systemd's hybrid: version 1 with the controllers, and a version 2 that has none.
const HYBRID_GROUPS: &str = "\
9:memory:/user.slice/user-1000.slice/session-2.scope
4:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/user-1000.slice/session-2.scope
0::/user.slice/user-1000.slice/session-2.scope
";
const HYBRID_MOUNTS: &str = "\
25 19 0:23 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
26 25 0:24 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
27 25 0:25 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
33 25 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:16 - cgroup cgroup rw,cpu,cpuacct
36 25 0:34 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:19 - cgroup cgroup rw,memory
";

#[test]
fn systemd_hybrid() {
    assert_eq!(
        locate("memory", HYBRID_GROUPS, HYBRID_MOUNTS),
        at(
            Version::V1,
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/memory/user.slice/user-1000.slice/session-2.scope"
        )
    );
    assert_eq!(
        locate("cpu", HYBRID_GROUPS, HYBRID_MOUNTS),
        at(
            Version::V1,
            "/sys/fs/cgroup/cpu,cpuacct",
            "/sys/fs/cgroup/cpu,cpuacct/user.slice"
        )
    );
    // "cpuacct" names the same mount, and "acct" none.
    assert!(locate("cpuacct", HYBRID_GROUPS, HYBRID_MOUNTS).is_some());
    assert_eq!(
        locate("acct", HYBRID_GROUPS, HYBRID_MOUNTS).map(|found| found.version),
        Some(Version::V2)
    );
}

#[test]
fn without_a_mount_no_group_is_found() {
    assert_eq!(locate("memory", "0::/\n", ""), None);
    assert_eq!(locate("memory", "", V2_DOCKER_MOUNTS), None);
    assert_eq!(locate("memory", V1_DOCKER_GROUPS, V2_DOCKER_MOUNTS), None);
    assert_eq!(locate("memory", "nonsense\n", "more - nonsense\n"), None);
    let rootless = "1 2 0:3  /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(locate("memory", "0::/\n", rootless), None);
}

#[test]
fn spaces_in_a_mount_point_are_escaped() {
    let mounts = "1 2 0:3 / /my\\040cgroup\\134s rw - cgroup2 cgroup2 rw\n";
    let path = "/my cgroup\\s";
    assert_eq!(locate("cpu", "0::/\n", mounts), at(Version::V2, path, path));
}

#[test]
fn values_are_parsed() {
    let events = "low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 0\n";
    assert_eq!(keyed(events, "oom_kill"), Some(2));
    assert_eq!(
        keyed("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n", "oom_kill"),
        Some(7)
    );
    assert_eq!(keyed("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), None);

    assert_eq!(millicpus("150000", "100000\n"), Some(1500));
    assert_eq!(millicpus("-1\n", "100000\n"), None);
    assert_eq!(millicpus("max", "100000\n"), None);
    assert_eq!(millicpus("1000", "0\n"), None);

    assert_eq!(bytes("536870912\n"), Some(536_870_912));
    assert_eq!(bytes("9223372036854771712\n"), None);
    assert_eq!(bytes("9223372036854710272\n"), None);
    assert_eq!(bytes("max\n"), None);
}

#[test]
fn the_tightest_limit_of_a_real_tree() {
    let mount = std::env::temp_dir().join(format!("pidone-cgroup-{}", std::process::id()));
    let group = mount.join("pod/container");
    fs::create_dir_all(&group).unwrap();
    fs::write(mount.join("limit"), "9").unwrap();
    fs::write(mount.join("pod/limit"), "4").unwrap();
    fs::write(group.join("limit"), "max").unwrap();
    let cgroup = Cgroup {
        version: Version::V2,
        mount: mount.clone(),
        directory: group,
    };
    let limit = cgroup.tightest(|directory| bytes(&read(directory, "limit")?));
    let above = Cgroup {
        directory: mount.clone(),
        ..cgroup
    };
    let limit_above = above.tightest(|directory| bytes(&read(directory, "limit")?));
    fs::remove_dir_all(&mount).unwrap();
    assert_eq!((limit, limit_above), (Some(4), Some(9)));
}

#[test]
fn limit_files_are_those_of_the_group_and_the_groups_above() {
    let mount = std::env::temp_dir().join(format!("pidone-limits-{}", std::process::id()));
    let group = mount.join("pod");
    fs::create_dir_all(&group).unwrap();
    let names = ["cpu.max", "memory.max", "cpuset.cpus", "cpu.cfs_quota_us"];
    for name in names {
        fs::write(group.join(name), "").unwrap();
    }
    let above = mount.join("memory.max");
    fs::write(&above, "").unwrap();
    let mut cgroup = Cgroup {
        version: Version::V2,
        mount: mount.clone(),
        directory: group.clone(),
    };
    let [cpu, memory, cpuset] = ["cpu", "memory", "cpuset"].map(|name| cgroup.limit_files(name));
    cgroup.version = Version::V1;
    let cpu_v1 = cgroup.limit_files("cpu");
    fs::remove_dir_all(&mount).unwrap();
    assert_eq!(cpu, [group.join("cpu.max")]);
    assert_eq!(memory, [group.join("memory.max"), above]);
    assert_eq!(cpuset, [group.join("cpuset.cpus")]);
    assert_eq!(cpu_v1, [group.join("cpu.cfs_quota_us")]);
}

/// A real kill, where this machine permits it: `tail` keeps what it reads until a newline comes.
#[test]
fn an_out_of_memory_kill_is_counted() {
    let Some(own) = Cgroup::of("memory") else {
        return eprintln!("skipped: no memory controller here");
    };
    let name = format!("pidone-oom-{}", std::process::id());
    let directory = own.directory.join(name);
    let (limit, counter) = match own.version {
        Version::V1 => ("memory.limit_in_bytes", "memory.oom_control"),
        Version::V2 => ("memory.max", "memory.events"),
    };
    if fs::create_dir(&directory).is_err() {
        return eprintln!("skipped: no right to make a cgroup here");
    }
    if fs::write(directory.join(limit), "16M").is_err() {
        let _ = fs::remove_dir(&directory);
        return eprintln!("skipped: no right to limit a cgroup here");
    }
    let group = Cgroup {
        directory: directory.clone(),
        ..own
    };
    let limit = group.tightest(|directory| bytes(&read(directory, limit)?));
    let counter = OomCounter {
        file: directory.join(counter),
    };
    let before = counter.read();
    let status = std::process::Command::new("sh")
        .args(["-c", "echo $$ >$0/cgroup.procs; exec tail /dev/zero"])
        .arg(&directory)
        .status();
    let after = counter.read();
    fs::remove_dir(&directory).unwrap();
    assert_eq!(limit, Some(16 << 20));
    assert_eq!((before, after), (Some(0), Some(1)), "{status:?}");
}
