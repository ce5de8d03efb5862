//! The engine's command line client, with the binary under test in images of its own.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::Hasher;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::harness::{processes, scaled, skipped};

/// How long anything may take before the test fails, but for the build of an image.
pub fn patience() -> Duration {
    scaled(Duration::from_secs(60))
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary under test.
pub fn binary() -> PathBuf {
    env::var_os("PIDONE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_pidone").into(), PathBuf::from)
}

/// Docker's client (`PIDONE_DOCKER` names another), as a command that cannot last for ever.
pub fn client(seconds: u64) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "-k", "5", &seconds.to_string()]);
    command.arg(env::var_os("PIDONE_DOCKER").unwrap_or_else(|| "docker".into()));
    // The builder that engines have had as their default since version 23; it is also the quicker one.
    command.env("DOCKER_BUILDKIT", "1");
    command
}

fn finish(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_ne!(
        output.status.code(),
        Some(124),
        "too slow: {command:?} {output:?}"
    );
    output
}

/// Runs the client, which must succeed, and gives its standard output, trimmed.
#[track_caller]
pub fn docker(args: &[&str]) -> String {
    let output = finish(client(patience().as_secs()).args(args));
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    text(&output.stdout).trim().to_owned()
}

/// Whether the engine has a bridge, so that it publishes ports. If not, reports the test as skipped.
pub fn has_bridge(test: &str) -> bool {
    let mut network = client(patience().as_secs());
    network.args(["network", "inspect", "bridge"]);
    finish(&mut network).status.success() || skipped(test, "the engine has no bridge")
}

/// What was written, for a person or a comparison.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Builds `dockerfile` in a context with these files, and gives the image's name. The same input
/// gives the same name, so that nothing piles up in the engine.
pub fn build(name: &str, dockerfile: &str, files: &[(&str, &Path)]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(dockerfile.as_bytes());
    for (_, path) in files {
        hasher.write(&fs::read(path).unwrap());
    }
    let tag = format!("pidone-test/{name}:{:016x}", hasher.finish());
    let context = env::temp_dir().join(format!("pidone-{name}-{}", std::process::id()));
    fs::create_dir_all(&context).unwrap();
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    for (file, path) in files {
        fs::copy(path, context.join(file)).unwrap();
    }
    let output = finish(
        client(300)
            .args(["build", "-q", "--network=none", "-t", &tag])
            .arg(&context),
    );
    fs::remove_dir_all(&context).unwrap();
    assert!(output.status.success(), "building {tag}: {output:?}");
    tag
}

/// The images under test.
pub struct Images {
    /// From scratch, with /pidone and nothing else.
    pub alone: String,
    /// Distroless: no shell, node under pidone.
    pub node: String,
    /// The same with `examples/fastify`.
    pub fastify: String,
    /// Distroless, with apps of the harness in /app that know of no signal, under pidone.
    pub workers: String,
    /// Debian with a shell and node, under pidone.
    pub debian: String,
}

/// Made once for all tests; `.ci/images` has made what they stand on.
pub fn images() -> &'static Images {
    static IMAGES: OnceLock<Images> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let alone = build(
            "alone",
            "FROM scratch\nCOPY pidone /pidone\nENTRYPOINT [\"/pidone\"]\n",
            &[("pidone", &binary())],
        );
        let with = |name: &str, base: &str, more: &str, files: &[(&str, &Path)]| {
            let lines = format!(
                "FROM {base}\nCOPY --from={alone} /pidone /pidone\n{more}\nENTRYPOINT [\"/pidone\", \"--\"]\n"
            );
            build(name, &lines, files)
        };
        let on = |name: &str, base: &str, more: &str| with(name, base, more, &[]);
        let apps = root().join("tests/harness/apps");
        let files = ["answer.js", "fastify.js", "plain.js"].map(|file| (file, apps.join(file)));
        let files = files
            .each_ref()
            .map(|(file, path)| (*file, path.as_path()));
        Images {
            node: on("on-node", "pidone-test/node", ""),
            // Its command is lost where an entrypoint is set in a base's child: said again.
            fastify: on(
                "on-fastify",
                "pidone-test/fastify",
                "CMD [\"node\", \"server.js\"]",
            ),
            workers: with("workers", "pidone-test/fastify", "COPY *.js /app/", &files),
            debian: on(
                "on-debian",
                "debian:stable-slim",
                "COPY --from=pidone-test/node /usr/bin/node /usr/bin/node",
            ),
            alone,
        }
    })
}

