//! The crates, as cargo packages them.

use std::path::Path;
use std::process::Command;

use crate::harness::{TempDir, root};
use crate::manual::output;

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap());
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    command
}

fn is_static(binary: &Path) -> bool {
    let headers = output(Command::new("readelf").arg("-lW").arg(binary)).stdout;
    !String::from_utf8(headers).unwrap().contains("INTERP")
}

/// From the packaged crates alone, far from the repository and its configuration of cargo.
#[test]
fn the_packaged_crates_install_the_binary() {
    let directory = TempDir::new();
    let (target, home) = (directory.path("target"), directory.path("home"));
    let members = ["package", "--workspace", "--exclude", "pidone-testkit"];
    let mut package = cargo();
    package
        .args(members)
        .args(["--locked", "--offline", "--no-verify", "--quiet"]);
    // In a checkout with changes, too.
    package
        .arg("--allow-dirty")
        .arg("--target-dir")
        .arg(&target);
    output(package.current_dir(root()));
    let mut unpacked = Vec::new();
    for name in ["pidone", "pidone-core"] {
        let name = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let mut tar = Command::new("tar");
        tar.arg("-xzf")
            .arg(target.join(format!("package/{name}.crate")));
        output(tar.current_dir(directory.path("")));
        unpacked.push(directory.path(&name));
    }
    assert!(unpacked[1].join("LICENSE").is_file());

    // The README's command, with the crate that no registry has yet beside it.
    let mut install = cargo();
    install.args(["install", "--locked", "--offline", "--debug", "--quiet"]);
    install.args([
        "--config",
        "build.rustflags=['-Ctarget-feature=+crt-static']",
    ]);
    let core = unpacked[1].display();
    install
        .arg("--config")
        .arg(format!("patch.crates-io.pidone-core.path='{core}'"));
    install
        .arg("--path")
        .arg(&unpacked[0])
        .arg("--root")
        .arg(&home);
    install.arg("--target-dir").arg(&target);
    output(install.current_dir(directory.path("")));
    let binary = home.join("bin/pidone");
    let version = output(Command::new(&binary).arg("--version")).stdout;
    assert_eq!(
        version,
        concat!("pidone ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
    );
    assert!(is_static(&binary));
}
