//! pidone with N workers of an app.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::http::{request, server_of};
use super::load::Plan;
use super::net::{connect, fresh_ports};
use super::packages::node_modules;
use super::{End, Pidone, Run, TempDir, processes, words};

/// An app by the name of its script, or with a test's own script.
pub const PLAIN: &str = "plain.js";
pub const CLOSE: &str = "close.js";
pub const FASTIFY: &str = "fastify.js";
pub const FASTIFY_CLOSE: &str = "fastify-close.js";
pub const FRAGILE: &str = "fragile.js";

const SCRIPTS: &[(&str, &str)] = &[
    ("answer.js", include_str!("apps/answer.js")),
    ("close.js", include_str!("apps/close.js")),
    ("esm.mjs", include_str!("apps/esm.mjs")),
    ("fastify-close.js", include_str!("apps/fastify-close.js")),
    ("fastify.js", include_str!("apps/fastify.js")),
    ("fragile.js", include_str!("apps/fragile.js")),
    (
        "http-terminator.js",
        include_str!("apps/http-terminator.js"),
    ),
    ("nest.js", include_str!("apps/nest.js")),
    ("http2-client.js", include_str!("apps/http2-client.js")),
    ("http2.js", include_str!("apps/http2.js")),
    ("plain.js", include_str!("apps/plain.js")),
    ("release.js", include_str!("apps/release.js")),
    ("several.js", include_str!("apps/several.js")),
    ("talker.js", include_str!("apps/talker.js")),
    ("terminus.js", include_str!("apps/terminus.js")),
    ("tls.js", include_str!("apps/tls.js")),
    ("typed.ts", include_str!("apps/typed.ts")),
];

/// An app in a directory of its own, and its port.
#[must_use]
pub struct App {
    pub directory: TempDir,
    pub port: u16,
    node: PathBuf,
    flags: Vec<OsString>,
    script: PathBuf,
    line: Option<Vec<OsString>>,
}

impl App {
    /// One of the apps in tests/harness/apps.
    pub fn named(name: &str) -> Self {
        let directory = TempDir::new();
        for (name, text) in SCRIPTS {
            directory.file(name, text, 0o644);
        }
        let app = Self::at(directory, name);
        let packaged = ["fastify", "nest", "terminus", "http-terminator"];
        let is_packaged = packaged.iter().any(|package| name.starts_with(package));
        if is_packaged || name.ends_with(".ts") {
            return app.with_packages();
        }
        app
    }

    /// A script in this directory.
    pub fn at(directory: TempDir, script: &str) -> Self {
        Self {
            script: directory.path(script),
            directory,
            // Several in a row, for apps that listen on more than one.
            port: fresh_ports(9),
            node: "node".into(),
            flags: Vec::new(),
            line: None,
        }
    }

    /// A test's own script, which may require those.
    pub fn script(text: &str) -> Self {
        let mut app = Self::named(PLAIN);
        app.script = app.directory.file("test.js", text, 0o644);
        app
    }

    /// An app that is a snapshot, made by this Node.js (20 or newer), instead of a script.
    pub fn snapshot(node: &Path) -> Self {
        const APP: &str = "
            require('v8').startupSnapshot.setDeserializeMainFunction(() => {
                const server = require('http').createServer((request, response) => {
                    response.end(`${process.pid} ${request.url}`);
                });
                server.listen(process.env.PORT, () => console.log('up', process.pid));
            });";
        let app = Self::script(APP);
        let blob = app.directory.path("app.blob");
        let build = Command::new(node)
            .arg("--snapshot-blob")
            .args([&blob, Path::new("--build-snapshot")])
            .arg(&app.script)
            .output()
            .unwrap();
        assert!(build.status.success(), "{build:?}");
        app.command_line([node, Path::new("--snapshot-blob"), &blob])
    }

    /// The packages of tests/harness/apps.
    pub fn with_packages(self) -> Self {
        self.with_packages_of("tests/harness/apps")
    }

    /// The packages of a directory of this repository.
    pub fn with_packages_of(self, project: &str) -> Self {
        let modules = node_modules(project);
        std::os::unix::fs::symlink(modules, self.directory.path("node_modules")).unwrap();
        self
    }

    /// For `tls.js` and `http2.js`.
    pub fn with_certificate(self) -> Self {
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(self.directory.path("."))
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{made:?}");
        self
    }

    pub fn node(mut self, node: impl Into<PathBuf>) -> Self {
        self.node = node.into();
        self
    }

