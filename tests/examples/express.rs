//! examples/express: a graceful end, by pidone's drain and by the app's own handler.

use crate::example::{Example, get, in_flight, pid_in};
use crate::harness::http::answer;
use crate::harness::service::all_answer;

const SLOW: &str = "/slow?ms=1000";

#[test]
fn a_reload_and_a_stop_let_requests_in_flight_be_answered() {
    let service = Example::named("express").start("pidone -i 2").until_ready();
    all_answer(&service, || pid_in(&get(&service, "/")));
    let old = service.workers();
    let mut slow = in_flight(&service, SLOW, 8);
    service.reload();
    for stream in &mut slow {
        let response = answer(stream);
        assert_eq!(response.status(), 200);
        assert!(old.contains(&pid_in(response.body())));
    }
    assert!(service.workers().is_disjoint(&old));
    all_answer(&service, || pid_in(&get(&service, "/")));
    let mut slow = in_flight(&service, SLOW, 8);
    let end = service.stop();
    end.code(0);
    for stream in &mut slow {
        assert_eq!(answer(stream).status(), 200);
    }
}

#[test]
fn alone_it_closes_by_itself() {
    for (signal, name) in [(libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT")] {
        let service = Example::named("express").start("pidone -- ");
        service.run.expect("listening");
        let mut slow = in_flight(&service, SLOW, 4);
        service.run.signal(signal);
        assert_eq!(service.run.line(), format!("{name}: closing"));
        for stream in &mut slow {
            assert_eq!(answer(stream).status(), 200);
        }
        service.run.end().code(0).quiet();
    }
}
