//! However many come and whatever they do, workers are looked after.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::admin::AdminEndpoints;
use crate::harness::net::{connect_unix, raise_descriptor_limit};
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, processes, words};

#[test]
fn workers_are_restarted_beside_a_thousand_idle_connections() {
    let _alone = crate::harness::alone();
    raise_descriptor_limit();
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let waiting = connect_unix(&admin.control);
    let crowd: Vec<_> = (0..1000).map(|_| admin.source()).collect();
    assert_eq!(admin.get("/livez").0, 200);
    for worker in service.workers() {
        processes::kill(worker, libc::SIGKILL);
        service.run.until_stderr(&words::killed(worker));
        service.up(1);
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

#[test]
fn signals_and_restarts_come_through_scrapers_at_full_speed() {
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
    std::thread::scope(|scope| {
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
        for _ in 0..30 {
            run.signal(libc::SIGUSR2);
            for _ in 0..8 {
                run.expect("SIGNAL 12 ");
            }
        }
        for _ in 0..8 {
            processes::kill(processes::children(run.pid())[0], libc::SIGKILL);
            run.expect("ready");
        }
        over.store(true, Ordering::Relaxed);
        for scraper in scrapers {
            assert!(scraper.join().unwrap() > 10);
        }
        looks.join().unwrap();
    });
    admin.ask("stop").done();
    run.end();
}
