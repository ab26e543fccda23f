//! Random numbers that are the same everywhere.

/// Steele, Lea and Flood's SplitMix64.
///
/// # Source
/// G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
pub(crate) struct Draw(u64);

/// The golden ratio's fraction, in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draw {
    /// Numbers of one epoch of one seed.
    pub(crate) fn new(seed: u64, epoch: u64) -> Self {
        let mut seeded = Self(seed);
        let start = seeded.next();
        // Once more over both: neither seed and epoch exchanged nor equal ones give equal numbers.
        Self(Self(start ^ epoch).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1, a multiple of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `bound`, each equally often.
    ///
    /// # Source
    /// D. Lemire, "Fast random integer generation in an interval", TOMACS 29, 2019.
    fn below(&mut self, bound: u64) -> u64 {
        let unfair = bound.wrapping_neg() % bound.max(1);
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts the items in an order of which each is equally likely (Fisher and Yates, from the end).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // java.util.SplittableRandom(0): nextLong() three times.
        let mut draw = Draw(0);
        let first: Vec<u64> = (0..3).map(|_| draw.next()).collect();
        assert_eq!(
            first,
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
    }

    #[test]
    fn every_order_of_three_comes_equally_often() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6_000 {
            let mut items = [0, 1, 2];
            Draw::new(7, epoch).shuffle(&mut items);
            *counts.entry(items).or_insert(0_i32) += 1;
        }
        // Six orders of 1,000 each; 5 standard deviations are 5 sqrt(6000 * 5/36) = 144.
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (count - 1_000).abs() < 144),
            "{counts:?}"
        );
    }
}
