//! What pidone says, each in one place: a part of the line that is waited for.

/// All workers serve, after the start.
pub const READY: &str = "ready";
/// A reload is complete.
pub const RELOADED: &str = "reload done";
/// A reload was given up.
pub const RELOAD_FAILED: &str = "reload failed";
/// The set has the size that was asked for.
pub const SCALED: &str = "scaled";
/// Too many restarts.
pub const CRASH_LOOP: &str = "crash loop";
/// A worker has died, and will be started again.
pub const NEXT_START: &str = "next start";
/// How a worker has died.
pub const KILLED: &str = "killed by SIGKILL";
/// A worker did not become ready in time.
pub const NEVER_READY: &str = "not ready";
/// A worker sent something that is no message of Node.js'.
pub const GARBAGE: &str = "garbage";
/// The stop has begun.
pub const STOPPING: &str = "stopping";
