//! Chooses the next bytes to write, and records what was written.

use super::flight::{Awaited, Message, Then, Writing};
use super::{LinkState, Outbox, ToWorker, Transmit, relayed_cost};

impl<H> Outbox<H> {
    /// The next bytes to write; the caller reports with [`wrote`](Self::wrote) how many were written.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_, H>> {
        // Another message may be more urgent by now.
        if let Some(unsent) = self
            .writing
            .take_if(|writing| writing.written == 0 && writing.then == Then::Relayed)
        {
            self.relayed.push_front(unsent.message.line);
        }
        if self.writing.is_none() {
            let (message, then) = self.next_message()?;
            self.writing = Some(Writing {
                message,
                written: 0,
                then,
            });
        }
        let writing = self.writing.as_ref()?;
        let rest = writing.message.line.get(writing.written..)?;
        Some(Transmit {
            bytes: first_lines(rest),
            handle: match &writing.message.parcel {
                Some(parcel) if writing.written == 0 => Some(&parcel.handle),
                _ => None,
            },
        })
    }

    /// Records that this number of bytes of the last [`poll_transmit`](Self::poll_transmit) was written.
    pub fn wrote(&mut self, bytes: usize) {
        let Some(writing) = &mut self.writing else {
            return;
        };
        writing.written += bytes;
        if writing.written < writing.message.line.len() {
            return;
        }
        let Some(Writing { message, then, .. }) = self.writing.take() else {
            return;
        };
        match then {
            Then::Nothing => {}
            Then::Relayed => {
                let cost = relayed_cost(&message.line);
                self.relayed_bytes = self.relayed_bytes.saturating_sub(cost);
            }
            Then::AwaitFinalPing => self.awaited = Some(Awaited::FinalPing),
            Then::AwaitAnswer if message.parcel.is_some() => {
                self.awaited = Some(Awaited::Parcel(message));
            }
            Then::AwaitAnswer => self.awaited = Some(Awaited::Ping),
            Then::Disconnected => self.link = LinkState::Disconnected,
        }
    }

    fn next_message(&mut self) -> Option<(Message<H>, Then)> {
        let plain = |message: ToWorker<'_>, then| Some((Message::plain(&message), then));
        if let Some(owed) = self.handles_taken.checked_sub(1) {
            self.handles_taken = owed;
            return plain(ToWorker::HandleTaken, Then::Nothing);
        }
        match self.link {
            LinkState::Disconnected => return self.next_relayed(),
            LinkState::Granting(seq) => {
                return plain(ToWorker::Acknowledged { seq }, Then::Disconnected);
            }
            LinkState::Open | LinkState::Disconnecting(_) => {}
        }
        if core::mem::take(&mut self.announce) {
            return plain(ToWorker::Drain, Then::Nothing);
        }
        if core::mem::take(&mut self.finish) {
            return plain(ToWorker::Finish, Then::Nothing);
        }
        if let Some(request) = self.app_metrics.take() {
            return plain(ToWorker::AppMetrics { request }, Then::Nothing);
        }
        let is_free = self.awaited.is_none();
        if is_free && core::mem::take(&mut self.ping) {
            return plain(ToWorker::Ping, Then::AwaitAnswer);
        }
        if self
            .queue
            .front()
            .is_some_and(|message| is_free || message.parcel.is_none())
            && let Some(message) = self.queue.pop_front()
        {
            let then = match message.parcel {
                Some(_) => Then::AwaitAnswer,
                None => Then::Nothing,
            };
            return Some((message, then));
        }
        match self.link {
            LinkState::Disconnecting(pings) if is_free && self.undecided.is_empty() => {
                if pings > 0 {
                    return plain(ToWorker::Ping, Then::AwaitFinalPing);
                }
                let seq = self.next_seq();
                plain(ToWorker::Disconnect { seq }, Then::Disconnected)
            }
            _ => self.next_relayed(),
        }
    }

    fn next_relayed(&mut self) -> Option<(Message<H>, Then)> {
        let lines = self.relayed.pop_front()?;
        Some((Message::relayed(lines), Then::Relayed))
    }
}

/// As many lines as the kernel takes as one, or a longer one. Node's worker never closes the channel if it is about to do so with
/// half a line read (`_disconnect`, `lib/internal/child_process.js`). It reads on while there is more, so it has whole
/// lines if each piece that the kernel takes (`unix_stream_sendmsg`) ends with one.
fn first_lines(bytes: &[u8]) -> &[u8] {
    const AT_ONCE: usize = 32 * 1024;
    let begin = bytes.get(..AT_ONCE).unwrap_or(bytes);
    let last = begin.iter().rposition(|byte| *byte == b'\n');
    let end = last.or_else(|| bytes.iter().position(|byte| *byte == b'\n'));
    end.and_then(|end| bytes.get(..=end)).unwrap_or(bytes)
}
