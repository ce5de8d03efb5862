//! The machine's name, its clock, and its unprivileged ports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of day, as Unix time: only to be shown.
#[must_use]
pub fn time_of_day() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// The host's name, as the app sees it too (uname(2)).
#[must_use]
pub fn name() -> String {
    let uname = nix::sys::utsname::uname();
    uname
        .map(|uname| uname.nodename().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The first port that a process without privileges may bind: 1024, but 0 in a Docker container
/// with its own network (`ip_unprivileged_port_start`, ip(7)).
#[must_use]
pub fn unprivileged_ports_from() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}
