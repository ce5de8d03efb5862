//! Deployment by a symbolic link that is switched to another release.

use std::path::PathBuf;

use crate::harness::service::{App, PLAIN, Service};
use crate::harness::words;

const LINK_GONE: &str = "starting in the directory that it named last";

/// Two releases of an app beside a link `current`.
struct Releases(PathBuf);

impl Releases {
    fn new(app: &App) -> Self {
        let plain = app.directory.path(PLAIN);
        for release in ["1", "2"] {
            std::fs::create_dir(app.directory.path(release)).unwrap();
            let script = format!(
                "console.log('release', {release}, process.cwd() === __dirname); require({plain:?})"
            );
            let server = format!("{release}/server.js");
            app.directory.file(&server, &script, 0o644);
        }
        let releases = Self(app.directory.path("current"));
        releases.switch_to("1");
        releases
    }

    /// As `ln -sfn` does.
    fn switch_to(&self, release: &str) {
        let _ = std::fs::remove_file(&self.0);
        std::os::unix::fs::symlink(release, &self.0).unwrap();
    }
}

/// Waits until two workers have started from this release.
#[track_caller]
fn two_of(service: &Service, release: &str) {
    for _ in 0..2 {
        assert_eq!(service.after("release "), format!("{release} true"));
    }
}

#[test]
fn a_reload_runs_the_release_that_the_link_names() {
    let app = App::named(PLAIN).command_line(["node", "server.js"]);
    let releases = Releases::new(&app);
    let current = releases.0.clone();
    let service = app.start_with(2, [""; 0], |pidone| {
        pidone.directory(current.clone()).env("PWD", &current)
    });
    two_of(&service, "1");
    service.run.until_stderr(words::ALL_READY);

    releases.switch_to("2");
    service.reload();
    two_of(&service, "2");
    assert_eq!(service.run.stderr_count(LINK_GONE), 0);

    std::fs::remove_file(&releases.0).unwrap();
    for _ in 0..2 {
        service.reload();
        two_of(&service, "2");
    }
    assert_eq!(service.run.stderr_count(LINK_GONE), 1);

    releases.switch_to("1");
    service.reload();
    two_of(&service, "1");
    service.stop().code(0);
}

#[test]
fn a_path_of_another_directory_changes_nothing() {
    for pwd in [Some("/"), Some("."), Some("/no/such/directory"), None] {
        let app = App::named(PLAIN).command_line(["node", "server.js"]);
        let releases = Releases::new(&app);
        let current = releases.0.clone();
        let service = app.start_with(2, [""; 0], |pidone| {
            let pidone = pidone.directory(current.clone());
            match pwd {
                Some(pwd) => pidone.env("PWD", pwd),
                None => pidone.under(["env", "-u", "PWD"]),
            }
        });
        two_of(&service, "1");
        service.run.until_stderr(words::ALL_READY);
        releases.switch_to("2");
        service.reload();
        two_of(&service, "1");
        assert_eq!(service.run.stderr_count(LINK_GONE), 0);
        service.stop().code(0);
    }
}
