//! The admin endpoints: where `pidone ctl`, probes and scrapers connect.
//!
//! Nothing here blocks or has a timeout: each client is read from and written to as far as its socket
//! permits.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::Runtime;
use super::clients::{Access, ClientId, Clients, Input};
use super::error::RunError;
use crate::admin::control::{ControlRequest, PLACES};
use crate::admin::http::{self, Page};
use crate::admin::metrics;
use crate::admin::status::Status;
use crate::cause::Cause;
use crate::config::{Config, Control};
use crate::sys::admin::{AdminListener, ClientConnection};
use crate::sys::identity;
use crate::sys::poll::{Interest, Watched};

/// How many connections are accepted in one turn.
const ACCEPTED_AT_ONCE: usize = 16;

/// The usual longest time between two scrapes; each shows what the last one has measured.
const BETWEEN_SCRAPES: Duration = Duration::from_secs(120);

/// The event sources of the admin endpoints.
#[derive(Debug, Clone, Copy)]
pub(super) enum AdminSource {
    Http,
    Control,
    Client(ClientId),
}

#[derive(Debug)]
pub(super) struct AdminEndpoints {
    http: Option<AdminListener>,
    control: Option<AdminListener>,
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
    pub(super) fn open(config: &Config, workers_user: Option<u32>) -> Result<Self, RunError> {
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
        Ok(Self {
            http: http.transpose()?,
            control,
            workers_user,
            clients: Clients::default(),
            seen: None,
            was_queried: false,
        })
    }

    /// What to poll. `is_open`: also for new connections.
    pub(super) fn watched(
        &self,
        is_open: bool,
    ) -> impl Iterator<Item = (AdminSource, Watched<'_>)> {
        let http = self
            .http
            .iter()
            .map(|listener| (AdminSource::Http, listener));
        let control = self
            .control
            .iter()
            .map(|listener| (AdminSource::Control, listener));
        let admin = http.chain(control).filter(move |_| is_open);
        let admin = admin.map(|(source, listener)| (source, (listener.as_fd(), Interest::Read)));
        let clients = self.clients.watched();
        admin.chain(clients.map(|(id, watched)| (AdminSource::Client(id), watched)))
    }

    pub(super) fn are_none(&self) -> bool {
        self.http.is_none() && self.control.is_none()
    }

    /// Called after each sleep: the cached status is outdated.
    pub(super) fn wake(&mut self) {
        self.seen = None;
        self.was_queried = false;
    }

    fn access(&self, connection: &ClientConnection, source: AdminSource) -> Option<Access> {
        if matches!(source, AdminSource::Http) {
            return Some(Access::Http);
        }
        let user = connection.user().ok()?;
        let may_act = user == 0 || user == identity::own_user();
        (may_act || Some(user) == self.workers_user).then_some(Access::Control { may_act })
    }

    /// The next connection; `None`: there is none.
    fn accept(&mut self, source: AdminSource) -> io::Result<Option<ClientConnection>> {
        let listener = match source {
            AdminSource::Http => &self.http,
            AdminSource::Control => &self.control,
            AdminSource::Client(_) => &None,
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
                log::warn!(
                    "control socket disabled: {place} belongs to another pidone; \
                     choose another path (--control PATH), or --control off"
                );
                return None;
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| ErrorKind::NotFound.into());
    let places = PLACES.join(" or ");
    log::warn!(
        "control socket disabled: cannot create {places}: {}; \
         choose a path that can be written to (--control PATH), or --control off",
        Cause(&error)
    );
    None
}

impl Runtime<'_> {
    /// A client connects, or has sent something.
    pub(super) fn on_admin(&mut self, source: AdminSource) {
        if let AdminSource::Client(id) = source {
            self.proceed(id);
            return;
        }
        for _ in 0..ACCEPTED_AT_ONCE {
            let connection = match self.admin.accept(source) {
                Ok(Some(connection)) => connection,
                Ok(None) => return,
                Err(error) => return self.accept_backoff.failed(&error, self.now()),
            };
            let Some(access) = self.admin.access(&connection, source) else {
                continue;
            };
            // Most clients have sent their request already.
            let id = self.admin.clients.admit(connection, access);
            self.proceed(id);
        }
    }

    fn proceed(&mut self, id: ClientId) {
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
            Page::Live => http::page(page, true, "alive\n", body),
            Page::Ready => match self.unreadiness() {
                None => http::page(page, true, "ready\n", body),
                Some(why) => http::page(page, false, &format!("{why}\n"), body),
            },
            Page::Metrics(format) => http::page(
                page,
                true,
                &metrics::text(self.snapshot(BETWEEN_SCRAPES), format),
                body,
            ),
        };
        self.admin.clients.answer(id, &response, true);
    }
}
