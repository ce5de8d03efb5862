//! docs/libraries.md names the versions that the tests run, and has all that they run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Not libraries of the table: what its libraries need for their apps.
const HELPERS: [&str; 5] = [
    "connect-redis",
    "express",
    "rate-limit-redis",
    "redis",
    "sdk-base",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The packages in a lockfile, and their versions.
fn locked(lockfile: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let text = fs::read_to_string(lockfile).unwrap();
    let mut package = None;
    for line in text.lines() {
        let quoted: Vec<_> = line.split('"').collect();
        if let Some(name) = quoted
            .get(1)
            .and_then(|path| path.strip_prefix("node_modules/"))
        {
            package = Some(name.to_owned());
        } else if let ["version", _, version, ..] = quoted.get(1..).unwrap_or_default()
            && let Some(name) = package.take()
        {
            found.entry(name).or_default().insert((*version).to_owned());
        }
    }
}

fn lockfiles(under: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && name != "node_modules" {
            lockfiles(&path, found);
        } else if name == "package-lock.json" {
            locked(&path, found);
        }
    }
}

#[test]
fn the_table_of_libraries_has_the_versions_that_are_tested() {
    let mut tested = BTreeMap::new();
    lockfiles(&root().join("tests"), &mut tested);
    lockfiles(&root().join("examples"), &mut tested);
    let page = fs::read_to_string(root().join("docs/libraries.md")).unwrap();
    let mut named = BTreeSet::new();
    for line in page.lines() {
        let columns: Vec<_> = line.split(" | ").collect();
        let [names, versions, verdict, _] = columns[..] else {
            continue;
        };
        let names = names.trim_start_matches("| ").split(", ");
        let names = names.map(|name| name.split(' ').next().unwrap());
        for (name, version) in names.zip(versions.split(", ")) {
            named.insert(name);
            let is_tested = tested.get(name).is_some_and(|all| all.contains(version));
            let is_untested = verdict.ends_with('†') || ["verdict", "---"].contains(&verdict);
            assert!(is_tested || is_untested, "{line}");
        }
    }
    let package = root().join("tests/libraries/apps/package.json");
    let package = fs::read_to_string(package).unwrap();
    let (_, dependencies) = package.split_once("\"dependencies\"").unwrap();
    for line in dependencies.lines().filter(|line| line.contains("\": \"")) {
        let name = line.split('"').nth(1).unwrap();
        assert!(named.contains(name) || HELPERS.contains(&name), "{name}");
    }
}
