//! Where a worker's new connections queue up.

/// A worker, by a number that no other one of this run ever has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u32);

/// One of a slot's two places to queue for a worker, used in turn: new connections go to the successor's
/// member, while the worker before it empties its own. In a group of sockets it is the member's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub usize);

impl Member {
    /// How many a slot has.
    pub const PER_SLOT: usize = 2;

    /// The one a slot begins with.
    #[must_use]
    pub const fn first_of(slot: usize) -> Self {
        Self(slot * Self::PER_SLOT)
    }

    /// Whose it is.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.0 / Self::PER_SLOT
    }

    /// The slot's other one.
    #[must_use]
    pub const fn other(self) -> Self {
        Self(self.0 ^ 1)
    }
}
