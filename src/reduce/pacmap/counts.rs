//! How many pairs every row gets.

/// Pairs per row, each in its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) near: usize,
    pub(super) mid: usize,
    pub(super) far: usize,
}

impl Counts {
    /// The counts for `rows` rows (2 or more).
    ///
    /// Where the three kinds ask for more partners than there are rows, they shrink in proportion,
    /// as in Python's pacmap; but one near and one far partner always remain, the far one being the
    /// near one where there is no other.
    pub(super) fn new(rows: usize, near: usize, mid_ratio: f32, far_ratio: f32) -> Self {
        let others = rows.saturating_sub(1);
        let share = |ratio: f32| (near as f64 * f64::from(ratio)).round_ties_even() as usize;
        let near_count = near.clamp(1, others.max(1));
        let mut counts = Self {
            near: near_count,
            mid: share(mid_ratio).min(others),
            far: share(far_ratio).min(others.saturating_sub(near_count)),
        };
        if counts
            .near
            .saturating_add(counts.mid)
            .saturating_add(counts.far)
            >= rows
        {
            let part = rows as f64 / (1.0 + f64::from(mid_ratio) + f64::from(far_ratio));
            counts.near = (part as usize).clamp(1, others.max(1));
            counts.mid = (part * f64::from(mid_ratio)) as usize;
            counts.far = (part * f64::from(far_ratio)) as usize;
        }
        counts.mid = counts.mid.min(others);
        counts.far = counts.far.min(others.saturating_sub(counts.near)).max(1);
        counts
    }
}

/// Neighbours for that many rows by the rule of the paper's authors: 10 up to 10,000 rows,
/// `10 + 15 (log10 rows - 4)` beyond.
pub(super) fn neighbors_for(rows: usize) -> usize {
    if rows <= 10_000 {
        10
    } else {
        (10.0 + 15.0 * ((rows as f64).log10() - 4.0)).round_ties_even() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(near: usize, mid: usize, far: usize) -> Counts {
        Counts { near, mid, far }
    }

    #[test]
    fn plenty_of_rows_get_what_the_ratios_ask_for() {
        assert_eq!(Counts::new(10_000, 10, 0.5, 2.0), counts(10, 5, 20));
        // Python rounds halves to even: round(2.5) = 2.
        assert_eq!(Counts::new(10_000, 5, 0.5, 2.0), counts(5, 2, 10));
    }

    #[test]
    fn few_rows_get_what_python_gives_them() {
        // pacmap 0.9.1: PaCMAP(n_neighbors=10).decide_num_pairs(n), read off its attributes.
        assert_eq!(Counts::new(36, 10, 0.5, 2.0), counts(10, 5, 20));
        assert_eq!(Counts::new(35, 10, 0.5, 2.0), counts(10, 5, 20));
        assert_eq!(Counts::new(20, 10, 0.5, 2.0), counts(5, 2, 11));
        assert_eq!(Counts::new(7, 10, 0.5, 2.0), counts(2, 1, 4));
    }

    #[test]
    fn two_and_three_rows_keep_one_near_and_one_far_partner() {
        assert_eq!(Counts::new(2, 10, 0.5, 2.0), counts(1, 0, 1));
        assert_eq!(Counts::new(3, 10, 0.5, 2.0), counts(1, 0, 1));
        assert_eq!(Counts::new(2, 10, 0.0, 0.0), counts(1, 0, 1));
    }

    #[test]
    fn the_rule_grows_with_the_logarithm_of_the_rows() {
        assert_eq!(neighbors_for(10), 10);
        assert_eq!(neighbors_for(10_000), 10);
        assert_eq!(neighbors_for(100_000), 25);
        assert_eq!(neighbors_for(1_000_000), 40);
    }
}
