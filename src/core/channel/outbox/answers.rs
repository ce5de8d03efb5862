//! Processes a worker's answers to messages in flight.

use super::flight::{Awaited, Message, Purpose, Then};
use super::{Fate, LinkState, Outbox, Outcome, RETRANSMISSIONS};
use crate::channel::cluster::ToWorker;
use crate::errno::EMFILE;

impl<H> Outbox<H> {
    pub(super) fn on_ack(&mut self) -> Outcome<H> {
        let Some(Awaited::Parcel(message)) = self
            .awaited
            .take_if(|awaited| matches!(awaited, Awaited::Parcel(_)))
        else {
            return Outcome::Nothing;
        };
        let Some(parcel) = message.parcel else {
            return Outcome::Nothing;
        };
        match parcel.purpose {
            Purpose::Listener { .. } => parcel.released(Fate::Delivered),
            Purpose::Connection { .. } => {
                self.undecided.push_back(parcel);
                Outcome::Nothing
            }
        }
    }

    pub(super) fn on_nack(&mut self) -> Outcome<H> {
        let mut message = match self.awaited.take() {
            None => return Outcome::Nothing,
            Some(Awaited::Ping) => return Outcome::PingAnswered,
            Some(Awaited::FinalPing) => {
                if let LinkState::Disconnecting(pings) = &mut self.link {
                    *pings = pings.saturating_sub(1);
                }
                return Outcome::PingAnswered;
            }
            Some(Awaited::Parcel(message)) => message,
        };
        let is_serving = matches!(self.link, LinkState::Open);
        if let Some(parcel) = &mut message.parcel
            && parcel.nacks < RETRANSMISSIONS
            && is_serving
        {
            parcel.nacks += 1;
            self.queue.push_front(message);
            return Outcome::Nothing;
        }
        let Some(parcel) = message.parcel else {
            return Outcome::Nothing;
        };
        if let Purpose::Listener { seq, ref data } = parcel.purpose {
            self.forget(parcel.key);
            let errno = EMFILE;
            if is_serving {
                let answer = ToWorker::Failure { seq, errno, data };
                self.queue.push_back(Message::plain(&answer));
            }
        }
        parcel.released(Fate::Refused)
    }

    pub(super) fn on_accepted(&mut self, ack: i64, accepted: bool) -> Outcome<H> {
        let position = self
            .undecided
            .iter()
            .position(|parcel| matches!(parcel.purpose, Purpose::Connection { seq } if seq == ack));
        let Some(parcel) = position.and_then(|at| self.undecided.remove(at)) else {
            return Outcome::Nothing;
        };
        parcel.released(if accepted {
            Fate::Delivered
        } else {
            Fate::Refused
        })
    }

    pub(super) fn on_disconnect_request(&mut self, seq: i64) -> Outcome<H> {
        // A disconnect of which no byte is written is not needed any more.
        self.writing
            .take_if(|writing| writing.then == Then::Disconnected && writing.written == 0);
        let is_being_sent = self
            .writing
            .as_ref()
            .is_some_and(|writing| writing.then == Then::Disconnected);
        if is_being_sent || matches!(self.link, LinkState::Granting(_) | LinkState::Disconnected) {
            return Outcome::Nothing;
        }
        self.link = LinkState::Granting(seq);
        Outcome::Disconnects
    }
}
