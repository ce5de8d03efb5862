//! The apps of examples/, each started as its README says, with the packages that its lockfile names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;
use pidone_testkit::node;

mod esm;
mod example;
mod express;
mod fastify;
mod shelf;
mod socketio;
mod typescript;
mod websocket;
mod worker;
