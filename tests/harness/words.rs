//! The parts of pidone's messages that tests wait for, each in one place.

/// All workers are ready, after the start or a change of their number.
pub const READY: &str = " ready";
/// The same for more than one worker; no other line contains it.
pub const ALL_READY: &str = "workers are ready";
/// A reload has begun.
pub const RELOAD_BEGUN: &str = "reload started";
/// A reload is complete.
pub const RELOADED: &str = "reload done";
/// A reload has failed.
pub const RELOAD_FAILED: &str = "reload failed";
/// A worker leaves too many messages of others unread.
pub const RELAY_UNREAD: &str = "reads its IPC messages too slowly";
/// A worker waits for a primary of the app's own.
pub const UNKNOWN_MESSAGE: &str = "by process.send() that pidone does not know";
/// log4js runs with its default clustering.
pub const LOG4JS: &str = "log4js sends its log lines to a primary";
/// Too many restarts.
pub const CRASH_LOOP: &str = "crash loop";
/// A worker did not become ready in time.
pub const NEVER_READY: &str = "was not ready within";
/// A worker is restarted, now or later.
pub const RESTARTING: &str = "; restarting";
/// A restart is postponed.
pub const WAITS: &str = "; restarting when another worker serves";
/// The command is not a server.
pub const COMMAND: &str = "before any worker called listen()";
/// A spare has taken a slot.
pub const SPARE: &str = "a spare takes over";
/// `--http-drain` does nothing in a worker.
pub const NO_DRAIN_MODULE: &str = "--http-drain has no effect in worker";
/// What a worker has written is not a message of Node.js.
pub const BABBLES: &str = "sent malformed IPC messages";
/// A scale-down was refused for the last worker.
pub const LAST_ONE: &str = "one worker is left";
/// The stop has begun.
pub const STOPPING: &str = ": stopping";
/// A second request to stop: everything is killed.
pub const STOPPING_AT_ONCE: &str = "second request to stop";
/// A worker exceeded the grace period.
pub const OVERDUE: &str = "did not exit within the grace period";
/// An event loop is blocked.
pub const HANGS: &str = "hangs: its event loop has not responded for";
/// A worker has reached `--max-age`.
pub const OLD: &str = "has reached its --max-age";

/// A worker has more memory than it may have.
pub const TOO_MUCH_MEMORY: &str = "uses more memory than --max-memory";

/// Ports on which no worker listens any more.
pub const CLOSED_PORTS: &str = "the workers that listened there have exited";
/// Not all workers listen on the same ports.
pub const DIFFERENT_PORTS: &str = "workers listen on different ports";

/// A worker was killed by another process than pidone.
pub fn killed(pid: i32) -> String {
    format!("(pid {pid}) was killed by SIGKILL")
}

/// A worker has exited.
pub fn left(pid: i32, status: u8) -> String {
    format!("(pid {pid}) exited with status {status}")
}

/// A worker is about to be replaced because of its memory.
pub fn grown(pid: i32) -> String {
    format!("(pid {pid}) {TOO_MUCH_MEMORY}")
}

/// A hanging worker was killed.
pub fn aborted(pid: i32) -> String {
    format!("(pid {pid}) was killed by SIGABRT (sent by pidone)")
}

/// The number of workers changes.
pub fn scaling(from: usize, to: usize) -> String {
    format!("scaling from {from} to {to} workers")
}

/// A slot has a new worker, and new connections go to it.
pub const SLOT_SERVES: &str = ") serves\n";
