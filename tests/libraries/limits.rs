//! Limits and sessions in each worker's memory, and in a Redis for all.

use std::collections::BTreeMap;

use crate::harness::redis::Redis;
use crate::harness::service::Service;
use crate::library::{app, ask};

/// How many requests pass before both workers refuse.
#[track_caller]
fn passed(service: &Service, path: &str) -> usize {
    let mut passed = 0;
    let mut refused = BTreeMap::new();
    while refused.len() < 2 {
        let (pid, said) = ask(service, path);
        if said == "refused" {
            *refused.entry(pid).or_insert(0) += 1;
        } else {
            passed += 1;
        }
    }
    passed
}

#[test]
fn limits_in_memory_are_those_of_each_worker() {
    let service = app("limits.js").workers(2, [""; 0]).ready();
    for path in ["/express", "/flexible"] {
        assert_eq!(passed(&service, path), 10, "{path}");
    }
    service.stop().code(0);
}

#[test]
fn limits_and_sessions_in_redis_are_those_of_all_workers() {
    let Some(redis) = Redis::start("limits_and_sessions_in_redis_are_those_of_all_workers") else {
        return;
    };
    let service =
        app("limits.js").start_with(2, [""; 0], |pidone| pidone.env("REDIS_URL", &redis.url));
    let service = service.ready();
    for path in ["/express", "/flexible"] {
        assert_eq!(passed(&service, path), 5, "{path}");
    }
    service.stop().code(0);
}
