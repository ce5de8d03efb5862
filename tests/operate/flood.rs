//! However many come and whatever they do, workers are looked after.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::admin::AdminEndpoints;
use crate::harness::net::connect_unix;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, patience, processes, words};

/// What a signal and a restart may wait for others at the doors.
const LIMIT: Duration = Duration::from_millis(10);

#[test]
fn a_thousand_idle_connections_keep_nobody_waiting() {
    let _alone = crate::harness::alone();
    raise_descriptor_limit();
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let waiting = connect_unix(&admin.control);
    let crowd: Vec<_> = (0..1000).map(|_| admin.source()).collect();
    assert_eq!(admin.get("/livez").0, 200);
    for worker in service.workers() {
        let begun = Instant::now();
        processes::kill(worker, libc::SIGKILL);
        service.run.until_stderr(&words::killed(worker));
        service.up(1);
        // Booting Node.js is most of it.
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(admin.get("/livez").0, 200);
    }
    admin.ask("status").done();
    let open = format!("/proc/{}/fd", service.run.pid());
    let open = std::fs::read_dir(open).unwrap().count();
    assert!(open < 128, "{open} descriptors");
    // Who controls it is not pushed aside.
    (&waiting).write_all(b"ready\n").unwrap();
    let mut answer = String::new();
    (&waiting).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, ". ready\n");
    drop(crowd);
    service.stop().code(0);
}

/// The connections of the crowd are this process's too.
fn raise_descriptor_limit() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = most.min(65_536);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most).unwrap();
    assert!(wanted > 2500, "ulimit -n: {wanted}");
}

/// The shortest of so many times, and of more if none was short enough: who else wants the processor
/// is no matter of pidone's.
fn best(least: usize, mut time: impl FnMut() -> Duration) -> Duration {
    let deadline = Instant::now() + patience();
    let mut best = Duration::MAX;
    let mut times = 0;
    while times < least || (best >= LIMIT && Instant::now() < deadline) {
        best = best.min(time());
        times += 1;
    }
    best
}

#[test]
fn scrapers_at_full_speed_delay_no_signal_and_no_restart() {
    let _alone = crate::harness::alone();
    let admin = AdminEndpoints::fresh();
    let mut options = admin.options();
    options.extend(["-i", "8", "--channel", "off", "--stop-signal", "KILL"].map(String::from));
    options.extend(["--backoff", "1ms..1ms", "--max-restarts", "1000/1s"].map(String::from));
    let run = Pidone::new(options).probe(["signals", "15"]).start();
    for _ in 0..8 {
        run.expect("ready");
    }
    let over = AtomicBool::new(false);
    let (signal, restart) = std::thread::scope(|scope| {
        let scrapers = ["/metrics", "/readyz"].map(|page| {
            let (admin, over) = (&admin, &over);
            scope.spawn(move || {
                let mut answers = 0;
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(admin.get(page).0, 200);
                    answers += 1;
                }
                answers
            })
        });
        let looks = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                admin.ask("status --json").done();
            }
        });
        let signal = best(30, || {
            let begun = Instant::now();
            run.signal(libc::SIGUSR2);
            for _ in 0..8 {
                run.expect("SIGNAL 12 ");
            }
            begun.elapsed()
        });
        let restart = best(8, || {
            let worker = processes::children(run.pid())[0];
            let begun = Instant::now();
            processes::kill(worker, libc::SIGKILL);
            run.expect("ready");
            begun.elapsed()
        });
        over.store(true, Ordering::Relaxed);
        for scraper in scrapers {
            assert!(scraper.join().unwrap() > 10);
        }
        looks.join().unwrap();
        (signal, restart)
    });
    assert!(signal < LIMIT, "a signal: {signal:?}");
    assert!(restart < LIMIT, "a restart: {restart:?}");
    admin.ask("stop").done();
    run.end();
}
