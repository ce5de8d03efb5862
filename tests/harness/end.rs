//! How a run ended, and its remaining output.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Code(i32),
    Killed(i32),
}

/// The output that was not read yet.
pub struct End {
    pub status: Status,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
    pub(super) line: Vec<OsString>,
}

impl std::fmt::Debug for End {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "{:?}\n{:?} after {:?}",
            self.line, self.status, self.took
        )?;
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(
            out,
            "--- stdout:\n{stdout}\n--- stderr:\n{}\n---",
            self.stderr
        )
    }
}

impl End {
    /// It exited with this status.
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        assert_eq!(self.status, Status::Code(code), "{self:#?}");
        self
    }

    /// Neither pidone nor the child wrote to standard error.
    #[track_caller]
    pub fn quiet(&self) -> &Self {
        assert_eq!(self.stderr, "", "{self:#?}");
        self
    }

    /// pidone wrote one line, which contains all of these.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        assert!(
            self.stderr.starts_with("pidone: ") && self.stderr.ends_with('\n'),
            "{self:#?}"
        );
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }

    /// What the child wrote and the test has not read yet.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// The value of a `name value` line of the probe's report.
    #[track_caller]
    pub fn report(&self, name: &str) -> String {
        let text = self.text();
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines
            .next()
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"))
            .trim()
            .to_owned()
    }
}

impl From<std::process::ExitStatus> for Status {
    fn from(status: std::process::ExitStatus) -> Self {
        status
            .signal()
            .map_or_else(|| Self::Code(status.code().unwrap()), Self::Killed)
    }
}
