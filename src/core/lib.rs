//! What pidone decides, and what it reads and writes, as functions of events, bytes and time.
//!
//! No room in here can reach the system: the crate has no standard library, and no crate that has one.
//! What the shell finds out goes in as a value, and what is to be done comes out as one.
//!
//! | room | what it does | what it deliberately does not know |
//! | --- | --- | --- |
//! | [`signal`] | signals by name and number | masks, delivery |
//! | [`ended`] | how a process ended | waiting for it |
//! | [`rules`] | what the user asked for, as far as decisions depend on it | how it was spelled |
//! | [`launch`] | which commands cannot be workers, and what to run instead | running them, reading files |
//! | [`steering`] | which member of a group gets a new connection, as BPF programs | sockets |
//! | [`text`] | how durations, sizes and reasons read | who reads them |
//! | [`table`] | a small ordered map | what is in it |
//! | [`supervisor`] | every decision, as a function of events and time | system calls, clocks, descriptors |
//! | [`protocol`] | Node's cluster channel and pidone's own admin endpoints: bytes in, values out, and back; what may be in flight | descriptors, reading and writing |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ended;
pub mod launch;
pub mod protocol;
pub mod rules;
pub mod signal;
pub mod steering;
pub mod supervisor;
pub mod table;
pub mod text;
