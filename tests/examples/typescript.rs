//! examples/typescript: with a loader, and with what Node.js itself can do.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::example::{Example, get, pid_in};
use crate::harness::service::all_answer;
use crate::harness::skipped;
use crate::node::{Node, on_every_node};

/// Both workers of this command line answer, before a reload and after it.
fn serves(node: &Node, line: &str) {
    let service = Example::named("typescript").node(&node.path).start(line);
    let service = service.until_ready();
    let ask = || {
        let body = get(&service, "/");
        assert!(body.starts_with("{\"hello\":\"world\","), "{body}");
        pid_in(&body)
    };
    all_answer(&service, ask);
    service.reload();
    all_answer(&service, ask);
    service.stop().code(0);
}

#[test]
fn tsx_loads_it() {
    on_every_node(|node| {
        // What tsx and the example's package.json ask for.
        if node.major >= 20 {
            serves(node, "-- node --import tsx app.ts");
        }
    });
}

#[test]
fn node_strips_the_types() {
    let tried = AtomicBool::new(false);
    on_every_node(|node| {
        // "strip" from 22.18 on, where no option is needed (process.features.typescript).
        let script = "process.features.typescript ?? ''";
        let output = Command::new(&node.path).args(["-p", script]).output();
        if output.unwrap().stdout == b"strip\n" {
            tried.store(true, Ordering::Relaxed);
            serves(node, "-- node app.ts");
        }
    });
    let _ = tried.into_inner() || skipped("node_strips_the_types", "no Node.js here does that");
}
