//! examples/esm: a module that awaits before it listens.

use crate::example::{Example, get, pid_in};
use crate::harness::service::{Service, all_answer};
use crate::harness::words;

/// Both workers greet with this word.
#[track_caller]
fn all_greet(service: &Service, word: &str) {
    all_answer(service, || {
        let body = get(service, "/");
        assert!(body.contains(&format!("\"hello\":\"{word}\"")), "{body}");
        pid_in(&body)
    });
}

#[test]
fn a_reload_waits_for_the_settings_and_keeps_the_old_workers_if_they_are_broken() {
    let service = Example::named("esm").start("pidone -i 2").until_ready();
    all_greet(&service, "world");
    let settings = |text: &str| service.app.directory.file("settings.json", text, 0o644);
    settings("{ \"greet\": \"moon\" }");
    service.reload();
    all_greet(&service, "moon");
    let old = service.workers();
    settings("{ \"greet\": ");
    service.run.signal(libc::SIGHUP);
    service.run.until_stderr(words::RELOAD_FAILED);
    assert_eq!(service.workers(), old);
    all_greet(&service, "moon");
    service.stop().code(0);
}
