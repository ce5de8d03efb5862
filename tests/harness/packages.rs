//! npm packages that apps need: installed once, then used without the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::{keep, root};

/// The `node_modules` of a directory of this repository that has a `package-lock.json`.
pub fn node_modules(project: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let source = root().join(project);
    let lock = fs::read(source.join("package-lock.json")).unwrap();
    let cache = keep().join("npm");
    let home = cache.join(project.replace('/', "-"));
    let is_fresh = fs::read(home.join("package-lock.json")).is_ok_and(|old| old == lock)
        && home.join("node_modules").is_dir();
    if !is_fresh {
        install(&source, &home);
    }
    home.join("node_modules")
}

/// Installs in a directory beside it first, then renames: an interrupted installation leaves
/// nothing incomplete.
fn install(source: &Path, home: &Path) {
    let staging = home.with_extension(std::process::id().to_string());
    fs::create_dir_all(&staging).unwrap();
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), staging.join(name)).unwrap();
    }
    let done = Command::new("npm")
        .args(["ci", "--omit=dev", "--ignore-scripts", "--prefer-offline"])
        .args(["--no-audit", "--no-fund", "--silent", "--fetch-retries=5"])
        .current_dir(&staging)
        .status()
        .expect("npm is installed");
    assert!(done.success(), "npm ci in {}: {done}", staging.display());
    let _ = fs::remove_dir_all(home);
    if fs::rename(&staging, home).is_err() {
        // Another test program was faster.
        assert!(home.join("node_modules").is_dir(), "{}", home.display());
        fs::remove_dir_all(&staging).unwrap();
    }
}
