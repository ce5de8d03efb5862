//! The BPF program of a group, for the members that must get new connections.

use crate::config::Balance;
use crate::steering::{self, Program};
use crate::supervisor::{Member, WorkerId};

/// `members`: the member of each slot, if it has one. Returns `None` if none serves.
///
/// Picks at random instead of by the kernel's hash, which also picks members without a worker.
pub(super) fn program(
    balance: Balance,
    members: &[Option<Member>],
    serves: impl Fn(Member) -> bool,
) -> Option<Program> {
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            member
                .filter(|member| serves(*member))
                .map(|member| member.0)
        })
        .collect();
    let those: Vec<_> = members.iter().copied().flatten().collect();
    if those.is_empty() {
        return None;
    }
    Some(match balance {
        Balance::SourceIp => steering::by_source(&members),
        _ => steering::among(&those),
    })
}

/// The member of each slot that has a holder; without any holder, the first member of each slot.
pub(super) fn first_members(members: usize, holders: &[(WorkerId, Member)]) -> Vec<Option<Member>> {
    let slots = 0..members.div_ceil(Member::PER_SLOT);
    let held = |slot| {
        let mut members = holders.iter().map(|(_, member)| *member);
        members.find(|member| member.slot() == slot)
    };
    slots
        .map(|slot| {
            let first = holders.is_empty().then_some(Member::first_of(slot));
            held(slot).or(first)
        })
        .collect()
}
