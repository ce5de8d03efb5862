//! How a load is spread.

use std::net::Ipv4Addr;

use crate::BALANCES;
use crate::harness::alone;
use crate::harness::service::{App, PLAIN};

#[test]
fn every_worker_has_its_share() {
    let _alone = alone();
    let clients = (1..=200).map(|last| Ipv4Addr::new(127, 0, 7, last).into());
    for balance in BALANCES {
        let service = App::named(PLAIN).workers(4, ["--balance", balance]).ready();
        let load = service.load().rate(400).from(clients.clone()).start();
        load.until_answered_by(4);
        load.until_answered(1000);
        let report = load.stop();
        report.no_failures();
        // An idle worker takes the next one where the queue is shared: no shares are promised.
        if balance != "shared" {
            let shares = report.by_pid();
            let fair = report.answers.len() / 4;
            assert!(
                shares
                    .values()
                    .all(|share| (fair / 2..fair * 2).contains(share)),
                "{balance}: {report}"
            );
        }
        service.stop().code(0);
    }
}
