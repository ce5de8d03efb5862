//! Finds what was added, by a hash.

use alloc::vec::Vec;

/// Numbers of entries by the hashes of their keys, which the caller has. It never shrinks by itself.
#[derive(Default)]
pub(super) struct Index {
    /// A power of two, at most half of them in use: hash, and number plus one.
    places: Vec<(u64, usize)>,
    used: usize,
}

impl Index {
    /// The number of the entry with this hash for which `is_meant` holds.
    pub(super) fn find(&self, hash: u64, is_meant: impl Fn(usize) -> bool) -> Option<usize> {
        for (known, number) in self.from(hash) {
            let number = number.checked_sub(1)?;
            if *known == hash && is_meant(number) {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn add(&mut self, hash: u64, number: usize) {
        if (self.used + 1) * 2 > self.places.len() {
            self.rebuild((self.places.len() * 2).max(64), usize::MAX);
        }
        let at = self
            .from(hash)
            .take_while(|(_, number)| *number > 0)
            .count();
        let at = self.first(hash).wrapping_add(at) & (self.places.len() - 1);
        if let Some(place) = self.places.get_mut(at) {
            *place = (hash, number + 1);
            self.used += 1;
        }
    }

    /// Removes all entries from this number on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.rebuild(self.places.len(), count);
    }

    fn rebuild(&mut self, places: usize, count: usize) {
        let old = core::mem::take(&mut self.places);
        self.places.resize(places, (0, 0));
        self.used = 0;
        for (hash, number) in old {
            if let Some(number) = number.checked_sub(1).filter(|number| *number < count) {
                self.add(hash, number);
            }
        }
    }

    /// The places where it may be, in order.
    fn from(&self, hash: u64) -> impl Iterator<Item = &(u64, usize)> {
        let (before, after) = self
            .places
            .split_at_checked(self.first(hash))
            .unwrap_or_default();
        after.iter().chain(before)
    }

    fn first(&self, hash: u64) -> usize {
        // Cut off on 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let hash = hash as usize;
        hash & self.places.len().saturating_sub(1)
    }
}

/// Mixes a text into a hash. It begins with a number that workers do not know, so that they cannot
/// choose keys with one hash, which would be found one after another.
pub(super) fn mixed(hash: u64, text: &str) -> u64 {
    // From the digits of pi.
    const ODD: u64 = 0x243f_6a88_85a3_08d3;
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(ODD);
        #[allow(clippy::cast_possible_truncation)]
        let halves = [product as u64, (product >> 64) as u64];
        halves[0] ^ halves[1].rotate_left(32)
    };
    let mut hash = fold(hash, text.len() as u64);
    for chunk in text.as_bytes().chunks(8) {
        let word = <[u8; 8]>::try_from(chunk).map_or_else(
            |_| {
                chunk
                    .iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte))
            },
            u64::from_le_bytes,
        );
        hash = fold(hash, word);
    }
    fold(hash, ODD)
}
