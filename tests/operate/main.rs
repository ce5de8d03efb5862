//! pidone as its operators meet it: control, probes, metrics, a service manager, logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod app_metrics;
mod control;
mod http;
mod identity;
mod idle;
mod limits;
mod logs;
mod metrics;
mod page;
mod requests;
mod responsive;
mod silence;
mod systemd;
mod unread;
mod who;
