//! pidone's own endpoints: where `pidone ctl`, probes and scrapers connect.
//!
//! Nothing in here waits and nothing has a clock: each who comes is heard and answered as far as
//! their socket goes, between two other things.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::Runtime;
use super::clients::{Access, ClientId, Clients, Heard};
use super::error::RunError;
use crate::cause::Cause;
use crate::config::{Config, Control};
use crate::protocol::control::{PLACES, Request};
use crate::protocol::http::{self, Page};
use crate::protocol::metrics;
use crate::protocol::status::Status;
use crate::sys::admin::{AdminListener, ClientConnection};
use crate::sys::identity;
use crate::sys::poll::{Interest, Watched};

/// How many are let in before others have their turn.
const ADMITTED_AT_ONCE: usize = 16;

/// Scrapers come less often than this, seldom; each sees what its last visit has measured.
const BETWEEN_SCRAPES: Duration = Duration::from_secs(120);

/// What wakes pidone at its admin endpoints.
#[derive(Debug, Clone, Copy)]
pub(super) enum AdminSource {
    Http,
    Control,
    Client(ClientId),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct AdminEndpoints {
    http: Option<AdminListener>,
    control: Option<AdminListener>,
    /// Who may look through the control socket, besides root and pidone's own user.
    workers_user: Option<u32>,
    pub(super) clients: Clients,
    /// What was last seen; good for as long as pidone does not sleep.
    pub(super) seen: Option<(Duration, Status)>,
    /// Somebody has looked since pidone slept.
    pub(super) have_looked: bool,
}

impl AdminEndpoints {
    /// Opens those that are wanted. `workers_user`: who the workers run as, if they do not as
    /// pidone itself.
    pub(super) fn open(config: &Config, workers_user: Option<u32>) -> Result<Self, RunError> {
        let http = config.http.map(|endpoint| {
            AdminListener::tcp(endpoint).map_err(|cause| RunError::Http(endpoint, cause))
        });
        let control = match &config.control {
            Control::Path(path) => {
                let listener = AdminListener::private(path, workers_user);
                Some(listener.map_err(|cause| RunError::Control(path.clone(), cause))?)
            }
            Control::Default if config.workers.is_some() => open_usual(workers_user),
            Control::Default | Control::Off => None,
        };
        Ok(Self {
            http: http.transpose()?,
            control,
            workers_user,
            clients: Clients::default(),
            seen: None,
            have_looked: false,
        })
    }

    /// What is to be waited for; new connections only if somebody can be let in.
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

    /// There is none.
    pub(super) fn are_none(&self) -> bool {
        self.http.is_none() && self.control.is_none()
    }

    /// Time has passed, and something has happened.
    pub(super) fn wake(&mut self) {
        self.seen = None;
        self.have_looked = false;
    }

    fn way(&self, connection: &ClientConnection, source: AdminSource) -> Option<Access> {
        if matches!(source, AdminSource::Http) {
            return Some(Access::Http);
        }
        let user = connection.user().ok()?;
        let may_act = user == 0 || user == identity::own_user();
        (may_act || Some(user) == self.workers_user).then_some(Access::Control { may_act })
    }

    /// The next who wants to come in; `None`: nobody does.
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
            Err(_) if self.clients.drop_one() => listener.accept(),
            result => result,
        }
    }
}

/// The first of the usual places where it can be. pidone does without if there is none.
fn open_usual(owner: Option<u32>) -> Option<AdminListener> {
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
    /// A client connects, or has something to say.
    pub(super) fn on_admin(&mut self, source: AdminSource) {
        if let AdminSource::Client(id) = source {
            self.attend(id);
            return;
        }
        for _ in 0..ADMITTED_AT_ONCE {
            let connection = match self.admin.accept(source) {
                Ok(Some(connection)) => connection,
                Ok(None) => return,
                Err(error) => return self.accept_backoff.met(&error, self.now()),
            };
            let Some(way) = self.admin.way(&connection, source) else {
                continue;
            };
            // Most have asked already.
            let id = self.admin.clients.admit(connection, way);
            self.attend(id);
        }
    }

    fn attend(&mut self, id: ClientId) {
        let Heard::Request { way, bytes, is_all } = self.admin.clients.attend(id) else {
            return;
        };
        match way {
            Access::Http => {
                let request = http::parse(bytes, is_all);
                self.on_http(id, request);
            }
            Access::Control { may_act } => {
                if let Some(request) = Request::read(bytes, is_all) {
                    self.on_control(id, request, may_act);
                }
            }
        }
    }

    /// A probe or a scraper has asked for something.
    fn on_http(&mut self, id: ClientId, request: http::Request) {
        let (page, body) = match request {
            http::Request::Partial => return,
            http::Request::Wrong(wrong) => {
                let response = wrong.response();
                return self.admin.clients.answer(id, &response, false);
            }
            http::Request::Page { page, body } => (page, body),
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
                &metrics::text(self.look(BETWEEN_SCRAPES), format),
                body,
            ),
        };
        self.admin.clients.answer(id, &response, true);
    }
}
