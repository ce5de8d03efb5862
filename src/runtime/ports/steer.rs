//! Which program a group gets, for the members that new connections are wanted in.

use crate::config::Balance;
use crate::steering::{self, Program};
use crate::supervisor::{Member, WorkerId};

/// `members`: of each slot, if it has one; `None`: nobody serves anywhere.
///
/// Chance in place of the kernel's own hash, which knows no idle members.
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

/// Of each slot the member where somebody listens; if nobody does, the one it begins with.
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