    /// Options of Node.js.
    pub fn flags<S: AsRef<OsStr>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags = flags.into_iter().map(|flag| flag.as_ref().into()).collect();
        self
    }

    fn command(&self) -> Vec<OsString> {
        if let Some(line) = &self.line {
            return line.clone();
        }
        let mut command = vec![self.node.clone().into_os_string()];
        command.extend(self.flags.iter().cloned());
        command.push(self.script.clone().into_os_string());
        command
    }

    /// Lets every user read it.
    pub fn open_to_all(&self) {
        self.directory.open_to_all();
    }

    /// Another command instead of the script.
    pub fn command_line<S: AsRef<OsStr>>(mut self, line: impl IntoIterator<Item = S>) -> Self {
        self.line = Some(line.into_iter().map(|word| word.as_ref().into()).collect());
        self
    }

    /// Starts this many workers of it, with these options of pidone.
    pub fn workers<S: AsRef<OsStr>>(
        self,
        count: usize,
        options: impl IntoIterator<Item = S>,
    ) -> Service {
        self.start_with(count, options, |pidone| pidone)
    }

    /// The same, with changes to the start.
    pub fn start_with<S: AsRef<OsStr>>(
        self,
        count: usize,
        options: impl IntoIterator<Item = S>,
        more: impl FnOnce(Pidone) -> Pidone,
    ) -> Service {
        let mut all: Vec<OsString> = vec!["-i".into(), count.to_string().into()];
        all.extend(options.into_iter().map(|option| option.as_ref().to_owned()));
        self.start_as(count, all, more)
    }

    /// The same with all of pidone's options; they, or a variable, set the number of workers.
    pub fn start_as<S: AsRef<OsStr>>(
        self,
        count: usize,
        options: impl IntoIterator<Item = S>,
        more: impl FnOnce(Pidone) -> Pidone,
    ) -> Service {
        let pidone = self.in_place(Pidone::new(options).command(self.command()));
        let run = more(pidone).start();
        Service {
            app: self,
            run,
            count,
        }
    }

    fn in_place(&self, pidone: Pidone) -> Pidone {
        pidone
            .env("PORT", self.port.to_string())
            .directory(self.directory.path("."))
    }

    /// The app alone, without pidone.
    pub fn bare(self) -> Service {
        let bare = self.in_place(Pidone::program(self.command()));
        Service {
            run: bare.start(),
            app: self,
            count: 1,
        }
    }
}

/// A running app.
pub struct Service {
    pub app: App,
    pub run: Run,
    count: usize,
}

impl Service {
    /// Waits until this many more processes listen.
    #[track_caller]
    pub fn up(&self, count: usize) -> BTreeSet<i32> {
        (0..count).map(|_| self.pid_after("up ")).collect()
    }

    /// Waits until all listen, and pidone has logged it.
    #[track_caller]
    pub fn ready(self) -> Self {
        self.up(self.count);
        self.run.until_stderr(words::READY);
        self
    }

    /// The process id in the next line that begins like this.
    #[track_caller]
    pub fn pid_after(&self, start: &str) -> i32 {
        self.after(start).parse().unwrap()
    }

    /// The rest of the next line that begins like this; skips the lines before it.
    #[track_caller]
    pub fn after(&self, start: &str) -> String {
        loop {
            if let Some(rest) = self.run.line().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Waits until pidone logs that all workers are ready.
    #[track_caller]
    pub fn until_ready(self) -> Self {
        self.run.until_stderr(words::READY);
        self
    }

    /// pidone's children.
    #[track_caller]
    pub fn workers(&self) -> BTreeSet<i32> {
        let alive = |pid: &i32| processes::state(*pid).is_some_and(|state| state != 'Z');
        processes::children(self.run.pid())
            .into_iter()
            .filter(alive)
            .collect()
    }

    /// A connection of its own with a request on it, whose response is not read yet.
    #[track_caller]
    pub fn asked(&self, path: &str) -> TcpStream {
        let mut client = connect((Ipv4Addr::LOCALHOST, self.app.port));
        client.write_all(request(path, false).as_bytes()).unwrap();
        client
    }

    /// A request that the worker does not answer before [`Self::release`].
    #[track_caller]
    pub fn held(&self) -> TcpStream {
        self.asked("/held")
    }

    pub fn release(&self) {
        self.app.directory.file("release", "", 0o644);
    }

    /// The worker that responds to a new connection.
    #[track_caller]
    pub fn who(&self) -> i32 {
        server_of(connect((Ipv4Addr::LOCALHOST, self.app.port)))
    }

    /// A load on it, which can be adjusted.
    pub fn load(&self) -> Plan {
        Plan::of(self.app.port)
    }

    /// Reloads, and waits until the reload is done.
    #[track_caller]
    pub fn reload(&self) {
        let times = self.run.stderr_count(words::RELOADED);
        self.run.signal(libc::SIGHUP);
        self.run.until_stderr_times(words::RELOADED, times + 1);
    }

    /// Tells it to stop, and waits for its exit.
    #[track_caller]
    pub fn stop(self) -> End {
        self.stop_and_keep().1
    }

    /// The same; keeps the app's directory for inspection.
    #[track_caller]
    pub fn stop_and_keep(self) -> (App, End) {
        self.run.signal(libc::SIGTERM);
        (self.app, self.run.end())
    }
}

/// Waits until all workers, and only they, have responded to this.
#[track_caller]
pub fn all_answer(service: &Service, ask: impl Fn() -> i32) {
    let workers = service.workers();
    assert_eq!(workers.len(), service.count);
    let mut seen = BTreeSet::new();
    while seen != workers {
        let pid = ask();
        assert!(workers.contains(&pid), "{pid} of {workers:?}");
        seen.insert(pid);
    }
}
