//! Which program a group gets, for the lanes that newcomers are wanted in.

use crate::config::Balance;
use crate::steering::{self, Program};
use crate::supervisor::{Lane, WorkerId};

/// `lanes`: of each slot, if it has one; `None`: nobody serves anywhere.
///
/// Chance in place of the kernel's own hash, which knows no idle lanes.
pub(super) fn program(
    balance: Balance,
    lanes: &[Option<Lane>],
    serves: impl Fn(Lane) -> bool,
) -> Option<Program> {
    let members: Vec<_> = lanes
        .iter()
        .map(|lane| lane.filter(|lane| serves(*lane)).map(|lane| lane.0))
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

/// Of each slot the lane where somebody listens; if nobody does, the one it begins with.
pub(super) fn first_lanes(members: usize, holders: &[(WorkerId, Lane)]) -> Vec<Option<Lane>> {
    let slots = 0..members.div_ceil(Lane::PER_SLOT);
    let held = |slot| {
        let mut lanes = holders.iter().map(|(_, lane)| *lane);
        lanes.find(|lane| lane.slot() == slot)
    };
    slots
        .map(|slot| {
            let first = holders.is_empty().then_some(Lane::first_of(slot));
            held(slot).or(first)
        })
        .collect()
}