/// Runs a container to its end: status, standard output, standard error.
#[track_caller]
pub fn run(options: &[&str], image: &str, command: &[&str]) -> (i32, String, String) {
    let container = Container::start(options, image, command);
    let status = container.wait();
    let (stdout, stderr) = container.logs();
    (status, stdout, stderr)
}

/// A container that is removed with all that is in it when this goes.
pub struct Container {
    pub id: String,
}

impl Container {
    /// Starts it in the background, with no network unless the options give one.
    #[track_caller]
    pub fn start(options: &[&str], image: &str, command: &[&str]) -> Self {
        let container = Self::create(options, image, command);
        docker(&["start", &container.id]);
        container
    }

    #[track_caller]
    pub fn create(options: &[&str], image: &str, command: &[&str]) -> Self {
        let mut args = vec!["create"];
        if !options.iter().any(|option| option.starts_with("--network")) {
            args.push("--network=none");
        }
        args.extend(options);
        args.push(image);
        args.extend(command);
        Self { id: docker(&args) }
    }

    /// Waits for the end, and gives the status.
    #[track_caller]
    pub fn wait(&self) -> i32 {
        docker(&["wait", &self.id]).parse().unwrap()
    }

    /// The process id that PID 1 in it has on the machine.
    #[track_caller]
    pub fn init(&self) -> i32 {
        docker(&["inspect", "-f", "{{.State.Pid}}", &self.id])
            .parse()
            .unwrap()
    }

    /// Waits until its health check says this.
    #[track_caller]
    pub fn is(&self, health: &str) {
        processes::wait_until(&format!("it is {health}"), || {
            docker(&["inspect", "-f", "{{.State.Health.Status}}", &self.id]) == health
        });
    }

    /// `docker stop`, and the status. After so many seconds Docker kills the container; with 3600 the
    /// test fails before.
    #[track_caller]
    pub fn stop(&self, seconds: &str) -> i32 {
        docker(&["stop", "-t", seconds, &self.id]);
        self.wait()
    }

    /// Everything on standard output and standard error until now.
    pub fn logs(&self) -> (String, String) {
        let output = finish(client(patience().as_secs()).args(["logs", &self.id]));
        (text(&output.stdout), text(&output.stderr))
    }

    /// Waits for a line with `part` on standard output, and gives it.
    #[track_caller]
    pub fn line(&self, part: &str) -> String {
        self.lines(part, 1)
    }

    /// Waits for so many of them, and gives the last.
    #[track_caller]
    pub fn lines(&self, part: &str, times: usize) -> String {
        self.follow([Stdio::piped(), Stdio::null()], part, times)
    }

    /// Waits until so many lines on standard error, where pidone speaks, have had `part`.
    #[track_caller]
    pub fn said(&self, part: &str, times: usize) -> String {
        self.follow([Stdio::null(), Stdio::piped()], part, times)
    }

    #[track_caller]
    fn follow(&self, [stdout, stderr]: [Stdio; 2], part: &str, times: usize) -> String {
        let mut logs = client(patience().as_secs())
            .args(["logs", "-f", &self.id])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        let stdout = logs
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>);
        let stderr = logs
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>);
        let lines = BufReader::new(stdout.or(stderr).unwrap()).lines();
        let mut found = lines
            .map_while(Result::ok)
            .filter(|line| line.contains(part));
        let found = found.nth(times - 1);
        logs.kill().unwrap();
        logs.wait().unwrap();
        found.unwrap_or_else(|| panic!("no {times} lines with {part:?}: {:?}", self.logs()))
    }

    /// The port in the line that a server logs when it listens.
    #[track_caller]
    pub fn port(&self, line_with: &str) -> u16 {
        let line = self.line(line_with);
        let after = line.split(line_with).nth(1).unwrap();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = client(patience().as_secs())
            .args(["rm", "-f", "-v", &self.id])
            .stdin(Stdio::null())
            .output();
    }
}

/// Runs `work` elsewhere; its result is to be fetched within [`patience`].
pub fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}
