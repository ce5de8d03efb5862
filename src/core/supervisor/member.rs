//! The accept queues of a worker's new connections.

/// A worker's id, unique within a run of pidone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u32);

/// One of a slot's two sets of accept queues, used in turn: new connections go to the successor's
/// member, while the old worker drains its own. In a reuseport group it is the member's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub usize);

impl Member {
    /// The number of members of a slot.
    pub const PER_SLOT: usize = 2;

    /// The member that a slot uses first.
    #[must_use]
    pub const fn first_of(slot: usize) -> Self {
        Self(slot * Self::PER_SLOT)
    }

    /// The slot that the member belongs to.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.0 / Self::PER_SLOT
    }

    /// The slot's other member.
    #[must_use]
    pub const fn other(self) -> Self {
        Self(self.0 ^ 1)
    }
}
