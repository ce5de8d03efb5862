//! What the log says about pidone itself, its sockets and its surroundings. The messages about what the supervisor does are
//! in [`super::report`].

use std::fmt::{Display, Write};
use std::io;
use std::path::Path;

use crate::address::ListenAddress;
use crate::app_metrics;
use crate::cause::Cause;
use crate::channel::outbox::CAPACITY;
use crate::ports::{Difference, LIMIT};
use crate::signal::Signal;
use crate::text::HumanDuration;

/// Static file servers and free-port finders do this: pidone itself, or another worker, uses the port.
const HINT: &str =
    "; if the app takes another port when its own is in use, turn that off, or run it without -i";

/// The maximum number of ports that a warning names.
const NAMED: usize = 8;

pub(super) fn no_subreaper(error: &io::Error) {
    log::debug!(
        "cannot become a subreaper: {}; the init above adopts orphans",
        Cause(error)
    );
}

pub(super) fn limits_not_watched(error: &io::Error) {
    log::debug!(
        "cannot watch the container's limits: {}; changes take effect late",
        Cause(error)
    );
}

pub(super) fn terminal_replaced() {
    log::info!("standard input is a terminal, which workers (-i) cannot share; they get /dev/null");
}

pub(super) fn terminal_not_replaced(error: &io::Error) {
    log::warn!(
        "standard input is a terminal, and /dev/null cannot be opened instead: {}; \
         a worker that reads from it is stopped",
        Cause(error)
    );
}

/// The directory to start in cannot be opened.
pub(super) fn no_start_directory(path: &Path, error: &io::Error) {
    log::warn!(
        "{}: {}; starting in the directory that it named last",
        path.display(),
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
        "--http-drain has no effect in worker {instance}: it did not load the drain module (single executables and \
         --snapshot-blob apps do not); a reload may reset keep-alive connections. Run the script with node, or \
         use --stop signal with a handler in the app"
    );
}

/// Node.js exits with an invalid option.
pub(super) fn drain_module_refused(instance: usize) {
    log::error!(
        "--http-drain: worker {instance} exited with status 9 (invalid option) before it loaded the drain module, which \
         needs Node.js 18.19 or newer; update Node.js, or leave --http-drain out"
    );
}

pub(super) fn no_socket_for_worker(error: &io::Error) {
    log::error!(
        "cannot create a socket for another worker: {}; raise ulimit -n",
        Cause(error)
    );
}

pub(super) fn signal_not_sent(signal: Signal, pid: i32, error: &io::Error) {
    log::warn!("cannot send {signal} to pid {pid}: {}", Cause(error));
}

/// accept(2) has failed, usually with `EMFILE`.
pub(super) fn cannot_accept(error: &io::Error) {
    log::warn!(
        "cannot accept a connection: {}; raise ulimit -n",
        Cause(error)
    );
}

pub(super) fn control_socket_taken(place: &str) {
    log::warn!(
        "control socket disabled: {place} belongs to another pidone; \
         choose another path (--control PATH), or --control off"
    );
}

pub(super) fn no_control_socket(places: &str, error: &io::Error) {
    log::warn!(
        "control socket disabled: cannot create {places}: {}; \
         choose a path that can be written to (--control PATH), or --control off",
        Cause(error)
    );
}

pub(super) fn malformed_messages(instance: usize) {
    log::warn!("worker {instance} sent malformed IPC messages; ignoring them");
}

/// Logged once: a library may wait for an answer to them.
pub(super) fn unknown_messages(instance: usize) {
    log::info!(
        "worker {instance} sent a message by process.send() that pidone does not know; it was dropped. docs/libraries.md lists what \
         libraries expect of a primary; --relay passes such messages on to the other workers"
    );
}

/// A worker's messages to others are not passed on.
pub(super) fn relay_unfit(instance: usize) {
    log::warn!(
        "worker {instance} sent a message for other workers that was dropped: it is malformed, nested more than 200 levels deep, \
         longer than 4 MiB, or has a cmd that begins with NODE_"
    );
}

