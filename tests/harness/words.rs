//! What pidone says of its workers, each in one place: a part of the line that is waited for.

/// All serve, after the start or a change of their number.
pub const READY: &str = " ready";
/// The same of more than one, in no other line.
pub const ALL_READY: &str = "workers are ready";
/// A reload has begun.
pub const RELOAD_BEGUN: &str = "reload started";
/// A reload is complete.
pub const RELOADED: &str = "reload done";
/// A reload was given up.
pub const RELOAD_FAILED: &str = "reload failed";
/// Too many restarts.
pub const CRASH_LOOP: &str = "crash loop";
/// A worker did not become ready in time.
pub const NEVER_READY: &str = "was not ready within";
/// A worker is restarted, now or later.
pub const RESTARTING: &str = "; restarting";
/// A restart is put off.
pub const WAITS: &str = "; restarting when another worker serves";
/// What was run is no server.
pub const COMMAND: &str = "before any worker called listen()";
/// A spare has taken a place.
pub const SPARE: &str = "a spare takes over";
/// `--http-drain` does nothing in a worker.
pub const NO_DRAIN_MODULE: &str = "--http-drain has no effect in worker";
/// What a worker has written is no message of Node.js'.
pub const BABBLES: &str = "sent malformed IPC messages";
/// There is only one, and it was to be taken away.
pub const LAST_ONE: &str = "one worker is left";
/// The stop has begun.
pub const STOPPING: &str = ": stopping";
/// A further request: everything is killed.
pub const STOPPING_AT_ONCE: &str = "second request to stop";
/// It took longer than it may.
pub const OVERDUE: &str = "did not exit within the grace period";
/// An event loop stands still.
pub const HANGS: &str = "hangs: its event loop has not responded for";
/// It has served for `--max-age`.
pub const OLD: &str = "has reached its --max-age";

/// Ports that nobody listens on any more.
pub const CLOSED_PORTS: &str = "the workers that listened there have exited";
/// Not all workers have the same.
pub const DIFFERENT_PORTS: &str = "workers listen on different ports";

/// A worker was killed by somebody else.
pub fn killed(pid: i32) -> String {
    format!("(pid {pid}) was killed by SIGKILL")
}

/// A worker has left by itself.
pub fn left(pid: i32, status: u8) -> String {
    format!("(pid {pid}) exited with status {status}")
}

/// A worker is about to be replaced for what it has in memory.
pub fn grown(pid: i32) -> String {
    format!("(pid {pid}) uses more memory than --max-memory")
}

/// One that hangs has been killed.
pub fn aborted(pid: i32) -> String {
    format!("(pid {pid}) was killed by SIGABRT (sent by pidone)")
}

/// The number of workers changes.
pub fn scaling(from: usize, to: usize) -> String {
    format!("scaling from {from} to {to} workers")
}
