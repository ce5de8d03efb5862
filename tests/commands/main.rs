//! The commands of the README, the manual and the examples, as they stand there. Each page has a directory, processes, mounts
//! and a network of its own; how a block is run, the comment above it says (`harness::markdown::Mark`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod clone;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use harness::markdown::{Mark, Page};
use harness::{TempDir, skipped};

/// One test for each page that has commands.
macro_rules! pages {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                page::run($name);
            }
        )*

        const PAGES: &[&str] = &[$($name),*];
    };
}

pages! {
    ctl: "docs/ctl.md",
    examples_esm: "examples/esm/README.md",
    examples_express: "examples/express/README.md",
    examples_fastify: "examples/fastify/README.md",
    examples_haproxy: "examples/haproxy/README.md",
    examples_http: "examples/http/README.md",
    examples_prometheus: "examples/prometheus/README.md",
    examples_socketio: "examples/socketio/README.md",
    examples_typescript: "examples/typescript/README.md",
    examples_websocket: "examples/websocket/README.md",
    exit_codes_and_signals: "docs/exit-codes-and-signals.md",
    limits: "docs/limits.md",
    logging: "docs/logging.md",
    migrate_from_pm2: "docs/migrate-from-pm2.md",
    migrate_from_tini_and_dumb_init: "docs/migrate-from-tini-and-dumb-init.md",
    observability: "docs/observability.md",
    options: "docs/options.md",
    reload_and_stop: "docs/reload-and-stop.md",
    runtimes: "docs/runtimes.md",
    status: "docs/status.md",
    workers: "docs/workers.md",
}

#[test]
fn each_page_with_commands_is_run() {
    let mut pages = Page::manual();
    pages.retain(|page| page.blocks.iter().any(page::is_run));
    let names: BTreeSet<_> = pages.iter().map(|page| page.name.as_str()).collect();
    assert_eq!(names, PAGES.iter().copied().collect());
}

/// And says how many are not run here, and why.
#[test]
fn most_blocks_with_commands_are_run() {
    let (mut run, mut left) = (0, BTreeMap::<&str, usize>::new());
    let pages = Page::manual();
    let blocks = pages.iter().flat_map(|page| &page.blocks);
    for block in blocks.filter(|block| block.commands().is_some()) {
        let why = match &block.mark {
            Mark::Docker(_) => "need an engine; tests/containers runs them",
            Mark::Skip(why) => why,
            _ if page::is_run(block) => {
                run += 1;
                continue;
            }
            _ => "are for a clone; tests/commands/clone.rs and .ci/run run them",
        };
        *left.entry(why).or_default() += 1;
    }
    println!("{run} blocks are run");
    for (why, count) in &left {
        skipped("blocks of pages", &format!("{count}: {why}"));
    }
    let others: usize = left.values().sum();
    assert!(run > others, "{run} of {}: {left:#?}", run + others);
}

/// As a module, or else as CommonJS: fragments are of either.
#[test]
fn blocks_of_javascript_and_json_are_well_formed() {
    let directory = TempDir::new();
    let mut wrong = Vec::new();
    for page in Page::manual() {
        for block in &page.blocks {
            let names: &[&str] = match block.language.as_str() {
                "js" => &["block.mjs", "block.cjs"],
                "json" => &["block.json"],
                _ => continue,
            };
            let is_parsed = |name: &&str| {
                let file = directory.file(name, &block.text, 0o644);
                let mut node = Command::new("node");
                match name.ends_with(".json") {
                    true => node.args(["-p", "JSON.parse(fs.readFileSync(process.argv[1]))"]),
                    false => node.arg("--check"),
                };
                node.arg(file).output().unwrap().status.success()
            };
            if !names.iter().any(is_parsed) {
                wrong.push(format!("{}:{}", page.name, block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
