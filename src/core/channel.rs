//! What pidone and a worker say to each other: Node's cluster channel, and `NOTIFY_SOCKET`. Parses bytes into values, and writes values as bytes.
//!
//! | file | contents |
//! | --- | --- |
//! | [`frame`] | splits a byte stream into lines of bounded length |
//! | [`query`] | the listener a worker requests |
//! | [`cluster`] | Node's cluster messages, both directions |
//! | [`outbox`] | messages to one worker: queued, in flight, acknowledged |
//! | [`relay`] | who gets what a worker sends to other workers |
//! | [`notify`] | messages from a worker on `NOTIFY_SOCKET` |

pub mod cluster;
pub mod frame;
pub mod notify;
pub mod outbox;
pub mod query;
pub mod relay;
