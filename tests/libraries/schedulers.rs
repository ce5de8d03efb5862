//! Jobs at a time: in each worker, or in one.

use std::collections::{BTreeMap, BTreeSet};

use crate::library::app;

#[test]
fn a_job_runs_in_each_worker_or_where_the_guard_says() {
    let service = app("schedulers.js").workers(2, [""; 0]).until_ready();
    let mut pids: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut turns = BTreeMap::new();
    // Until the jobs of each worker have run twice: what has not come by then does not come.
    let everywhere = ["cron", "node-cron", "node-schedule"];
    while turns.len() < 6 || turns.values().any(|times| *times < 2) {
        let line = service.after("job ");
        let (job, pid) = line.split_once(' ').unwrap();
        let pid = pid.parse().unwrap();
        pids.entry(job.to_owned()).or_default().insert(pid);
        if everywhere.contains(&job) {
            *turns.entry((job.to_owned(), pid)).or_insert(0) += 1;
        }
    }
    for job in ["guarded", "node-cron-distributed"] {
        assert_eq!(pids[job].len(), 1, "{job}: {pids:?}");
    }
    service.stop().code(0);
}
