//! The machine's name.

/// The host's name, as the app sees it too (uname(2)).
#[must_use]
pub fn name() -> String {
    let uname = nix::sys::utsname::uname();
    uname
        .map(|uname| uname.nodename().to_string_lossy().into_owned())
        .unwrap_or_default()
}
