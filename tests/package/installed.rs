//! A project with the package in it, installed by one of the package managers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::npm::arch;
use crate::harness::packages::node_modules;
use crate::harness::{Pidone, TempDir, can_be_init, keep, processes};

/// Says what PID 1 is, and listens.
const APP: &str = "
const exe = require('fs').readlinkSync(`/proc/${process.ppid}/exe`);
const server = require('http').createServer((request, response) => response.end('served'));
server.listen(0, '127.0.0.1', () => console.log('app', process.ppid, exe));
";

const MANIFEST: &str = r#"{ "name": "app", "version": "1.0.0", "private": true }"#;

/// A project of its own, with a home of its own.
pub struct Project {
    directory: TempDir,
    env: Vec<(&'static str, String)>,
}

impl Project {
    pub fn new() -> Self {
        let directory = TempDir::new();
        directory.file("package.json", MANIFEST, 0o644);
        directory.file("app.js", APP, 0o644);
        fs::create_dir(directory.path("home")).unwrap();
        let home = directory.path("home").display().to_string();
        let env = vec![
            ("HOME", home),
            (
                "npm_config_cache",
                keep().join("npm/cache").display().to_string(),
            ),
            ("npm_config_update_notifier", "false".into()),
            ("npm_config_audit", "false".into()),
            ("npm_config_fund", "false".into()),
        ];
        Self { directory, env }
    }

    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
    }

    /// A program in this project, to be run.
    pub fn program(&self, program: impl AsRef<Path>, args: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(args).current_dir(self.path(""));
        for (name, _) in std::env::vars() {
            if ["PIDONE_", "npm_", "YARN_"]
                .iter()
                .any(|start| name.starts_with(start))
            {
                command.env_remove(name);
            }
        }
        command.envs(self.env.clone()).stdin(Stdio::null());
        command
    }

    /// Runs it; it must succeed. Returns its output.
    #[track_caller]
    pub fn run(&self, program: impl AsRef<Path>, args: &[&str]) -> String {
        let output = self.program(&program, args).output().unwrap();
        let program = program.as_ref().display();
        assert!(output.status.success(), "{program} {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn npm(&self, args: &[&str]) -> String {
        self.run("npm", args)
    }

    /// A package manager that is itself a package (tests/package/package.json).
    #[track_caller]
    pub fn manager(&self, script: &str, args: &[&str]) -> String {
        let script = node_modules("tests/package").join(script);
        let script = script.display().to_string();
        self.run("node", &[&[script.as_str()], args].concat())
    }

    /// `yaml`, which `pidone-from-pm2` needs, without the registry.
    pub fn yaml(&self) -> String {
        let yaml = node_modules("tests/package").join("yaml");
        yaml.display().to_string()
    }

    /// A link to the command, as a Dockerfile or a user can make.
    pub fn link(&self, name: &str, target: &Path) -> PathBuf {
        symlink(target, self.path(name)).unwrap();
        self.path(name)
    }
}

/// What package managers leave in a directory, without links and their own records.
pub fn bytes_below(directory: &Path) -> u64 {
    let mut total = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            total += bytes_below(&entry.path());
        } else if kind.is_file() {
            total += entry.metadata().unwrap().len();
        }
    }
    total
}

/// The command runs the main job as PID 1: pidone itself is that process, a worker serves, a reload works, a stop works.
#[track_caller]
pub fn serves_as_init(project: &Project, command: &Path, node: &[&str]) {
    if !can_be_init("the package as PID 1") {
        return;
    }
    let control = project.path("sock").display().to_string();
    let line = [command.to_str().unwrap(), "-i", "1", "--control", &control];
    let run = Pidone::program(line)
        .command(node.iter().chain(&["app.js"]))
        .directory(project.path(""))
        .init()
        .start();
    let first = run.expect("app ");
    let name = format!("pidone-linux-{}", arch());
    let mut words = first.split(' ');
    assert_eq!(words.next(), Some("1"), "{first}");
    assert!(words.next().unwrap().ends_with(&name), "{first}");
    run.until_stderr(" ready");

    project.run(command, &["ctl", "--control", &control, "reload"]);
    run.expect("app ");
    let family = processes::family(run.outer_pid());
    let is_pidone = |pid: &&i32| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(&name))
    };
    let pidone = family.iter().find(is_pidone).unwrap();
    processes::kill(*pidone, 15);
    run.end().code(0);
}
