//! Workers that serve: each has the listener that it has asked for.

use pidone::channel::cluster::HandleKind;

use crate::node::Node;
use crate::primary::{Handle, Worker};
use crate::sockets::listener;

/// Starts an app, and gives it the first listener it asks for.
pub fn serving(node: &Node, script: &str) -> (Worker, std::net::SocketAddr) {
    with_listener(Worker::start(node, script))
}

/// Gives a worker what it asks for.
pub fn with_listener(worker: Worker) -> (Worker, std::net::SocketAddr) {
    let (handle, address) = listener();
    (given(worker, &handle), address)
}

/// An app that serves on a socket that the primary keeps.
pub fn serving_on(node: &Node, script: &str, handle: &Handle) -> Worker {
    given(Worker::start(node, script), handle)
}

fn given(mut worker: Worker, handle: &Handle) -> Worker {
    let query = worker.until_query();
    worker
        .outbox
        .queue_listener(query.seq, &query.data, handle.clone(), HandleKind::Stream)
        .unwrap();
    worker.until_listening();
    worker
}
