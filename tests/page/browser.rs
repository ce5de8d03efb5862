//! A real browser that looks at pidone's page.

use std::fmt::Display;
use std::path::Path;
use std::process::Stdio;

use crate::harness::admin::AdminEndpoints;
use crate::harness::{Pidone, Run, TempDir, is_installed, patience};

pub struct Browser {
    run: Run,
    _profile: TempDir,
}

impl Browser {
    /// `None`: there is no Chromium here, and the test is skipped.
    pub fn start(test: &str) -> Option<Self> {
        if !is_installed(test, "chromium", "chromium") {
            return None;
        }
        let profile = TempDir::new();
        let directory = profile.path("profile").display().to_string();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browser.mjs");
        let script = script.display().to_string();
        // Before this test itself gives up.
        let patience = (patience() * 3 / 4).as_millis().to_string();
        let line = ["node", &script, "chromium", &directory, &patience];
        let run = Pidone::program(line).stdin(Stdio::piped()).start();
        Some(Self {
            run,
            _profile: profile,
        })
    }

    /// Does what a line says (browser.mjs), and returns the JSON of the answer.
    #[track_caller]
    fn tell(&mut self, line: impl Display) -> String {
        self.run.write(&format!("{line}\n"));
        let answer = self.run.line();
        assert!(!answer.starts_with("failed: "), "{line}: {answer}");
        answer
    }

    /// Opens pidone's page in a new tab in front of the others.
    #[track_caller]
    pub fn open(&mut self, admin: &AdminEndpoints) {
        self.tell(format_args!("open {}", url(admin)));
    }

    /// What follows is about this tab.
    #[track_caller]
    pub fn select(&mut self, tab: usize) {
        self.tell(format_args!("select {tab}"));
    }

    /// Brings the tab to the front.
    #[track_caller]
    pub fn front(&mut self) {
        self.tell("front");
    }

    /// Waits until a JavaScript expression is true in the page.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        self.tell(format_args!("until {expression}"));
    }

    /// Waits until the text of the first element that a selector matches contains this.
    #[track_caller]
    pub fn shows(&mut self, selector: &str, text: &str) {
        self.until(&format!(
            "document.querySelector('{selector}')?.textContent.includes('{text}')"
        ));
    }

    /// The value of an expression, as JSON.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> String {
        self.tell(format_args!("eval {expression}"))
    }

    /// The size of the window, and the user's preference.
    #[track_caller]
    pub fn view(&mut self, width: u16, height: u16, scheme: &str) {
        self.tell(format_args!("view {width} {height} {scheme}"));
    }

    #[track_caller]
    pub fn picture(&mut self, file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        self.tell(format_args!("shot {}", file.display()));
    }

    /// What a screen reader gets: the number of elements by role and name, as JSON.
    #[track_caller]
    pub fn roles(&mut self) -> String {
        self.tell("roles")
    }

    /// How often the tab has requested the status.
    #[track_caller]
    pub fn asked(&mut self) -> usize {
        self.tell("asked").parse().unwrap()
    }

    /// Waits until it has done so this many more times.
    #[track_caller]
    pub fn asks(&mut self, count: usize) {
        self.tell(format_args!("asks {count}"));
    }

    /// The page has requested only itself and the status, and had no error.
    #[track_caller]
    pub fn saw_only(&mut self, admin: &AdminEndpoints) {
        let seen = self.tell("seen");
        let url = url(admin);
        let rest = seen
            .replace(&format!("\"{url}status\""), "")
            .replace(&format!("\"{url}\""), "");
        assert_eq!(
            rest.replace(',', ""),
            "{\"requests\":[]\"errors\":[]}",
            "{seen}"
        );
    }
}

fn url(admin: &AdminEndpoints) -> String {
    format!("http://127.0.0.1:{}/", admin.http)
}
