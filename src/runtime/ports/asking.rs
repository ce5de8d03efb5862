//! Which port a query means, and the answer to it.

use std::io;
use std::os::fd::AsFd;

use super::port::{Origin, Port};
use super::{Answer, LIMIT, PortId, Ports, Rights, failure, is_round_robin, matching};
use crate::address::ListenAddress;
use crate::channel::cluster::HandleKind;
use crate::channel::query::{Data, ListenerKey};
use crate::errno;
use crate::supervisor::{Member, WorkerId};
use crate::sys::activation;

impl Ports {
    pub(super) fn find_or_bind(
        &mut self,
        worker: WorkerId,
        key: &ListenerKey,
        backlog: u32,
    ) -> io::Result<PortId> {
        let Some(address) = matching::address(key) else {
            return self.passed_on_at(key).ok_or_else(|| failure(errno::EINVAL));
        };
        let origin = Origin::Asked(matching::without_flags(key));
        let asked = self.ports.iter().find(|(_, port)| port.origin == origin);
        let options = matching::options(key, backlog);
        if let Some((id, port)) = asked.or_else(|| self.find_at(&address)) {
            if port.has_lost_file() {
                self.ensure_file(id)?;
            } else if port.is_wanted_by(worker, &address) && !options.reuse_address {
                return Err(failure(errno::EADDRINUSE));
            }
            return Ok(id);
        }
        if self.is_closed_to_new_connections {
            return Err(failure(errno::ESHUTDOWN));
        }
        if let Rights::Less { ports_from } = self.rights
            && !matching::is_for_everybody(&address, ports_from)
        {
            return Err(failure(errno::EACCES));
        }
        self.bind_for_app(origin, &address, options)
    }

    /// Whether pidone may create socket files: only if the workers have the same rights.
    pub(super) fn may_bind_files(&self) -> bool {
        matches!(self.rights, Rights::Own)
    }

    /// The port that workers inherited as this descriptor, if it has the kind in the query. Otherwise
    /// Node.js' own primary answers `EINVAL` too.
    fn passed_on_at(&self, key: &ListenerKey) -> Option<PortId> {
        let ListenerKey::Fd { number, is_udp } = key else {
            return None;
        };
        let place = usize::try_from(number.checked_sub(activation::FIRST)?).ok()?;
        let (id, _) = self.passed_on.get(place)?;
        let is_stream = self.ports.get(*id)?.is_stream();
        (is_stream != *is_udp).then_some(*id)
    }

    /// The port of `--listen` or the inherited port for this address. An exact match comes first:
    /// `--listen` can name `0.0.0.0:80` beside an inherited IPv6 socket.
    pub(super) fn find_at(&self, address: &ListenAddress) -> Option<(PortId, &Port)> {
        let fixed = || {
            let ports = self.passed_on.iter();
            ports.filter_map(|(id, _)| Some((*id, self.ports.get(*id)?)))
        };
        fixed()
            .find(|(_, port)| port.address == *address)
            .or_else(|| fixed().find(|(_, port)| matching::is_at(address, &port.address)))
    }

    pub(super) fn hand_out(
        &mut self,
        id: PortId,
        (worker, member): (WorkerId, Member),
        key: &ListenerKey,
        data: &Data,
    ) -> io::Result<Answer> {
        let gone = || failure(errno::EINVAL);
        let port = self.ports.get_mut(id).ok_or_else(gone)?;
        if port.holders().filter(|(id, _)| *id == worker).count() >= LIMIT {
            return Err(failure(errno::EMFILE));
        }
        let is_round_robin = is_round_robin(self.balance, port);
        let answer = if is_round_robin {
            Answer::RoundRobin {
                port: id,
                address: port.local_address(),
                data: port.share_data(data),
            }
        } else {
            port.grow(member.0 + 1, self.balance, &self.steering)?;
            let socket = port.socket(member).ok_or_else(gone)?;
            Answer::Listener {
                port: id,
                handle: socket.as_fd().try_clone_to_owned()?,
                kind: if port.is_stream() {
                    HandleKind::Stream
                } else {
                    HandleKind::Datagram
                },
                data: port.share_data(data),
            }
        };
        port.add_holder(worker, member, matching::address(key));
        port.steer(self.balance, &self.steering);
        Ok(answer)
    }
}
