//! What is said on the channel to a worker: bytes in, values out, and back.
//!
//! | file | what it knows |
//! | --- | --- |
//! | [`frame`] | where a line ends, and how long it may be |
//! | [`json`] | as much JSON as Node's own lines need |
//! | [`query`] | which listener a worker asks for |
//! | [`cluster`] | Node's cluster messages, both directions |
//! | [`outbox`] | what may be in flight to one worker |

#![forbid(unsafe_code)]

pub mod cluster;
pub mod control;
pub mod frame;
pub mod json;
pub mod metrics;
pub mod notify;
pub mod outbox;
pub mod query;
pub mod status;
