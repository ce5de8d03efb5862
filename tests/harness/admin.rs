//! The control socket and the HTTP endpoint of a pidone, and their clients.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use super::http::ask;
use super::net::{connect, connect_unix, fresh_port};
use super::service::{App, Service};
use super::{Pidone, Run, TempDir};

/// Both endpoints of one pidone.
pub struct AdminEndpoints {
    pub directory: TempDir,
    pub control: PathBuf,
    pub http: u16,
}

impl AdminEndpoints {
    pub fn fresh() -> Self {
        let directory = TempDir::new();
        Self {
            control: directory.path("control.sock"),
            http: fresh_port(),
            directory,
        }
    }

    /// The options for both.
    pub fn options(&self) -> Vec<String> {
        let http = format!("127.0.0.1:{}", self.http);
        vec![
            "--control".into(),
            self.control.display().to_string(),
            "--http".into(),
            http,
        ]
    }

    /// This many workers of an app, with both.
    pub fn workers<S: AsRef<OsStr>>(&self, app: App, count: usize, more: &[S]) -> Service {
        let own = self.options();
        let options = own.iter().map(OsStr::new);
        app.workers(count, options.chain(more.iter().map(AsRef::as_ref)))
    }

    /// Workers that do nothing, once all have been started.
    pub fn sleepers(&self, count: usize) -> Run {
        let mut options = vec!["-i".into(), count.to_string()];
        options.extend(["--channel", "off", "--stop-signal", "KILL"].map(String::from));
        options.extend(self.options());
        let run = Pidone::new(options).command(["sleep", "inf"]).start();
        run.until_stderr(super::words::READY);
        run
    }

    /// The reply that `pidone ctl` would get.
    #[track_caller]
    pub fn ask(&self, line: &str) -> Said {
        talk(&self.control, format!("{line}\n").as_bytes())
    }

    /// Status and body of a page.
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, String) {
        let response = ask(&mut self.source(), path, false);
        assert!(response.closing());
        (response.status(), response.body().to_owned())
    }

    #[track_caller]
    pub fn source(&self) -> TcpStream {
        connect(([127, 0, 0, 1], self.http))
    }
}

/// What came of a request: progress, and then success or failure.
#[derive(Debug)]
pub struct Said {
    pub progress: Vec<String>,
    pub done: bool,
    pub text: String,
}

impl Said {
    #[track_caller]
    pub fn parse(bytes: &str) -> Self {
        let mut said = Self {
            progress: Vec::new(),
            done: false,
            text: String::new(),
        };
        let mut tags = String::new();
        for line in bytes.lines() {
            let (tag, rest) = line.split_at(1);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            if tag == ">" {
                assert_eq!(tags, "", "progress after the end in {bytes:?}");
                said.progress.push(rest.to_owned());
                continue;
            }
            tags.push_str(tag);
            said.text += rest;
            said.text.push('\n');
        }
        said.done = !tags.is_empty() && tags.chars().all(|tag| tag == '.');
        let failed = !tags.is_empty() && tags.chars().all(|tag| tag == '!');
        assert!(said.done || failed, "no end in {bytes:?}");
        said
    }

    #[track_caller]
    pub fn done(self) -> Self {
        assert!(self.done, "{self:?}");
        self
    }

    #[track_caller]
    pub fn refused(self, why: &str) -> Self {
        assert!(!self.done && self.text.contains(why), "{why:?} in {self:?}");
        self
    }
}

/// Sends something to the control socket, and reads to the end.
#[track_caller]
pub fn talk(control: &Path, bytes: &[u8]) -> Said {
    let mut stream = connect_unix(control);
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Said::parse(&answer)
}
