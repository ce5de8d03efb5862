//! The wire formats of the worker channel and the admin endpoints: parses bytes into values, and writes values as bytes.
//!
//! | file | contents |
//! | --- | --- |
//! | [`frame`] | splits a byte stream into lines of bounded length |
//! | [`json`] | the subset of JSON that Node's own lines need |
//! | [`query`] | the listener a worker requests |
//! | [`cluster`] | Node's cluster messages, both directions |
//! | [`outbox`] | messages to one worker: queued, in flight, acknowledged |
//! | [`control`] | requests and answers of `pidone ctl` |
//! | [`http`] | requests and responses for probes and scrapers |
//! | [`status`] | the status: a table for people, JSON for programs |
//! | [`metrics`] | the status in Prometheus' formats |
//! | [`notify`] | messages from a worker on `NOTIFY_SOCKET` |

pub mod cluster;
pub mod control;
pub mod frame;
pub mod http;
pub mod json;
pub mod metrics;
pub mod notify;
pub mod outbox;
pub mod query;
pub mod status;
