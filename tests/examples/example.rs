//! An example as its reader would use it.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::harness::http::{ask, request};
use crate::harness::markdown::{Block, Page};
use crate::harness::net::{accepted, connect};
use crate::harness::packages::node_modules;
use crate::harness::processes::wait_until;
use crate::harness::service::{App, Service};
use crate::harness::{Pidone, TempDir};

/// Where the examples are.
pub fn shelf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A line of a README that starts pidone.
#[derive(Clone, Debug)]
pub struct Line {
    env: Vec<(String, String)>,
    options: Vec<String>,
    command: Vec<String>,
}

impl Line {
    /// `NAME=VALUE pidone OPTIONS -- COMMAND`. Comments end at the line's end.
    fn parse(line: &str) -> Option<Self> {
        let line = line.split(" # ").next()?;
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let pidone = words.iter().position(|word| word == "pidone")?;
        let dashes = words.iter().position(|word| word == "--")?;
        let env = words[..pidone].iter().map(|word| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Some(Self {
            env: env.collect::<Option<_>>()?,
            options: words[pidone + 1..dashes].to_vec(),
            command: words[dashes + 1..].to_vec(),
        })
    }

    /// All of a README.
    pub fn all(readme: &str) -> Vec<Self> {
        let page = Page::parse("README.md", readme);
        let commands = page.blocks.iter().filter_map(Block::commands);
        let lines =
            commands.flat_map(|text| text.lines().filter_map(Self::parse).collect::<Vec<_>>());
        lines.collect()
    }

    /// As it stands there, without the variables.
    pub fn text(&self) -> String {
        let parts = [&["pidone".to_owned()], &self.options[..]].concat();
        format!("{} -- {}", parts.join(" "), self.command.join(" "))
    }

    /// How many workers it starts.
    fn workers(&self) -> usize {
        let option = self.options.iter().position(|word| word == "-i");
        option.map_or(1, |at| self.options[at + 1].parse().unwrap())
    }
}

/// A copy of one, with its packages.
#[must_use]
pub struct Example {
    app: App,
    lines: Vec<Line>,
    node: Option<PathBuf>,
}

impl Example {
    pub fn named(name: &str) -> Self {
        let directory = TempDir::new();
        for entry in fs::read_dir(shelf().join(name)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let place = directory.path(entry.file_name().to_str().unwrap());
                fs::copy(entry.path(), place).unwrap();
            }
        }
        let modules = node_modules(&format!("examples/{name}"));
        symlink(modules, directory.path("node_modules")).unwrap();
        let readme = fs::read_to_string(directory.path("README.md")).unwrap();
        Self {
            app: App::at(directory, "."),
            lines: Line::all(&readme),
            node: None,
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &TempDir {
        &self.app.directory
    }

    /// With another Node.js than that of PATH.
    pub fn node(mut self, node: &Path) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// Starts the one command line of its README that has this in it, on a port of the test's own.
    #[track_caller]
    pub fn start(self, part: &str) -> Service {
        self.start_with(part, |pidone| pidone)
    }

    /// The same, with more to say about the start.
    #[track_caller]
    pub fn start_with(self, part: &str, more: impl FnOnce(Pidone) -> Pidone) -> Service {
        let line = self.line(part);
        let mut command = line.command.clone();
        if let Some(node) = self.node {
            assert_eq!(command[0], "node");
            command[0] = node.into_os_string().into_string().unwrap();
        }
        let app = self.app.command_line(command);
        app.start_as(line.workers(), &line.options, |mut pidone| {
            // The test has ports of its own.
            for (name, value) in line.env.iter().filter(|(name, _)| name != "PORT") {
                pidone = pidone.env(name, value);
            }
            more(pidone)
        })
    }

    #[track_caller]
    fn line(&self, part: &str) -> Line {
        let mut fitting = self.lines.iter().filter(|line| line.text().contains(part));
        let line = fitting.next().unwrap_or_else(|| panic!("no {part}"));
        assert!(fitting.next().is_none(), "several lines with {part}");
        line.clone()
    }
}

/// A connection to the app.
#[track_caller]
pub fn visit(service: &Service) -> TcpStream {
    connect((Ipv4Addr::LOCALHOST, service.app.port))
}

/// Asks on a connection of its own, and returns the body.
#[track_caller]
pub fn get(service: &Service, path: &str) -> String {
    let response = ask(&mut visit(service), path, false);
    assert_eq!(response.status(), 200, "{path}: {}", response.body());
    response.body().to_owned()
}

/// Who has answered, by the body's `"pid"`.
#[track_caller]
pub fn pid_in(body: &str) -> i32 {
    let rest = body
        .split_once("\"pid\":")
        .unwrap_or_else(|| panic!("{body}"));
    let digits = rest.1.split(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

/// So many requests for this path that have come to the workers, and take their time.
#[track_caller]
pub fn in_flight(service: &Service, path: &str, count: usize) -> Vec<TcpStream> {
    let streams: Vec<_> = (0..count)
        .map(|_| {
            let mut stream = visit(service);
            stream.write_all(request(path, false).as_bytes()).unwrap();
            stream
        })
        .collect();
    let workers = service.workers();
    let mut seen = HashSet::new();
    wait_until("the requests are with the workers", || {
        thread::sleep(Duration::from_millis(5));
        for pid in &workers {
            seen.extend(accepted(*pid, service.app.port));
        }
        // On a slow machine, some may have been answered already.
        streams
            .iter()
            .all(|stream| seen.contains(&stream.local_addr().unwrap().port()) || has_answer(stream))
    });
    streams
}

fn has_answer(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let here = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    here
}
