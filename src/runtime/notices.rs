//! What the log says about pidone itself and its surroundings. The messages about workers are in [`super::report`].

use std::io;

use crate::cause::Cause;

pub(super) fn no_subreaper(error: &io::Error) {
    log::debug!(
        "cannot become a subreaper: {}; orphans go to the init above",
        Cause(error)
    );
}

pub(super) fn terminal_replaced() {
    log::info!(
        "standard input is a terminal, which workers (-i) cannot share: theirs is /dev/null"
    );
}

pub(super) fn terminal_not_replaced(error: &io::Error) {
    log::warn!(
        "standard input is a terminal, and /dev/null cannot be opened instead: {}; \
         a worker that reads from it is stopped",
        Cause(error)
    );
}

pub(super) fn bad_notify_socket(error: &io::Error) {
    log::warn!(
        "NOTIFY_SOCKET is not a socket that pidone can write to: {}",
        Cause(error)
    );
}

pub(super) fn manager_not_notified(error: &io::Error) {
    log::warn!(
        "cannot notify the service manager (NOTIFY_SOCKET): {}",
        Cause(error)
    );
}

/// A worker queries a listener without having loaded the drain module.
pub(super) fn no_drain_module(instance: usize) {
    log::warn!(
        "--http-drain has no effect in worker {instance}: it did not load the drain module, as single executables and \
         --snapshot-blob apps do not; keep-alive clients may get resets in a reload. Run the script with node, or \
         use --stop signal with a handler in the app"
    );
}

/// Node.js exits with an invalid option.
pub(super) fn drain_module_refused(instance: usize) {
    log::error!(
        "--http-drain: worker {instance} exited with status 9, an invalid option, before it loaded the drain module, which \
         needs Node.js 18.19 or newer; update Node.js, or leave --http-drain out"
    );
}
