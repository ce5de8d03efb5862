//! The wire formats of the admin endpoints: requests in, answers out.
//!
//! | file | contents |
//! | --- | --- |
//! | [`control`] | requests and answers of `pidone ctl` |
//! | [`http`] | requests and responses for probes and scrapers |
//! | [`status`] | the status: a table for people, JSON for programs |
//! | [`metrics`] | the status in Prometheus' formats |

pub mod control;
pub mod http;
pub mod metrics;
pub mod status;
