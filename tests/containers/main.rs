//! pidone in real containers of a real Docker engine.
//!
//! `.ci/docker-engine` starts one, `.ci/images` fills it; see `.ci/run` for both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod compose;
mod ctl;
mod docker;
mod dockerfiles;
mod engine_init;
mod limits;
mod logs;
mod manual;
mod npm;
mod services;
mod shipped;
mod status;
mod stop;
mod terminal;
mod walls;
mod workers;
