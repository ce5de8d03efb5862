//! What a worker does: it boots, serves, listens, disconnects, and exits.

use super::*;

impl World {
    /// It has run up to its `listen()`.
    pub(super) fn booted(&mut self, id: WorkerId) {
        let early = self.random.chance(30);
        let readiness = self.readiness();
        let Some(process) = self.alive(id) else {
            return;
        };
        process.booted = true;
        if process.admitted {
            self.serves(id);
            return;
        }
        // An app that reports readiness before it listens.
        if early && matches!(readiness, Readiness::Message | Readiness::Notify) {
            process.admitted = true;
            self.news.push_back(Event::Ready(id));
        }
        self.news.push_back(Event::Held(id));
    }

    pub(super) fn serves(&mut self, id: WorkerId) {
        if self.has_channel() {
            self.news.push_back(Event::Asked(id));
        }
        // A worker that serves may accept no connections.
        let must_listen = matches!(self.readiness(), Readiness::Listen | Readiness::Port);
        if must_listen || self.random.chance(70) {
            self.listens(id, true);
        }
        // With a readiness port, only the workers that pidone probes are reported.
        if !matches!(self.readiness(), Readiness::None | Readiness::Port) {
            self.news.push_back(Event::Ready(id));
        }
        if let Some(wait) = self.alive(id).and_then(|process| process.stuck_in) {
            self.after(wait, Happening::Stuck(id));
        }
        if let Some(wait) = self.alive(id).and_then(|process| process.silent_in)
            && self.has_channel()
        {
            self.after(wait, Happening::ClosesPorts(id));
        }
        if let Some((wait, time)) = self.alive(id).and_then(|process| process.halts) {
            self.after(wait, Happening::Halted(id, time));
        }
        if let Some(wait) = self.alive(id).and_then(|process| process.disconnects_in)
            && self.has_channel()
        {
            self.after(wait, Happening::Disconnects(id));
        }
    }

    pub(super) fn listens(&mut self, worker: WorkerId, any: bool) {
        let has_channel = self.has_channel();
        if let Some(process) = self.alive(worker)
            && has_channel
            && process.channel_open
            && !process.stuck
            && std::mem::replace(&mut process.listens, any) != any
        {
            let is_disconnected = process.disconnected;
            if any {
                self.ports.listen(worker);
            } else if !is_disconnected {
                self.ports.close(worker);
            }
            self.news.push_back(Event::Listens { worker, any });
        }
    }

    pub(super) fn close_channel(&mut self, id: WorkerId) {
        let has_channel = self.has_channel();
        if let Some(process) = self.alive(id)
            && has_channel
            && std::mem::take(&mut process.channel_open)
        {
            self.news.push_back(Event::ChannelClosed(id));
        }
    }

    pub(super) fn end(&mut self, id: WorkerId, ended: Ended) {
        if self.alive(id).is_none() {
            return;
        }
        if self.random.chance(80) {
            self.close_channel(id);
        }
        if let Some(process) = self.alive(id) {
            process.alive = false;
            let left = process.leaves_behind;
            self.ports.exited(id);
            self.news.push_back(Event::Exited { worker: id, ended });
            if let Some(left) = left.filter(|_| self.scenario.config.workers.is_some()) {
                self.groups.insert(id, left);
                self.news.push_back(Event::GroupLeft(id));
            }
            if self.leftovers_asked {
                self.count_leftovers();
            }
        }
    }

    /// It closes all its ports by itself, and may open one again or exit.
    pub(super) fn closes_ports(&mut self, id: WorkerId) {
        self.listens(id, false);
        if self.random.chance(50) {
            let again = self.random.up_to(60_000);
            self.after(again, Happening::ListensAgain(id));
        }
    }

    pub(super) fn drain(&mut self, id: WorkerId) {
        if let Some(wait) = self.alive(id).and_then(|process| process.drains_in) {
            self.after(wait, Happening::Drained(id));
        }
    }
}
