//! The admin endpoints: where `pidone ctl`, probes and scrapers connect.
//!
//! Nothing here blocks or has a timeout: each client is read from and written to as far as its socket
//! permits.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use super::Runtime;
use super::clients::{Access, ClientId, Clients, Input};
use super::control::FRESH;
use super::error::RunError;
use super::notices;
use super::sources::{Registered, Source, Sources};
use crate::admin::control::{ControlRequest, PLACES};
use crate::admin::http::{self, HttpRejection, Page};
use crate::admin::metrics;
use crate::admin::status::Status;
use crate::config::{Config, Control};
use crate::sys::admin::{AdminListener, ClientConnection};
use crate::sys::identity;
use crate::sys::poll::Interest;

/// How many connections are accepted in one turn.
const ACCEPTED_AT_ONCE: usize = 16;

/// The usual longest time between two scrapes; each shows what the last one has measured.
pub(super) const BETWEEN_SCRAPES: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct AdminEndpoints {
    http: Option<Registered<AdminListener>>,
    control: Option<Registered<AdminListener>>,
    /// The user that may read the status through the control socket, besides root and pidone's own
    /// user.
    workers_user: Option<u32>,
    pub(super) clients: Clients,
    /// The last status; valid until pidone sleeps.
    pub(super) seen: Option<(Duration, Status)>,
    /// The status was requested since pidone last slept.
    pub(super) was_queried: bool,
}

impl AdminEndpoints {
    /// Opens the configured endpoints. `workers_user`: the user of the workers, if it is not pidone's
    /// own.
    pub(super) fn open(
        config: &Config,
        workers_user: Option<u32>,
        sources: &Sources,
    ) -> Result<Self, RunError> {
        let http = config.http.map(|endpoint| {
            AdminListener::tcp(endpoint).map_err(|cause| RunError::Http(endpoint, cause))
        });
        let control = match &config.control {
            Control::Path(path) => {
                let listener = AdminListener::private(path, workers_user);
                Some(listener.map_err(|cause| RunError::Control(path.clone(), cause))?)
            }
            Control::Default if config.workers.is_some() => open_default(workers_user),
            Control::Default | Control::Off => None,
        };
        let register =
            |source| move |listener| Registered::new(sources, source, listener, Interest::Read);
        Ok(Self {
            http: http.transpose()?.map(register(Source::Http)),
            control: control.map(register(Source::Control)),
            workers_user,
            clients: Clients::new(sources.clone()),
            seen: None,
            was_queried: false,
        })
    }

    /// Whether to accept new connections.
    pub(super) fn accepts(&self, accepts: bool) {
        let interest = if accepts {
            Interest::Read
        } else {
            Interest::None
        };
        for listener in self.http.iter().chain(&self.control) {
            listener.wait_for(interest);
        }
    }

    /// Called after each sleep: the cached status is outdated.
    pub(super) fn wake(&mut self) {
        self.seen = None;
        self.was_queried = false;
    }

    fn access(&self, connection: &ClientConnection, source: Source) -> Option<Access> {
        if source == Source::Http {
            return Some(Access::Http);
        }
        let user = connection.user().ok()?;
        let may_act = user == 0 || user == identity::own_user();
        (may_act || Some(user) == self.workers_user).then_some(Access::Control { may_act })
    }

    /// The next connection; `None`: there is none.
    fn accept(&mut self, source: Source) -> io::Result<Option<ClientConnection>> {
        let listener = match source {
            Source::Http => &self.http,
            _ => &self.control,
        };
        let Some(listener) = listener else {
            return Ok(None);
        };
        match listener.accept() {
            Err(_) if self.clients.drop_reader() => listener.accept(),
            result => result,
        }
    }
}

/// The control socket at the first usable default path; `None`: pidone runs without one.
fn open_default(owner: Option<u32>) -> Option<AdminListener> {
    let mut last = None;
    for place in PLACES {
        match AdminListener::private(Path::new(place), owner) {
            Ok(listener) => return Some(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                notices::control_socket_taken(place);
                return None;
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| ErrorKind::NotFound.into());
    let places = PLACES.join(" or ");
    notices::no_control_socket(&places, &error);
    None
}

impl Runtime<'_> {
    /// Clients connect to an endpoint: `--http` or `--control`.
    pub(super) fn accept_clients(&mut self, source: Source) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let connection = match self.admin.accept(source) {
                Ok(Some(connection)) => connection,
                Ok(None) => return,
                Err(error) => return self.accept_failed(&error),
            };
            let Some(access) = self.admin.access(&connection, source) else {
                continue;
            };
            // Most clients have sent their request already.
            let id = self.admin.clients.admit(connection, access);
            self.proceed(id);
        }
    }

    /// A client has sent something, has room for more of its answer, or has gone.
    pub(super) fn proceed(&mut self, id: ClientId) {
        let Input::Request {
            access,
            bytes,
            is_all,
        } = self.admin.clients.proceed(id)
        else {
            return;
        };
        match access {
            Access::Http => {
                let request = http::parse(bytes, is_all);
                self.on_http(id, request);
            }
            Access::Control { may_act } => {
                if let Some(request) = ControlRequest::read(bytes, is_all) {
                    self.on_control(id, request, may_act);
                }
            }
        }
    }

    /// A request from a probe or a scraper.
    fn on_http(&mut self, id: ClientId, request: http::HttpRequest) {
        let (page, body) = match request {
            http::HttpRequest::Partial => return,
            http::HttpRequest::Rejected(wrong) => {
                let response = wrong.response();
                return self.admin.clients.answer(id, &response, false);
            }
            http::HttpRequest::Page { page, body } => (page, body),
        };
        let response = match page {
            Page::Html | Page::Status if !self.config.http_page => {
                HttpRejection::NoSuchPage.response()
            }
            Page::Html => http::html(body),
            Page::Status => {
                let json = self.snapshot(FRESH).json();
                http::page(page, true, &format!("{json}\n"), body)
            }
            Page::Metrics(format) if self.config.app_metrics => {
                return self.scrape(id, format, body);
            }
            Page::Live => http::page(page, true, "alive\n", body),
            Page::Ready => match self.unreadiness() {
                None => http::page(page, true, "ready\n", body),
                Some(why) => http::page(page, false, &format!("{why}\n"), body),
            },
            Page::Metrics(format) => http::page(
                page,
                true,
                &metrics::text(self.snapshot(BETWEEN_SCRAPES), format, None),
                body,
            ),
        };
        self.admin.clients.answer(id, &response, true);
    }
}
