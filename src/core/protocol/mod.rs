//! What is said on the channel to a worker and through the admin endpoints: bytes in, values out, and back.
//!
//! | file | what it knows |
//! | --- | --- |
//! | [`frame`] | where a line ends, and how long it may be |
//! | [`json`] | as much JSON as Node's own lines need |
//! | [`query`] | which listener a worker asks for |
//! | [`cluster`] | Node's cluster messages, both directions |
//! | [`outbox`] | what may be in flight to one worker |
//! | [`control`] | what `pidone ctl` asks, and what it is told |
//! | [`http`] | what probes and scrapers ask, and what they are told |
//! | [`status`] | how all is going: a table for people, JSON for programs |
//! | [`metrics`] | the same for Prometheus |
//! | [`notify`] | what a worker says of itself on `NOTIFY_SOCKET` |

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
