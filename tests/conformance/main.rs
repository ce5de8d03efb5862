//! Real Node.js workers on a real socket pair: what the protocol relies on, tried.
//!
//! On the `node` of PATH; and on every `node-*` in the directory that `PIDONE_TEST_NODES` names,
//! which `.ci/node-versions` fills. Each rule of `pidone::channel::outbox` that keeps a worker alive
//! is shown twice: kept by the outbox, and broken past it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;
use pidone_testkit::node;

mod apps;
mod connections;
mod drain;
mod forms;
mod http_drain;
mod listen;
mod primary;
mod rules;
mod serving;
mod sockets;
