//! How strongly every row belongs with its neighbours.

/// How close the memberships of a row must come to their target.
const TOLERANCE: f32 = 1e-5;

/// Halvings and doublings of the bandwidth search at most.
const SEARCH: usize = 64;

/// The least bandwidth as a share of the mean distance.
const LEAST_SCALE: f32 = 1e-3;

/// The scale of one row: distances to its neighbours count from `nearest` on, in units of `bandwidth`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) bandwidth: f32,
    pub(super) nearest: f32,
}

impl Scale {
    /// The scale at which the memberships of `distances` (ascending) sum to log2(`size`)
    /// (McInnes, Healy, Melville 2018, algorithm 3).
    ///
    /// `size` counts what belongs to the neighbourhood, `connectivity` how many neighbours are taken
    /// to be connected outright; a fraction goes part of the way to the next. `typical` is the mean
    /// distance over all rows, which bounds the bandwidth of rows without a nearest distance.
    ///
    /// `counted` are the distances whose memberships are summed: all of a fitted row's, all but the
    /// first of a new row's, whose place umap-learn gives to the row itself.
    pub(super) fn of(
        distances: &[f32],
        counted: &[f32],
        size: usize,
        connectivity: f32,
        typical: f32,
    ) -> Self {
        let nearest = nearest(distances, connectivity);
        let target = (size.max(1) as f32).log2();
        let (mut low, mut high, mut middle) = (0.0_f32, f32::INFINITY, unit(mean(distances)));
        for _ in 0..SEARCH {
            let sum: f32 = counted
                .iter()
                .map(|&distance| strength(distance, nearest, middle))
                .sum();
            if (sum - target).abs() < TOLERANCE {
                break;
            }
            if sum > target {
                high = middle;
                middle = (low + high) / 2.0;
            } else {
                low = middle;
                middle = if high.is_infinite() {
                    (middle * 2.0).min(f32::MAX)
                } else {
                    (low + high) / 2.0
                };
            }
        }
        let mean = if nearest > 0.0 {
            mean(distances)
        } else {
            typical
        };
        Self {
            bandwidth: middle.max(LEAST_SCALE * mean),
            nearest,
        }
    }

    /// The membership of a neighbour at that distance, in 0..=1.
    pub(super) fn membership(&self, distance: f32) -> f32 {
        strength(distance, self.nearest, self.bandwidth)
    }
}

/// Where the search for a bandwidth begins: at 1, as umap-learn's does, unless distances are so large
/// or small that it would end before it comes near them.
fn unit(mean: f32) -> f32 {
    if (1e-9..1e9).contains(&mean) || mean == 0.0 || !mean.is_finite() {
        1.0
    } else {
        mean.log2().floor().exp2()
    }
}

fn strength(distance: f32, nearest: f32, bandwidth: f32) -> f32 {
    let beyond = distance - nearest;
    if beyond > 0.0 && bandwidth > 0.0 {
        (-beyond / bandwidth).exp()
    } else {
        1.0
    }
}

/// The distance up to which neighbours are connected outright.
fn nearest(distances: &[f32], connectivity: f32) -> f32 {
    let apart = &distances[distances.partition_point(|&distance| distance <= 0.0)..];
    let whole = connectivity.floor();
    let fraction = connectivity - whole;
    let at = |index: usize| apart.get(index).copied();
    let Some(farthest) = apart.last().copied() else {
        return 0.0;
    };
    if (apart.len() as f32) < connectivity {
        return farthest;
    }
    let index = whole as usize;
    let Some(below) = index.checked_sub(1).and_then(at) else {
        return fraction * at(0).unwrap_or(0.0);
    };
    match at(index) {
        Some(above) if fraction > TOLERANCE => below + fraction * (above - below),
        _ => below,
    }
}

/// The mean of the distances to the neighbours and, 0, to the row itself: umap-learn counts it.
pub(super) fn mean(distances: &[f32]) -> f32 {
    let sum: f64 = distances.iter().map(|&distance| f64::from(distance)).sum();
    (sum / (distances.len() + 1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_sum_to_the_logarithm_of_the_neighbourhood() {
        let distances: Vec<f32> = (1..15).map(|i| (i as f32).sqrt() * 0.3).collect();
        let scale = Scale::of(&distances, &distances, 15, 1.0, 1.0);
        let sum: f32 = distances.iter().map(|&d| scale.membership(d)).sum();
        assert!((sum - 15_f32.log2()).abs() < 1e-4, "{sum}");
        assert_eq!(scale.nearest, 0.3);
    }

    #[test]
    fn a_fraction_of_connectivity_goes_part_of_the_way_to_the_next_neighbour() {
        assert_eq!(nearest(&[0.0, 1.0, 3.0], 1.5), 2.0);
        assert_eq!(nearest(&[2.0, 3.0], 0.5), 1.0);
        assert_eq!(nearest(&[2.0, 3.0], 7.0), 3.0);
        assert_eq!(nearest(&[0.0, 0.0], 1.0), 0.0);
    }

    #[test]
    fn rows_all_alike_belong_together_fully() {
        let scale = Scale::of(&[0.0; 5], &[0.0; 5], 6, 1.0, 0.0);
        assert_eq!(scale.membership(0.0), 1.0);
    }
}
