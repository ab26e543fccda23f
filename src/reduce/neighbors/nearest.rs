//! The best candidates of a block of queries while panels go by.

/// The nearest candidates of every query of a block.
///
/// Of all candidates pushed, exactly the `keep` best by (score, row number) remain, in whatever
/// order they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Nearest {
    keep: usize,
    room: usize,
    keys: Vec<u64>,
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Scores below do not come in.
    bar: f32,
    /// The row that does not count: the query itself.
    own: u32,
    filled: usize,
    /// Keys at or above do not come in.
    last: u64,
}

impl Nearest {
    /// Keys that a query has room for.
    pub(super) fn room(keep: usize) -> usize {
        keep.saturating_add(keep.clamp(32, 512))
    }

    /// Starts a block of queries; `owns` names the row that every query leaves out.
    pub(super) fn start(&mut self, keep: usize, owns: impl Iterator<Item = u32>) {
        self.keep = keep;
        self.room = Self::room(keep);
        self.states.clear();
        self.states.extend(owns.map(|own| State {
            bar: f32::MIN,
            own,
            filled: 0,
            last: u64::MAX,
        }));
        self.keys.resize(self.states.len() * self.room, 0);
    }

    /// The score that a candidate must reach.
    #[inline(always)]
    pub(super) fn bar(&self, query: usize) -> f32 {
        self.states[query].bar
    }

    /// Takes a candidate in where it is good enough; returns the bar for the next.
    #[inline(always)]
    pub(super) fn push(&mut self, query: usize, score: f32, row: u32) -> f32 {
        self.push_key(query, key(score, row));
        self.states[query].bar
    }

    /// Takes in a candidate whose key orders it already.
    #[inline(always)]
    pub(super) fn push_key(&mut self, query: usize, key: u64) {
        let state = &mut self.states[query];
        if key as u32 == state.own || key >= state.last {
            return;
        }
        let start = query * self.room;
        self.keys[start + state.filled] = key;
        state.filled += 1;
        if state.filled == self.room {
            let keys = &mut self.keys[start..start + self.room];
            tighten(state, keys, self.keep);
        }
    }

    /// A score that no candidate exceeds of those that a query had and does not keep; `None` when it
    /// keeps all.
    pub(super) fn best_lost(&mut self, query: usize) -> Option<f32> {
        self.keys(query);
        let state = &self.states[query];
        (state.last != u64::MAX).then_some(state.bar)
    }

    /// The candidates kept for a query, in no order; the low half of a key is the row.
    pub(super) fn keys(&mut self, query: usize) -> &[u64] {
        let state = &mut self.states[query];
        let start = query * self.room;
        let keys = &mut self.keys[start..start + state.filled];
        if state.filled > self.keep {
            tighten(state, keys, self.keep);
        }
        &keys[..state.filled]
    }
}

/// Leaves the `keep` smallest keys and raises the bar to the last of them.
#[inline(never)]
fn tighten(state: &mut State, keys: &mut [u64], keep: usize) {
    if keep == 0 {
        state.filled = 0;
        return;
    }
    let (_, last, _) = keys.select_nth_unstable(keep - 1);
    state.last = *last;
    state.bar = score(*last);
    state.filled = keep;
}

/// Sorts by descending score, then by ascending row.
#[inline(always)]
fn key(score: f32, row: u32) -> u64 {
    let bits = (score + 0.0).to_bits(); // -0 counts as 0
    let ascending = bits ^ (((bits as i32) >> 31) as u32 | 0x8000_0000);
    u64::from(!ascending) << 32 | u64::from(row)
}

/// The score of a key.
fn score(key: u64) -> f32 {
    let ascending = !((key >> 32) as u32);
    let sign = if ascending & 0x8000_0000 == 0 {
        u32::MAX
    } else {
        0x8000_0000
    };
    f32::from_bits(ascending ^ sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_remain_whatever_the_order(
            scores in prop::collection::vec(-4i8..4, 0..400),
            keep in 0usize..50,
        ) {
            let mut nearest = Nearest::default();
            nearest.start(keep, [3].into_iter());
            for (row, &score) in scores.iter().enumerate().rev() {
                if f32::from(score) >= nearest.bar(0) {
                    nearest.push(0, f32::from(score), row as u32);
                }
            }
            let mut found: Vec<u32> = nearest.keys(0).iter().map(|&key| key as u32).collect();
            found.sort_unstable();
            let mut all: Vec<(i8, u32)> =
                scores.iter().enumerate().map(|(row, &score)| (-score, row as u32)).collect();
            all.retain(|(_, row)| *row != 3);
            all.sort_unstable();
            let mut expected: Vec<u32> = all.into_iter().take(keep).map(|(_, row)| row).collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_key_gives_its_score_back(value in any::<f32>().prop_filter("a number", |v| !v.is_nan())) {
            prop_assert_eq!(score(key(value, 7)), value);
        }
    }
}
