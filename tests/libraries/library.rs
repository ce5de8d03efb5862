//! An app of tests/libraries/apps, under pidone and under Node's own primary.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;

use crate::harness::http::answer;
use crate::harness::net::connect;
use crate::harness::packages::node_modules;
use crate::harness::service::{App, Service, all_answer};
use crate::harness::{End, TempDir, http, root};

const HOME: &str = "tests/libraries/apps";

/// A script of these apps or of the harness', beside all others and their packages.
pub fn app(script: &str) -> App {
    let directory = TempDir::new();
    for home in ["tests/harness/apps", HOME] {
        for entry in fs::read_dir(root().join(home)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            fs::copy(entry.path(), directory.path(name.to_str().unwrap())).unwrap();
        }
    }
    symlink(node_modules(HOME), directory.path("node_modules")).unwrap();
    App::at(directory, script)
}

/// Two workers of it.
#[track_caller]
pub fn two(script: &str) -> Service {
    app(script).workers(2, [""; 0]).ready()
}

/// The same app as its own primary.
#[track_caller]
pub fn without_pidone(script: &str) -> Service {
    let service = app(script).bare();
    service.up(2);
    service
}

/// The worker that responds, and what the library said.
#[track_caller]
pub fn ask(service: &Service, path: &str) -> (i32, String) {
    let mut client = connect((Ipv4Addr::LOCALHOST, service.app.port));
    let response = http::ask(&mut client, path, false);
    let (pid, said) = response.body().split_once(' ').unwrap();
    (pid.parse().unwrap(), said.to_owned())
}

/// Both workers respond, a reload under load loses nothing, and at the stop the last request is answered.
#[track_caller]
pub fn serves(service: Service) -> End {
    let service = service.until_ready();
    all_answer(&service, || service.who());
    let old = service.workers();
    let load = service.load().rate(40).start();
    load.until_answered(20);
    service.reload();
    assert!(service.workers().is_disjoint(&old));
    load.until_answered_by(2);
    load.stop().no_failures();
    let mut last = service.asked("/last?ms=100");
    let end = service.stop();
    end.code(0);
    assert_eq!(answer(&mut last).status(), 200);
    end
}
