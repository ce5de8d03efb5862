//! Each package manager installs the package, without scripts, and its command is pidone itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::TempDir;
use crate::harness::npm::{arch, tarballs};
use crate::installed::{Project, bytes_below, serves_as_init};

const COMMAND: &str = "node_modules/.bin/pidone";
const YARN: &str = "@yarnpkg/cli-dist/bin/yarn.js";

/// The path that works without a shell.
fn direct(package: &Path) -> PathBuf {
    package.join(format!("bin/pidone-linux-{}", arch()))
}

#[track_caller]
fn has_both(package: &Path) {
    for name in ["pidone-linux-x64", "pidone-linux-arm64"] {
        let mode = fs::metadata(package.join("bin").join(name))
            .unwrap()
            .permissions();
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(mode.mode() & 0o111, 0o111, "{name}");
    }
}

#[test]
fn npm_installs_one_command_for_every_platform() {
    let Some(made) = tarballs("npm") else { return };
    let project = Project::new();
    let package = project.path("node_modules/pidone");
    let tarball = made.pidone.to_str().unwrap();
    project.npm(&["install", "--offline", "--ignore-scripts", tarball]);
    serves_as_init(&project, &project.path(COMMAND), &["node"]);
    serves_as_init(&project, &direct(&package), &["node"]);
    // As in a Dockerfile: a link to the link.
    let link = project.link("pidone", &project.path(COMMAND));
    serves_as_init(&project, &link, &["node"]);

    let usual = bytes_below(&package);
    for more in [
        &["--omit=dev"][..],
        &["--os=darwin", "--cpu=arm64"],
        &["--omit=optional"],
    ] {
        project.npm(&[&["ci", "--offline"], more].concat());
        has_both(&package);
        assert_eq!(bytes_below(&package), usual);
    }
    let help = project.npm(&["exec", "--offline", "--", "pidone", "--help"]);
    assert!(help.contains("--instances"), "{help}");
    // Nothing but the two binaries and the licences of what is in them takes up space.
    let binaries: u64 = ["x64", "arm64"]
        .map(|arch| package.join(format!("bin/pidone-linux-{arch}")))
        .map(|path| fs::metadata(path).unwrap().len())
        .iter()
        .sum();
    assert!(usual - binaries < 40_000, "{usual} of {binaries}");
}

#[test]
fn npm_installs_it_for_all_users() {
    let Some(made) = tarballs("npm -g") else {
        return;
    };
    let project = Project::new();
    let prefix = project.path("global").display().to_string();
    let tarball = made.pidone.to_str().unwrap();
    project.npm(&["install", "--offline", "-g", "--prefix", &prefix, tarball]);
    serves_as_init(&project, &project.path("global/bin/pidone"), &["node"]);
}

#[test]
fn pnpm() {
    let Some(made) = tarballs("pnpm") else { return };
    let project = Project::new().env("CI", "true");
    let tarball = made.pidone.to_str().unwrap();
    let store = project.path("store").display().to_string();
    project.manager(
        "pnpm/bin/pnpm.cjs",
        &["add", "--offline", "--store-dir", &store, tarball],
    );
    serves_as_init(&project, &project.path(COMMAND), &["node"]);
    let package = project.path("node_modules/pidone");
    has_both(&package);
    serves_as_init(&project, &direct(&package), &["node"]);
}

#[test]
fn yarn_classic() {
    let Some(made) = tarballs("yarn 1") else {
        return;
    };
    let project = Project::new();
    let cache = project.path("cache").display().to_string();
    let tarball = format!("file:{}", made.pidone.display());
    project.manager(
        "yarn/bin/yarn.js",
        &[
            "add",
            "--offline",
            "--ignore-scripts",
            "--cache-folder",
            &cache,
            &tarball,
        ],
    );
    serves_as_init(&project, &project.path(COMMAND), &["node"]);
    let package = project.path("node_modules/pidone");
    has_both(&package);
    serves_as_init(&project, &direct(&package), &["node"]);
}

/// A project of Yarn 4 with this linker, and the package in it.
fn yarn(linker: &str, made: &Path) -> Project {
    let project = Project::new()
        .env("YARN_NODE_LINKER", linker)
        .env("YARN_ENABLE_TELEMETRY", "0")
        .env("YARN_ENABLE_NETWORK", "0")
        .env("YARN_ENABLE_SCRIPTS", "0");
    let global = project.path("yarn").display().to_string();
    let project = project.env("YARN_GLOBAL_FOLDER", global);
    // Without it, Yarn looks for a project in the directories above.
    fs::write(project.path("yarn.lock"), "").unwrap();
    let tarball = format!("pidone@file:{}", made.display());
    project.manager(YARN, &["add", &tarball]);
    project
}

#[test]
fn yarn_with_node_modules() {
    let Some(made) = tarballs("yarn, node-modules") else {
        return;
    };
    let project = yarn("node-modules", &made.pidone);
    serves_as_init(&project, &project.path(COMMAND), &["node"]);
    let package = project.path("node_modules/pidone");
    has_both(&package);
    serves_as_init(&project, &direct(&package), &["node"]);
    assert!(
        project
            .manager(YARN, &["run", "pidone", "--version"])
            .starts_with("pidone ")
    );
}

/// Yarn unpacks the package, as it has programs; `yarn bin` says where.
#[test]
fn yarn_with_plug_and_play() {
    let Some(made) = tarballs("yarn, pnp") else {
        return;
    };
    let project = yarn("pnp", &made.pidone);
    let command = project.manager(YARN, &["bin", "pidone"]);
    let command = Path::new(command.trim());
    let node = ["node", "-r", "./.pnp.cjs"];
    serves_as_init(&project, command, &node);
    let package = command.ancestors().nth(2).unwrap();
    has_both(package);
    serves_as_init(&project, &direct(package), &node);
    assert!(
        project
            .manager(YARN, &["run", "pidone", "--version"])
            .starts_with("pidone ")
    );
}

/// The paths that `yarn bin` prints and that npm links are within the project.
#[test]
fn the_package_asks_for_no_scripts_and_no_packages() {
    let Some(made) = tarballs("the manifest") else {
        return;
    };
    let directory = TempDir::new();
    let tarball = made.pidone.display().to_string();
    let done = std::process::Command::new("tar")
        .args(["-xzf", &tarball, "-C"])
        .arg(directory.path(""))
        .status();
    assert!(done.unwrap().success());
    let manifest = fs::read_to_string(directory.path("package/package.json")).unwrap();
    assert!(manifest.contains(concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"")));
    for key in [
        "scripts",
        "dependencies",
        "optionalDependencies",
        "\"os\"",
        "\"cpu\"",
    ] {
        assert!(
            !manifest.to_lowercase().contains(&key.to_lowercase()),
            "{key}: {manifest}"
        );
    }
}
