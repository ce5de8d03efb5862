//! The live page of `--http` in a real browser: Debian's Chromium, without a window.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod browser;

use std::path::PathBuf;

use browser::Browser;
use harness::admin::AdminEndpoints;
use harness::service::{App, PLAIN, Service};
use harness::{keep, processes, words};

/// Uses some CPU time and memory, boots slowly enough to be seen, and hangs on SIGUSR2.
const BUSY: &str = "
    const kept = [];
    setInterval(() => {
        kept.push(Buffer.alloc(1 << 19, 1));
        const end = Date.now() + 20 + 20 * Math.random();
        while (Date.now() < end);
    }, 200);
    process.on('SIGUSR2', () => { console.log('stuck'); for (;;); });
    setTimeout(() => require('./plain.js'), 300);
";

const STATE: &str = "#state";
const ENDS: &str = "#ends";

/// Waits for something in the text of a row: 0 is the first worker's.
#[track_caller]
fn row_shows(browser: &mut Browser, row: usize, text: &str) {
    let row = format!("#workers tr:nth-child({})", row + 1);
    browser.shows(&row, text);
}

fn slow(admin: &AdminEndpoints, count: usize) -> Service {
    let options = [
        "--hang-timeout",
        "1s",
        "--spares",
        "1",
        "--max-memory",
        "400M",
    ];
    admin.workers(App::script(BUSY), count, &options).ready()
}

#[test]
fn a_crash_a_reload_and_a_hang_are_shown_as_they_happen() {
    let test = "a_crash_a_reload_and_a_hang_are_shown_as_they_happen";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let service = slow(&admin, 3);
    browser.open(&admin);
    browser.shows(STATE, "ready, 3 of 3 workers");
    let mut workers = service.workers().into_iter();
    let victim = workers.next().unwrap();
    processes::kill(victim, libc::SIGKILL);
    browser.shows(
        ENDS,
        &format!("(pid {victim}) was killed by SIGKILL (not sent by pidone)"),
    );
    browser.shows("#facts", "exit 1");
    browser.shows(STATE, "ready, 3 of 3 workers");

    service.run.signal(libc::SIGHUP);
    browser.shows(STATE, "reload: ");
    browser.until("!document.querySelector('progress').hidden");
    browser.shows(STATE, "1 of 3 replaced");
    browser.until("document.querySelector('progress').hidden");
    browser.shows(STATE, "ready, 3 of 3 workers");

    service.up(4);
    let stuck = *service.workers().iter().next().unwrap();
    processes::kill(stuck, libc::SIGUSR2);
    browser.until("!!document.querySelector('td.bad, td.busy')");
    browser.shows(
        ENDS,
        &format!("(pid {stuck}) hangs: its event loop has not responded"),
    );
    browser.shows("#facts", "hang 1");
    browser.shows(STATE, "ready, 3 of 3 workers");
    // It is measured as well.
    browser.until("/of [0-9.]+ CPUs/.test(document.querySelector('figure').textContent)");
    row_shows(&mut browser, 0, " %");
    row_shows(&mut browser, 0, " MiB");
    row_shows(&mut browser, 0, " ms");
    browser.saw_only(&admin);
    service.stop();
}

#[test]
fn the_page_goes_on_after_a_restart_of_pidone() {
    let test = "the_page_goes_on_after_a_restart_of_pidone";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    browser.open(&admin);
    browser.shows(STATE, "ready, 2 of 2 workers");
    let before = service.run.pid();
    browser.shows("#facts", &format!("pid {before} "));
    service.stop();
    browser.shows(STATE, "not reachable since");
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    browser.shows(STATE, "ready, 2 of 2 workers");
    browser.shows("#facts", &format!("pid {} ", service.run.pid()));
    service.stop();
}

#[test]
fn a_crash_loop_is_shown_and_stays_when_pidone_has_gone() {
    let test = "a_crash_loop_is_shown_and_stays_when_pidone_has_gone";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let options = [
        "--max-restarts",
        "0/1m",
        "--stop",
        "signal",
        "--grace",
        "1h",
    ];
    // The other one is held until the page has been seen.
    let app = "process.on('SIGTERM', () => {}); require('./plain.js')";
    let service = admin.workers(App::script(app), 2, &options).ready();
    browser.open(&admin);
    browser.shows(STATE, "ready, 2 of 2 workers");
    let mut workers = service.workers().into_iter();
    processes::kill(workers.next().unwrap(), libc::SIGKILL);
    browser.shows(STATE, "crash loop, stopping");
    processes::kill(workers.next().unwrap(), libc::SIGKILL);
    service.run.until_stderr(words::CRASH_LOOP);
    browser.shows(STATE, "not reachable since");
    browser.shows(ENDS, "crash loop: ");
    service.run.end();
}

#[test]
fn a_hidden_page_asks_nothing() {
    let Some(mut browser) = Browser::start("a_hidden_page_asks_nothing") else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 1, &[""; 0]).ready();
    browser.open(&admin);
    browser.shows(STATE, "ready");
    // In front of the first one, and its clock.
    browser.open(&admin);
    browser.shows(STATE, "ready");
    browser.select(0);
    browser.until("document.hidden");
    let looks = |browser: &mut Browser| browser.seen().matches("/status\"").count();
    let before = looks(&mut browser);
    browser.select(1);
    let begin = looks(&mut browser);
    while looks(&mut browser) < begin + 3 {}
    browser.select(0);
    assert_eq!(looks(&mut browser), before);
    browser.front();
    while looks(&mut browser) == before {}
    service.stop();
}

/// A page with everything on it, in each size and colour, as pictures to look at.
#[test]
fn the_page_fits_each_screen() {
    let Some(mut browser) = Browser::start("the_page_fits_each_screen") else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let service = slow(&admin, 4);
    browser.open(&admin);
    browser.shows(STATE, "ready, 4 of 4 workers");
    let victim = *service.workers().iter().next().unwrap();
    processes::kill(victim, libc::SIGKILL);
    browser.shows(ENDS, "was killed by SIGKILL");
    browser.shows(STATE, "ready, 4 of 4 workers");
    // A curve needs time.
    let seconds = if picture_for_docs().is_some() { 60 } else { 3 };
    let looks = |browser: &mut Browser| browser.seen().matches("/status\"").count();
    let begin = looks(&mut browser);
    while looks(&mut browser) < begin + seconds {}
    // Where there is no room for the columns, each cell has its label.
    for (name, width, height, scheme, label) in [
        ("light", 1280, 800, "light", ""),
        ("dark", 1280, 800, "dark", ""),
        ("tablet", 820, 1180, "light", "Slot "),
        ("phone", 360, 740, "dark", "Slot "),
    ] {
        browser.view(width, height, scheme);
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.value(fits), "true", "{name}");
        browser.picture(&keep().join(format!("page-{name}.png")));
        let roles = browser.roles();
        for part in [
            r#""table Workers":1"#,
            r#""columnheader Loop delay":1"#,
            &format!("\"rowheader {label}0\":1"),
            &format!("\"rowheader {label}spare\":1"),
            r#""heading pidone":1"#,
        ] {
            assert!(roles.contains(part), "{part} on the {name}: {roles}");
        }
    }
    if let Some(file) = picture_for_docs() {
        browser.view(1080, 720, "light");
        browser.picture(&file);
    }
    service.stop();
}

/// Where the picture in the docs goes, if it is to be made again.
fn picture_for_docs() -> Option<PathBuf> {
    std::env::var_os("PIDONE_PAGE_PICTURE").map(PathBuf::from)
}
