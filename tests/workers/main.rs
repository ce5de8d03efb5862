//! N workers of unchanged Node.js apps under the real pidone. On the `node` of PATH, and where it
//! says so on every `node-*` in the directory that `PIDONE_TEST_NODES` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;
use pidone_testkit::node;

mod balance;
mod boots;
mod boundary;
mod drain;
mod field;
mod handlers;
mod helpers;
mod hesitation;
mod http_drain;
mod inspector;
mod listen;
mod networks;
mod ports;
mod recycling;
mod relay;
mod releases;
mod relief;
mod reload;
mod signals;
mod sockets;
mod spares;
mod stop;
mod supervision;
