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
use harness::cgroup::Group;
use harness::service::{App, PLAIN};
use harness::{keep, processes, words};

/// Uses CPU time and memory, more and less, boots slowly enough to be seen, and hangs on SIGUSR2.
const BUSY: &str = "
    const kept = [];
    setInterval(() => {
        if (kept.length < 100) kept.push(Buffer.alloc(1 << 18, 1));
        else kept.length = 0;
        const wave = 1 + Math.sin(Date.now() / 2e4 + process.pid);
        const end = Date.now() + 30 * wave + 10 * Math.random();
        while (Date.now() < end);
    }, 200);
    process.on('SIGUSR2', () => { for (;;); });
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

const OPTIONS: [&str; 6] = [
    "--hang-timeout",
    "3s",
    "--spares",
    "1",
    "--max-memory",
    "160M",
];

#[test]
fn a_crash_a_reload_and_a_hang_are_shown_as_they_happen() {
    let test = "a_crash_a_reload_and_a_hang_are_shown_as_they_happen";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::script(BUSY), 3, &OPTIONS).ready();
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

    let stuck = *service.workers().iter().next().unwrap();
    processes::kill(stuck, libc::SIGUSR2);
    browser.until("!!document.querySelector('td.bad')");
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
    browser.saw_only(&admin);
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
    let before = browser.asked();
    browser.select(1);
    browser.asks(3);
    browser.select(0);
    assert_eq!(browser.asked(), before);
    browser.front();
    browser.asks(1);
    service.stop();
}

/// A page with everything on it, as pictures to look at. `PIDONE_PAGE_PICTURE=FILE` makes the one in the docs again, in
/// five minutes, and in a container's limits where there are control groups of version 1.
#[test]
fn the_page_fits_each_screen() {
    let test = "the_page_fits_each_screen";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let picture = std::env::var_os("PIDONE_PAGE_PICTURE").map(PathBuf::from);
    let limits = picture.iter().flat_map(|_| ["cpu", "cpuacct", "memory"]);
    let groups: Vec<_> = limits.filter_map(|one| Group::new(test, one)).collect();
    if let [cpu, _, memory] = &groups[..] {
        cpu.set_cpus(2);
        memory.set_memory(512 << 20);
    }
    let admin = AdminEndpoints::fresh();
    let options: Vec<_> = admin
        .options()
        .into_iter()
        .chain(OPTIONS.map(String::from))
        .collect();
    let wrapper: Vec<_> = groups.iter().flat_map(|group| group.wrapper("")).collect();
    let app = App::script(BUSY);
    let service = app
        .start_with(4, options, |pidone| pidone.under(wrapper))
        .ready();
    browser.open(&admin);
    browser.shows(STATE, "ready, 4 of 4 workers");
    // A curve needs time.
    let (before, after) = if picture.is_some() { (200, 90) } else { (3, 1) };
    for _ in 0..before {
        browser.asks(1);
    }
    processes::kill(service.who(), libc::SIGKILL);
    browser.shows(ENDS, "was killed by SIGKILL");
    for _ in 0..after {
        browser.asks(1);
    }
    if let Some(picture) = &picture {
        service.run.signal(libc::SIGHUP);
        browser.shows(STATE, "2 of 4 replaced");
        browser.view(1080, 560, "light");
        browser.picture(picture);
    }
    // Where there is no room for the columns, each cell has its label.
    for (name, width, height, scheme, label) in [
        ("light", 1280, 760, "light", ""),
        ("dark", 1280, 760, "dark", ""),
        ("tablet", 820, 1180, "light", "Slot "),
        ("phone", 360, 740, "dark", "Slot "),
    ] {
        browser.view(width, height, scheme);
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(browser.value(fits), "true", "{name}");
        browser.picture(&keep().join(format!("page-{name}.png")));
        let roles = browser.roles();
        for part in [
            "\"table Workers\":1",
            "\"columnheader Loop delay\":1",
            &format!("\"rowheader {label}0\":1"),
            &format!("\"rowheader {label}spare\":1"),
            "\"heading pidone\":1",
        ] {
            assert!(roles.contains(part), "{part} on the {name}: {roles}");
        }
    }
    service.stop();
}
