//! Kubernetes' manifests, by way of the tools that `.ci/kubernetes-schemas` has fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{TempDir, skipped};

/// Writes each value of each object as a line: its place, a tab, itself.
const FLATTEN: &str = r#"
import sys, yaml
def walk(place, value):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        print(place, value, sep="\t")
    for key, value in inner or ():
        walk(f"{place}.{key}", value)
for thing in yaml.safe_load_all(open(sys.argv[1])):
    walk(thing["kind"], thing)
"#;

/// The tools, in the directory that `PIDONE_TEST_KUBERNETES` names.
pub struct Tools(PathBuf);

impl Tools {
    /// If they are not there, says which test is left out.
    pub fn here(test: &str) -> Option<Self> {
        let found = std::env::var_os("PIDONE_TEST_KUBERNETES");
        if found.is_none() {
            skipped(test, "no Kubernetes schemas here (.ci/kubernetes-schemas)");
        }
        found.map(|directory| Self(directory.into()))
    }

    /// What the schema of a version of Kubernetes says of these objects; their unknown fields are errors.
    pub fn validate(&self, manifest: &str, version: &str) -> Output {
        let directory = TempDir::new();
        let file = directory.file("manifest.yaml", manifest, 0o644);
        Command::new(self.0.join("kubernetes-validate"))
            .args(["--strict", "-k", version])
            .arg(file)
            .output()
            .unwrap()
    }

    /// All that an example's file says.
    #[track_caller]
    pub fn read(&self, file: &Path) -> Manifest {
        let end = Command::new(self.0.join("python"))
            .args(["-c", FLATTEN])
            .arg(file)
            .output()
            .unwrap();
        assert!(end.status.success(), "{end:?}");
        let lines = String::from_utf8(end.stdout).unwrap();
        let values = lines.lines().map(|line| {
            let (place, value) = line.split_once('\t').unwrap();
            (place.to_owned(), value.to_owned())
        });
        Manifest(values.collect())
    }
}

/// Values by their places, as in `Deployment.spec.replicas`.
pub struct Manifest(BTreeMap<String, String>);

impl Manifest {
    #[track_caller]
    pub fn get(&self, place: &str) -> &str {
        let value = self.0.get(place);
        value.unwrap_or_else(|| panic!("no {place} in {:#?}", self.0))
    }

    /// The same, where it has to be a number.
    #[track_caller]
    pub fn number(&self, place: &str) -> u16 {
        self.get(place).parse().unwrap()
    }

    /// The values of a list, or one field of its objects (`.name`).
    pub fn list(&self, place: &str, field: &str) -> Vec<&str> {
        let value = |index| self.0.get(&format!("{place}.{index}{field}"));
        (0..).map_while(value).map(String::as_str).collect()
    }

    /// The names and values of a list of such pairs.
    pub fn pairs(&self, place: &str, value: &str) -> BTreeMap<&str, &str> {
        let names = self.list(place, ".name");
        names.into_iter().zip(self.list(place, value)).collect()
    }
}
