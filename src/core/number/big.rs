//! Whole numbers that are large enough for every step between a decimal and a binary number.

use core::cmp::Ordering;

/// The most that is needed is 1140 bits, for the smallest number.
const LIMBS: usize = 20;

/// A whole number of at most 1280 bits, the lowest ones first.
#[derive(Clone)]
pub(super) struct Big {
    limbs: [u64; LIMBS],
    /// Those above are zero.
    used: usize,
}

impl Big {
    pub(super) fn of(number: u64) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[0] = number;
        Self { limbs, used: 1 }
    }

    fn add_limb(&mut self, limb: u64) {
        if limb > 0
            && let Some(next) = self.limbs.get_mut(self.used)
        {
            *next = limb;
            self.used += 1;
        }
    }

    /// Multiplies it with a power of a number that is at most 10.
    pub(super) fn raise(&mut self, base: u64, mut power: u32) {
        while power > 0 {
            // Below 2^64.
            let step = power.min(19);
            power -= step;
            let by = u128::from(base.pow(step));
            let mut carry = 0;
            for limb in self.limbs.iter_mut().take(self.used) {
                let product = u128::from(*limb) * by + carry;
                *limb = low(product);
                carry = product >> 64;
            }
            self.add_limb(low(carry));
        }
    }

    pub(super) fn sum(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.used = self.used.max(other.used);
        let mut carry = false;
        for (limb, other) in sum.limbs.iter_mut().zip(other.limbs).take(sum.used) {
            let (half, first) = limb.overflowing_add(other);
            let (whole, second) = half.overflowing_add(u64::from(carry));
            *limb = whole;
            carry = first || second;
        }
        sum.add_limb(u64::from(carry));
        sum
    }

    /// Subtracts a number that is not larger.
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, other) in self.limbs.iter_mut().zip(other.limbs).take(self.used) {
            let (half, first) = limb.overflowing_sub(other);
            let (whole, second) = half.overflowing_sub(u64::from(borrow));
            *limb = whole;
            borrow = first || second;
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let used = self.used.max(other.used);
        let pairs = self.limbs.iter().zip(&other.limbs).take(used);
        pairs
            .rev()
            .map(|(one, other)| one.cmp(other))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[allow(clippy::cast_possible_truncation)]
fn low(number: u128) -> u64 {
    number as u64
}
