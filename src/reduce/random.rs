//! Random numbers that depend on a seed and a place, never on a thread.

/// SplitMix64 (Steele, Lea, Flood 2014), started anew for every item that needs random numbers.
///
/// `Random::at(seed, stream, index)` gives the same sequence wherever and in whatever order the
/// items are worked on.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A fixed permutation of the 64-bit numbers that scatters neighbouring ones.
///
/// A score from it orders rows in a way that looks random and depends on nothing but the numbers.
///
/// ```
/// use emberlens::reduce::scramble;
/// assert_ne!(scramble(1), scramble(2));
/// assert_eq!(scramble(1), scramble(1));
/// ```
///
/// # Source
/// The first output of SplitMix64 from that state (Steele, Lea, Flood 2014).
pub fn scramble(number: u64) -> u64 {
    mix(number.wrapping_add(STEP))
}

impl Random {
    /// The numbers of item `index` in one use (`stream`) of a seed.
    pub(super) fn at(seed: u64, stream: u64, index: u64) -> Self {
        let of_stream = mix(mix(seed.wrapping_add(STEP)) ^ stream.wrapping_mul(STEP));
        Self {
            state: mix(of_stream ^ index.wrapping_add(1).wrapping_mul(0xD134_2543_DE82_EF95)),
        }
    }

    /// 64 random bits.
    #[inline(always)]
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number in `0..bound`; `bound` is at least 1. Its bias is below `bound` / 2^32.
    #[inline(always)]
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Brings values into a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last as u32 + 1) as usize);
        }
    }

    /// A number in `0.0..1.0` with 24 random bits.
    #[inline(always)]
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A standard normal number (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - f64::from(self.unit())).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.unit())).cos()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs for state 0: https://prng.di.unimi.it/splitmix64.c
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(random.next(), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(scramble(0), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn numbers_spread_evenly() {
        let mut counts = [0; 10];
        let mut sum = 0.0;
        let mut squares = 0.0;
        for index in 0..100_000 {
            let mut random = Random::at(7, 1, index);
            counts[random.below(10) as usize] += 1;
            let normal = f64::from(random.normal());
            sum += normal;
            squares += normal * normal;
        }
        // 10,000 expected each, standard deviation 95.
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
        assert!((sum / 1e5).abs() < 0.02 && (squares / 1e5 - 1.0).abs() < 0.02);
    }

    #[test]
    fn neighbouring_items_streams_and_seeds_differ() {
        let first = Random::at(1, 0, 0).next();
        for other in [
            Random::at(1, 0, 1),
            Random::at(1, 1, 0),
            Random::at(2, 0, 0),
        ] {
            assert_ne!(other.clone().next(), first);
        }
    }
}
