//! `--app-metrics`: carries questions to the workers, and the page to the clients that wait for it.

#![forbid(unsafe_code)]

use super::Runtime;
use super::admin::BETWEEN_SCRAPES;
use super::clients::ClientId;
use super::link::Link;
use super::notices;
use crate::admin::http::{self, Format, Page};
use crate::admin::metrics::{self, AppMetrics};
use crate::app_metrics::Round;
use crate::supervisor::{Moment, StateView, WorkerId};
use crate::sys::memory;

/// How many scrapes share one round: each gets a copy of the page.
const AT_ONCE: usize = 8;

#[derive(Default)]
pub(super) struct Scrapes {
    /// The current round, and the workers that were asked, by their slots.
    round: Option<(Round, Vec<WorkerId>)>,
    /// The clients that wait for it, and whether they want the body.
    waiting: Vec<(ClientId, Format, bool)>,
    /// The number of the last one.
    last: u64,
    /// How often a worker was left out.
    missing: u64,
    /// That was logged.
    has_warned: bool,
}

impl Scrapes {
    /// When the round ends at the latest.
    pub(super) fn due(&self) -> Option<Moment> {
        self.round.as_ref().map(|(round, _)| round.due())
    }
}

impl Runtime<'_> {
    /// A client wants the page with the app's metrics. Clients that ask at the same time share the answers.
    pub(super) fn scrape(&mut self, id: ClientId, format: Format, body: bool) {
        let clients = &mut self.admin.clients;
        let waiting = &mut self.scrapes.waiting;
        waiting.retain(|(id, _, _)| clients.has(*id));
        if waiting.len() >= AT_ONCE {
            let text = "too many scrapes at the same time\n";
            return clients.answer(id, &http::page(Page::Ready, false, text, body), true);
        }
        clients.wait(id);
        waiting.push((id, format, body));
        if self.scrapes.round.is_some() {
            return;
        }
        let now = self.now();
        self.scrapes.last += 1;
        let slots = self.supervisor.slots();
        let serving = slots.filter(|slot| slot.state == StateView::Ready);
        let asked: Vec<_> = serving.filter_map(|slot| slot.worker).collect();
        // The workers do not know when exactly pidone was started.
        let seed = u64::from(self.started_unix.subsec_nanos()) << 32 | self.scrapes.last;
        let round = Round::new(self.scrapes.last, asked.len(), now, seed);
        for worker in &asked {
            if let Some(link) = self.workers.link(*worker) {
                link.ask_app_metrics(round.request, now);
            }
        }
        self.scrapes.round = Some((round, asked));
    }

    /// A worker has sent something; it may be the answer.
    pub(super) fn take_app_metrics(&mut self, worker: WorkerId) {
        let Some(link) = self.workers.link(worker) else {
            return;
        };
        let Some(answer) = link.answer.take() else {
            return;
        };
        if let Some((round, asked)) = &mut self.scrapes.round
            && let Some(place) = asked.iter().position(|asked| *asked == worker)
        {
            round.aggregate.add(place, &answer);
        }
    }

    /// Ends the round if all have answered, or the time is up.
    pub(super) fn finish_scrapes(&mut self) {
        let now = self.now();
        let workers = &self.workers;
        let is_over = |(round, asked): &mut (Round, Vec<WorkerId>)| {
            let mut links = asked.iter().filter_map(|worker| workers.link_of(*worker));
            let is_open = |link: &Link| !link.is_closed() && link.question.is_open(round.request);
            round.is_over(now, links.any(is_open))
        };
        if let Some((round, _)) = self.scrapes.round.take_if(is_over) {
            self.answer_scrapes(&round);
            drop(round);
            memory::release_freed();
        }
    }

    fn answer_scrapes(&mut self, round: &Round) {
        let missing = round.missing();
        self.scrapes.missing += u64::try_from(missing).unwrap_or_default();
        if missing > 0 && !std::mem::replace(&mut self.scrapes.has_warned, true) {
            notices::app_metrics_missing(missing, round.workers);
        }
        let waiting = std::mem::take(&mut self.scrapes.waiting);
        for format in [Format::Text, Format::OpenMetrics] {
            let mut same = waiting.iter().filter(|(_, wanted, _)| *wanted == format);
            let Some(first) = same.next() else {
                continue;
            };
            let app = AppMetrics {
                aggregate: &round.aggregate,
                missing: self.scrapes.missing,
            };
            let status = self.snapshot(BETWEEN_SCRAPES);
            let text = metrics::text(status, format, Some(&app));
            for (id, _, body) in std::iter::once(first).chain(same) {
                let page = Page::Metrics(format);
                let response = http::page(page, true, &text, *body);
                self.admin.clients.answer(*id, &response, true);
            }
        }
    }
}
