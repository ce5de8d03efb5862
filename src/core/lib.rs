//! What pidone decides, and what it reads and writes, as functions of events, bytes and time.
//!
//! No module in this crate can make a system call: the crate has no standard library, and depends
//! on no crate that has one. The runtime passes in what it has observed as values, and carries out
//! the actions that are returned.
//!
//! | module | what it does | what it deliberately does not know |
//! | --- | --- | --- |
//! | [`signal`] | signals by name and number | masks, delivery |
//! | [`ended`] | how a process ended | waiting for it |
//! | [`errno`] | error numbers | which calls fail with them |
//! | [`rules`] | the options, as far as decisions depend on them | how they were spelled |
//! | [`launch`] | which commands cannot be workers, and what to run instead | running them, reading files |
//! | [`address`] | addresses to listen on | sockets |
//! | [`ports`] | which ports are open, who listens on them, which members get new connections | sockets |
//! | [`relief`] | which waiting connection goes to another worker, and when to look | sockets, processes |
//! | [`steering`] | the member of a group that gets a new connection, as a BPF program | sockets |
//! | [`text`] | the text form of durations, sizes and reasons | where it is printed |
//! | [`table`] | a small ordered map | what it stores |
//! | [`supervisor`] | every decision, as a function of events and time | system calls, clocks, descriptors |
//! | [`channel`] | what pidone and a worker say to each other; what may be in flight | descriptors, reading and writing |
//! | [`reap_throttle`], [`accept_backoff`] | when to reap, and when to accept again | waitpid(2), accept(2) |
//! | [`admin`] | the admin endpoints: requests in, answers out | descriptors, who asks |
//! | [`app_metrics`] | the app's own metrics: whom to ask, what comes of the answers | the channel, the page's client |
//! | [`number`] | JavaScript's numbers as text | whose they are |
//! | [`json`] | the subset of JSON that both need | their messages |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod accept_backoff;
pub mod address;
pub mod admin;
pub mod app_metrics;
pub mod channel;
pub mod ended;
pub mod errno;
pub mod json;
pub mod launch;
pub mod number;
pub mod ports;
pub mod reap_throttle;
pub mod relief;
pub mod rules;
pub mod signal;
pub mod steering;
pub mod supervisor;
pub mod table;
pub mod text;