pub(super) fn relay_unread(instance: usize) {
    log::warn!(
        "worker {instance} reads its IPC messages too slowly, or not at all: 4 MiB of other workers' messages are \
         waiting for it; more are dropped until it has read some"
    );
}

pub(super) fn log4js_without_primary(instance: usize) {
    log::warn!(
        "worker {instance}: log4js sends its log lines to a primary of the app's own, which does not exist: they are lost. \
         In log4js.configure(), set disableClustering: true (each worker writes its own) or pm2: true (worker 0 writes all)"
    );
}

pub(super) fn log4js_without_worker(instance: usize) {
    log::warn!(
        "worker {instance}: log4js (pm2: true) sends its log lines to worker 0, which is not running: they are lost until it \
         is; with disableClustering: true, each worker writes its own"
    );
}

pub(super) fn too_many_listeners(instance: usize, port: &str) {
    log::warn!(
        "worker {instance} cannot listen on {port}: it has {CAPACITY} open listeners, the maximum, \
         or does not read its IPC messages (EMFILE)"
    );
}

pub(super) fn too_many_ports(address: &ListenAddress) {
    log::warn!(
        "{address}: a worker cannot listen there: the workers have {LIMIT} open ports, the maximum (EMFILE)"
    );
}

pub(super) fn inherited_is_shared(address: &ListenAddress) {
    log::warn!("--balance source-ip: {address} is an inherited socket, which all workers share");
}

pub(super) fn cannot_steer(port: &str, error: &io::Error) {
    log::warn!(
        "{port}: cannot steer new connections between workers: {}",
        Cause(error)
    );
}

pub(super) fn cannot_close(port: &str, error: &io::Error) {
    log::warn!("{port}: cannot reject new connections: {}", Cause(error));
}

pub(super) fn socket_file_removed(address: &ListenAddress) {
    log::warn!(
        "{address}: a worker has removed the file, so clients cannot find the socket; with --user, pidone does not create it \
         again: the app must not remove it"
    );
}

pub(super) fn socket_file_gone(port: &str, error: &io::Error) {
    log::warn!(
        "{port}: the file is gone, so clients cannot find the socket, and pidone cannot create it again: {}",
        Cause(error)
    );
}

/// Logged once.
pub(super) fn app_metrics_missing(missing: usize, asked: usize) {
    log::warn!(
        "--app-metrics: {missing} of {asked} workers sent no metrics within {}; \
         /metrics does not include theirs, and pidone_app_metrics_missing_total counts them; \
         the app must create prom-client's AggregatorRegistry in each worker",
        HumanDuration(app_metrics::PATIENCE)
    );
}

/// Ports that no worker holds any longer were closed.
pub(super) fn abandoned_ports_closed(addresses: &[ListenAddress]) {
    log::warn!(
        "closed {}: the workers that listened there have exited, and no other worker listens there{HINT}",
        listed(addresses)
    );
}

pub(super) fn ports_differ(differences: &[Difference]) {
    let apart: Vec<_> = differences.iter().map(worded).collect();
    log::warn!(
        "workers listen on different ports: {}; connections to a port reach only the workers that listen on it{HINT}",
        listed(&apart)
    );
}

fn worded(difference: &Difference) -> String {
    let instances = &difference.instances;
    let s = if instances.len() > 1 { "s" } else { "" };
    let instances: Vec<_> = instances.iter().map(ToString::to_string).collect();
    let instances = instances.join(", ");
    format!("{} only in worker{s} {instances}", difference.address)
}

/// At most `NAMED` items.
pub(super) fn listed(things: &[impl Display]) -> String {
    let named: Vec<_> = things.iter().take(NAMED).map(ToString::to_string).collect();
    let mut text = named.join("; ");
    if things.len() > NAMED {
        let _ = write!(text, " and {} more", things.len() - NAMED);
    }
    text
}
