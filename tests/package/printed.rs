//! What `pidone-from-pm2` prints.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

use crate::files::{FILES, project_of};
use crate::harness::npm::tarballs;
use crate::harness::{Pidone, TempDir, binary, processes};
use crate::installed::Project;

/// A directory where both packages are installed; `None`: the test is skipped.
pub fn installed(test: &str) -> Option<&'static Project> {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    let made = tarballs(test)?;
    Some(PROJECT.get_or_init(|| {
        let project = Project::new();
        let tarball = made.from_pm2.to_str().unwrap();
        project.npm(&["install", "--offline", &project.yaml(), tarball]);
        project
    }))
}

/// The program, in this directory.
pub fn started(project: &Project, directory: &Path, args: &[&str]) -> Output {
    let mut command = project.program(project.path("node_modules/.bin/pidone-from-pm2"), args);
    command.current_dir(directory).output().unwrap()
}

/// One app as it is printed: its parts by their titles.
pub struct Printed {
    pub file: String,
    pub name: String,
    parts: BTreeMap<String, Vec<String>>,
}

impl Printed {
    pub fn part(&self, title: &str) -> &[String] {
        self.parts.get(title).map_or(&[], Vec::as_slice)
    }

    pub fn command(&self) -> &str {
        &self.part("Command")[0]
    }

    pub fn dockerfile(&self) -> &[String] {
        let file = self
            .parts
            .keys()
            .find(|title| title.ends_with("Dockerfile"));
        self.part(file.unwrap())
    }

    /// Its command line works with the real pidone, in this project: the app gets ready and stops.
    #[track_caller]
    pub fn runs(&self, project: &TempDir) {
        let path = TempDir::new();
        symlink(binary(), path.path("pidone")).unwrap();
        let search = format!(
            "{}:{}",
            path.path("").display(),
            std::env::var("PATH").unwrap()
        );
        let mut directories = self
            .dockerfile()
            .iter()
            .filter_map(|line| line.strip_prefix("WORKDIR /app"));
        let directory = directories.next_back().unwrap().trim_start_matches('/');
        // The shell is the one of a user, or of a CMD in shell form.
        let (front, rest) = self.command().split_once("pidone ").unwrap();
        let line = format!("{front}exec pidone {rest}");
        let run = Pidone::program(["sh", "-c", &line])
            .directory(project.path(directory))
            .env("PATH", &search)
            .env("WEB_CONCURRENCY", "2")
            .start();
        if self.command().contains(" -i ") {
            run.until_stderr(" ready");
        } else {
            run.expect("up");
        }
        processes::kill(run.outer_pid(), 15);
        let end = run.end();
        assert!(
            !end.stderr.contains("error") && !end.stderr.contains("warning: --"),
            "{}: {end:?}",
            self.name
        );
    }

    /// The line about this option.
    #[track_caller]
    pub fn about(&self, title: &str, option: &str) -> &str {
        let mut lines = self.part(title).iter();
        let line = lines.find(|line| line.starts_with(option));
        line.unwrap_or_else(|| panic!("{}: no {option} in {:?}", self.name, self.part(title)))
    }
}

/// All that is printed about a file but its last part, which is about every app.
#[track_caller]
pub fn printed(project: &Project, name: &str, directory: &Path, args: &[&str]) -> Vec<Printed> {
    let output = started(project, directory, args);
    assert!(output.status.success(), "{name}: {output:?}");
    parse(name, &String::from_utf8(output.stdout).unwrap())
}

/// The apps in what is printed.
#[track_caller]
pub fn parse(name: &str, text: &str) -> Vec<Printed> {
    let mut apps: Vec<Printed> = Vec::new();
    let mut title = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(app) = line.strip_prefix("# ") {
            apps.push(Printed {
                file: name.into(),
                name: app.into(),
                parts: BTreeMap::new(),
            });
        } else if let Some(content) = line.strip_prefix("  ") {
            let parts = &mut apps.last_mut().unwrap().parts;
            parts.entry(title.clone()).or_default().push(content.into());
        } else if let Some(new) = line.strip_suffix(':') {
            new.clone_into(&mut title);
        }
    }
    let last = apps.pop().unwrap();
    assert_eq!(last.name, "For every app");
    apps
}

/// The apps of all files, without the rest of a file.
fn all_apps(project: &Project) -> Vec<Printed> {
    let mut all = Vec::new();
    for (name, file, _) in FILES {
        let directory = project_of(name);
        all.extend(printed(project, name, &directory.path(""), &[file]));
    }
    all.retain(|app| app.name != "The rest of the file");
    all
}

pub fn all(test: &str) -> Option<&'static Vec<Printed>> {
    static ALL: OnceLock<Vec<Printed>> = OnceLock::new();
    let project = installed(test)?;
    Some(ALL.get_or_init(|| all_apps(project)))
}

/// One app of one file.
#[track_caller]
pub fn app(file: &str, name: &str) -> Option<&'static Printed> {
    let all = all("pidone-from-pm2")?;
    let found = all.iter().find(|app| app.file == file && app.name == name);
    Some(found.unwrap_or_else(|| panic!("no {name} in {file}")))
}
