//! Which members of a port get new connections: the only place that decides it.

use alloc::vec::Vec;
use core::mem;

use super::port::{Origin, Port};
use super::{PortId, Registry};
use crate::rules::Balance;
use crate::steering::{self, Program};
use crate::supervisor::Member;

/// Where the kernel sends a port's new connections.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// To any member.
    Unsteered,
    /// No worker has served yet since the port was opened.
    Provisional(Program),
    Steered(Program),
    /// They are rejected, as far as possible: an abstract UNIX socket stays reachable by its name,
    /// and UDP has no connections.
    Closed,
}

impl Registry {
    /// From now on these members serve, one per slot if the slot has one.
    pub fn serve(&mut self, members: &[Option<Member>]) {
        self.steering = members.to_vec();
    }

    /// The ports whose new connections must be steered otherwise than they are now, and how. Must
    /// follow each change of members or holders.
    pub fn steer(&mut self) -> Vec<(PortId, Program)> {
        let (balance, serving) = (self.balance, &self.steering);
        let mut changed = Vec::new();
        for (id, port) in self.ports.iter_mut() {
            changed.extend(port.steer(balance, serving).map(|program| (id, program)));
        }
        changed
    }

    /// The kernel has not accepted the program of a port, or has lost it. A single socket stays
    /// closed as far as it is: its late queue is not lost.
    pub fn not_steered(&mut self, port: PortId) {
        let port = self.ports.get_mut(port);
        if let Some(port) = port.filter(|port| port.members.is_some()) {
            port.admission = Admission::Unsteered;
        }
    }

    /// New connections must be rejected from now on, on all ports, also those opened later. Returns
    /// the ports to close to them. An inherited socket is not among them: connections wait in it for
    /// the next process that gets it.
    pub fn close(&mut self) -> Vec<PortId> {
        self.is_closed = true;
        let ports = self.ports.iter_mut();
        let own = ports.filter(|(_, port)| port.origin != Origin::Inherited && !port.is_closed());
        own.map(|(id, port)| {
            port.admission = Admission::Closed;
            id
        })
        .collect()
    }
}

impl Port {
    pub(super) fn is_closed(&self) -> bool {
        self.admission == Admission::Closed
    }

    /// Sends new connections to the members that serve, if workers listen there. Before any worker
    /// serves: to the members of the first ones. If no worker serves any more, nothing changes.
    fn steer(&mut self, balance: Balance, serving: &[Option<Member>]) -> Option<Program> {
        // A single member cannot be steered, and gets all connections.
        let members = self.members.filter(|members| *members > 1)?;
        // For a member that does not exist yet, the kernel would choose by its hash.
        let listens =
            |member: &Member| member.0 < members && (self.is_unheld() || self.is_held_in(*member));
        let listening = serving.iter().map(|member| member.filter(listens));
        let steered = program(balance, listening).map(Admission::Steered);
        let next = match &self.admission {
            Admission::Closed => return None,
            Admission::Steered(_) => steered?,
            Admission::Unsteered | Admission::Provisional(_) => steered.or_else(|| {
                program(balance, self.first_members(members)).map(Admission::Provisional)
            })?,
        };
        let last = mem::replace(&mut self.admission, next);
        let program = self.admission.program();
        program.filter(|_| program != last.program()).cloned()
    }

    /// The member of each slot that has a holder; without any holder, the first member of each slot.
    fn first_members(&self, members: usize) -> impl Iterator<Item = Option<Member>> {
        (0..members.div_ceil(Member::PER_SLOT)).map(|slot| {
            let mut held = self.holders().map(|(_, member)| member);
            let held = held.find(|member| member.slot() == slot);
            held.or(self.is_unheld().then_some(Member::first_of(slot)))
        })
    }
}

impl Admission {
    fn program(&self) -> Option<&Program> {
        match self {
            Self::Provisional(program) | Self::Steered(program) => Some(program),
            Self::Unsteered | Self::Closed => None,
        }
    }
}

/// `members`: the member of each slot, if it gets new connections. `None` if none does.
///
/// Never leaves the choice to the kernel's hash, which also picks members without a worker.
fn program(balance: Balance, members: impl Iterator<Item = Option<Member>>) -> Option<Program> {
    let slots: Vec<_> = members.map(|member| member.map(|it| it.0)).collect();
    let members: Vec<_> = slots.iter().copied().flatten().collect();
    if members.is_empty() {
        return None;
    }
    Some(match balance {
        Balance::Auto => steering::dealt(&members),
        Balance::SourceIp => steering::by_source(&slots),
        _ => steering::among(&members),
    })
}
