//! pm2 itself says what its options are: `pidone-from-pm2` knows each of them, and reads values as pm2 does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::files::project_of;
use crate::harness::{keep, root};
use crate::printed::installed;

/// The directory of pm2's package, in the version that the benchmarks have; fetched once.
fn pm2() -> PathBuf {
    let peers = fs::read_to_string(root().join("benches/peers")).unwrap();
    let version = peers
        .lines()
        .find_map(|line| line.strip_prefix("pm2="))
        .unwrap();
    let home = keep().join(format!("npm/pm2-{version}"));
    if !home.join("package").is_dir() {
        let staging = keep().join(format!("npm/pm2.{}", std::process::id()));
        fs::create_dir_all(&staging).unwrap();
        let line = format!(
            "set -e; npm pack --silent --prefer-offline pm2@{version} >&2; tar -xzf pm2-{version}.tgz"
        );
        let done = Command::new("sh")
            .args(["-c", &line])
            .current_dir(&staging)
            .status();
        assert!(done.unwrap().success(), "npm pack pm2@{version}");
        let _ = fs::remove_dir_all(&home);
        fs::rename(&staging, &home).unwrap();
    }
    home.join("package")
}

#[test]
fn every_option_of_pm2_is_known_and_read_as_pm2_reads_it() {
    let Some(project) = installed("pm2's own options") else {
        return;
    };
    let package = project.path("node_modules/pidone-from-pm2");
    let mut line = vec![
        root().join("tests/package/oracle.js").display().to_string(),
        pm2().display().to_string(),
        package.display().to_string(),
    ];
    let projects: Vec<_> = [
        "api",
        "zero",
        "module",
        "json",
        "monorepo",
        "next",
        "typescript",
        "computed",
        "one",
    ]
    .iter()
    .map(|name| project_of(name))
    .collect();
    for project in &projects {
        let mut files = fs::read_dir(project.path("")).unwrap();
        let is_config = |name: &str| name.starts_with("ecosystem.");
        let file = files.find_map(|entry| {
            let path = entry.unwrap().path();
            is_config(path.file_name()?.to_str()?).then_some(path)
        });
        line.push(file.unwrap().display().to_string());
    }
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let said = project.run("node", &line);
    assert!(said.contains("apps read alike"), "{said}");
}
