//! What workers send over their channels.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::Workers;
use crate::channel::cluster::FromWorker;
use crate::channel::outbox::{Fate, Outcome};
use crate::channel::relay::Batch;
use crate::config::Readiness;
use crate::runtime::link::{Incoming, Parcel};
use crate::runtime::notices;
use crate::runtime::ports::Ports;
use crate::supervisor::{Event, Moment, WorkerId};

impl Workers {
    /// Reads one worker's channel once. Returns whether there was anything to read.
    pub(in crate::runtime) fn read_channel(
        &mut self,
        id: WorkerId,
        now: Moment,
        ready: Readiness,
        ports: &mut Ports,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let Some(worker) = self.all.get_mut(id) else {
            return false;
        };
        let Some(link) = worker.link.as_mut().filter(|link| !link.is_closed()) else {
            return false;
        };
        let mut batch = Batch::default();
        let relay = &mut self.relay;
        let received = link.read(now, &mut |message, line| {
            relay.hear(id, message, line, &mut batch);
        });
        let Some(received) = received else {
            if link.is_closed() {
                events.push_back(Event::ChannelClosed(id));
                self.channel_ended(id);
            }
            return false;
        };
        if batch.has_unknown && !std::mem::replace(&mut self.unknown_logged, true) {
            notices::unknown_messages(worker.instance);
        }
        for Incoming { message, outcome } in received {
            match outcome {
                Outcome::ListenerClosed(key) => worker.closed(id, key, ports),
                Outcome::HandleReleased {
                    key,
                    handle: Parcel::Connection(fd),
                    fate: Fate::Refused,
                } => {
                    let connection = worker.port(key).map(|port| (port, fd));
                    self.accepted_connections.extend(connection);
                    self.was_refused = true;
                }
                Outcome::HandleReleased {
                    key,
                    handle: Parcel::Listener(_),
                    fate: Fate::Refused,
                } => worker.closed(id, key, ports),
                Outcome::Disconnects => events.push_back(Event::Disconnects(id)),
                Outcome::PingAnswered => events.push_back(Event::Pong(id)),
                Outcome::HandleReleased {
                    handle: Parcel::Connection(_),
                    fate: Fate::Delivered,
                    ..
                } => self.have_taken.push(id),
                Outcome::Nothing | Outcome::HandleReleased { .. } => {}
            }
            if matches!(message, FromWorker::Query(_))
                && !worker.has_drain_module
                && std::mem::take(&mut self.wants_drain_module)
            {
                notices::no_drain_module(worker.instance);
            }
            match message {
                FromWorker::Loaded => worker.has_drain_module = true,
                FromWorker::Query(query) if worker.member.is_none() => {
                    worker.hold(query);
                    events.push_back(Event::Held(id));
                }
                FromWorker::Query(query) => {
                    if !std::mem::replace(&mut worker.has_asked, true) {
                        events.push_back(Event::Asked(id));
                    }
                    worker.answer(id, &query, ports);
                }
                FromWorker::Listening(_) if ready == Readiness::Listen => {
                    events.push_back(Event::Ready(id));
                }
                FromWorker::Ready if ready == Readiness::Message => {
                    events.push_back(Event::Ready(id));
                }
                FromWorker::Announced { handles } => {
                    let worker = id;
                    events.push_back(Event::Announced { worker, handles });
                }
                FromWorker::Finished => events.push_back(Event::Finished(id)),
                FromWorker::Garbage if !worker.sent_malformed => {
                    worker.sent_malformed = true;
                    let instance = worker.instance;
                    notices::malformed_messages(instance);
                }
                _ => {}
            }
        }
        worker.report_listening(id, events);
        self.accepted_connections.extend(ports.take_displaced());
        self.pass_on(id, &batch, now);
        true
    }
}
