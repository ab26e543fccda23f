//! The fuzzy graph of a matrix: which rows belong together, and how strongly.

use rayon::prelude::*;

use super::memberships::{Scale, mean};

/// Rows whose memberships are found by one task.
const CHUNK: usize = 256;

/// A symmetric weighted graph without loops; the neighbours of a row stand in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Graph {
    /// Where the edges of each row begin, and where the last ones end.
    pub(super) starts: Vec<usize>,
    pub(super) ends: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

impl Graph {
    /// The union of what each row says about its `k` neighbours (McInnes, Healy, Melville 2018,
    /// algorithms 1 and 2), mixed with their intersection by `mix` (1: union alone).
    ///
    /// `indices` and `distances` are `[rows, k]`, nearest first, without the rows themselves.
    pub(super) fn of(
        (indices, distances): (&[u32], &[f32]),
        k: usize,
        connectivity: f32,
        mix: f32,
    ) -> Self {
        let directed = memberships(distances, k, connectivity);
        let rows = indices.len().checked_div(k).unwrap_or(0);
        let arriving = transposed(indices, &directed, k, rows);
        let merged: Vec<Vec<(u32, f32)>> = (0..rows)
            .into_par_iter()
            .with_min_len(CHUNK)
            .map(|row| {
                let span = row * k..(row + 1) * k;
                let mut leaving: Vec<(u32, f32)> = indices[span.clone()]
                    .iter()
                    .copied()
                    .zip(directed[span].iter().copied())
                    .collect();
                leaving.sort_unstable_by_key(|edge| edge.0);
                let arriving = &arriving.1[arriving.0[row]..arriving.0[row + 1]];
                union(&leaving, arriving, mix)
            })
            .collect();

        let mut graph = Self {
            starts: Vec::with_capacity(rows + 1),
            ends: Vec::new(),
            weights: Vec::new(),
        };
        graph.starts.push(0);
        for edges in merged {
            graph.ends.extend(edges.iter().map(|edge| edge.0));
            graph.weights.extend(edges.iter().map(|edge| edge.1));
            graph.starts.push(graph.ends.len());
        }
        graph
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The neighbours of a row with their weights.
    pub(super) fn edges(&self, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let span = self.starts[row]..self.starts[row + 1];
        self.ends[span.clone()]
            .iter()
            .copied()
            .zip(self.weights[span].iter().copied())
    }

    /// How many neighbours a row has.
    pub(super) fn degree(&self, row: usize) -> usize {
        self.starts[row + 1] - self.starts[row]
    }

    /// Which of the edges of `row` leads to `end`.
    pub(super) fn position(&self, row: usize, end: u32) -> Option<usize> {
        self.ends[self.starts[row]..self.starts[row + 1]]
            .binary_search(&end)
            .ok()
    }

    pub(super) fn largest_weight(&self) -> f32 {
        self.weights.iter().copied().fold(0.0, f32::max)
    }

    /// The graph without the edges that `epochs` epochs would not sample once.
    pub(super) fn without_rare_edges(self, epochs: usize) -> Self {
        let least = self.largest_weight() / epochs.max(1) as f32;
        let mut kept = Self {
            starts: Vec::with_capacity(self.starts.len()),
            ends: Vec::with_capacity(self.ends.len()),
            weights: Vec::with_capacity(self.weights.len()),
        };
        kept.starts.push(0);
        for row in 0..self.rows() {
            for (end, weight) in self.edges(row).filter(|edge| edge.1 >= least) {
                kept.ends.push(end);
                kept.weights.push(weight);
            }
            kept.starts.push(kept.ends.len());
        }
        kept
    }
}

/// The membership of every neighbour, `[rows, k]`.
fn memberships(distances: &[f32], k: usize, connectivity: f32) -> Vec<f32> {
    let mut memberships = vec![0.0; distances.len()];
    if k == 0 {
        return memberships;
    }
    let rows = (distances.len() / k) as f64;
    let sum: f64 = distances
        .chunks(k)
        .map(|distances| f64::from(mean(distances)))
        .sum();
    let typical = (sum / rows) as f32;
    memberships
        .par_chunks_mut(k * CHUNK)
        .zip(distances.par_chunks(k * CHUNK))
        .for_each(|(memberships, distances)| {
            for (memberships, distances) in memberships.chunks_mut(k).zip(distances.chunks(k)) {
                let scale = Scale::of(distances, distances, k + 1, connectivity, typical);
                for (membership, &distance) in memberships.iter_mut().zip(distances) {
                    *membership = scale.membership(distance);
                }
            }
        });
    memberships
}

/// For every row the rows that name it a neighbour, ascending, with their memberships.
fn transposed(
    indices: &[u32],
    memberships: &[f32],
    k: usize,
    rows: usize,
) -> (Vec<usize>, Vec<(u32, f32)>) {
    let mut starts = vec![0; rows + 1];
    for &end in indices {
        starts[end as usize + 1] += 1;
    }
    for row in 0..rows {
        starts[row + 1] += starts[row];
    }
    let mut next = starts.clone();
    let mut edges = vec![(0, 0.0); indices.len()];
    for (place, (&end, &membership)) in indices.iter().zip(memberships).enumerate() {
        let slot = &mut next[end as usize];
        edges[*slot] = ((place / k) as u32, membership);
        *slot += 1;
    }
    (starts, edges)
}

/// Both directions of the edges of one row in one weight each.
fn union(leaving: &[(u32, f32)], arriving: &[(u32, f32)], mix: f32) -> Vec<(u32, f32)> {
    let mut edges = Vec::with_capacity(leaving.len() + arriving.len());
    let (mut out, mut back) = (leaving.iter().peekable(), arriving.iter().peekable());
    loop {
        let end = match (out.peek(), back.peek()) {
            (Some(a), Some(b)) => a.0.min(b.0),
            (Some(a), None) => a.0,
            (None, Some(b)) => b.0,
            (None, None) => return edges,
        };
        let there = out.next_if(|edge| edge.0 == end).map_or(0.0, |edge| edge.1);
        let here = back
            .next_if(|edge| edge.0 == end)
            .map_or(0.0, |edge| edge.1);
        let both = there * here;
        let weight = mix * (there + here - both) + (1.0 - mix) * both;
        if weight > 0.0 {
            edges.push((end, weight));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // x = [[0,0],[1,0],[0,1.5],[2,2],[5,5],[5,6.5],[6,5],[9,.5]], D its distances,
    // I = argsort(D, 1, kind='stable')[:, :4]; with umap-learn 0.5.12:
    // fuzzy_simplicial_set(x, 4, RandomState(0), 'euclidean', knn_indices=I,
    //     knn_dists=take_along_axis(D, I, 1), local_connectivity=c, set_op_mix_ratio=m)
    const X: [[f32; 2]; 8] = [
        [0.0, 0.0],
        [1.0, 0.0],
        [0.0, 1.5],
        [2.0, 2.0],
        [5.0, 5.0],
        [5.0, 6.5],
        [6.0, 5.0],
        [9.0, 0.5],
    ];

    fn neighbours() -> (Vec<u32>, Vec<f32>) {
        let (mut indices, mut distances) = (Vec::new(), Vec::new());
        for (row, x) in X.iter().enumerate() {
            let mut others: Vec<(f32, u32)> = (0..8)
                .filter(|&other| other != row)
                .map(|other| ((x[0] - X[other][0]).hypot(x[1] - X[other][1]), other as u32))
                .collect();
            others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            indices.extend(others[..3].iter().map(|other| other.1));
            distances.extend(others[..3].iter().map(|other| other.0));
        }
        (indices, distances)
    }

    fn assert_weights(graph: &Graph, expected: &[(u32, u32, f32)]) {
        for &(row, end, weight) in expected {
            for (row, end) in [(row, end), (end, row)] {
                let found = graph.edges(row as usize).find(|edge| edge.0 == end);
                let found = found.map_or(0.0, |edge| edge.1);
                assert!((found - weight).abs() < 2e-5, "{row}-{end}: {found}");
            }
        }
        assert_eq!(graph.ends.len(), 2 * expected.len());
    }

    #[test]
    fn scales_are_those_of_umap_learn() {
        let (_, distances) = neighbours();
        let bandwidths = [
            1.470_123, 1.447_418, 0.603_622, 0.573_273, 2.093_384, 1.994_141,
        ];
        let nearest = [1.0, 1.0, 1.5, 2.061_553, 1.0, 1.5];
        for (row, distances) in distances.chunks(3).take(6).enumerate() {
            let scale = Scale::of(distances, distances, 4, 1.0, 1.0);
            assert!(
                (scale.bandwidth / bandwidths[row] - 1.0).abs() < 1e-4,
                "{scale:?}"
            );
            assert!((scale.nearest - nearest[row]).abs() < 1e-5, "{scale:?}");
        }
    }

    #[test]
    fn weights_are_those_of_umap_learn() {
        let (indices, distances) = neighbours();
        let graph = Graph::of((&indices, &distances), 3, 1.0, 1.0);
        assert_weights(
            &graph,
            &[
                (0, 1, 1.0),
                (0, 2, 1.0),
                (0, 3, 0.475_089),
                (1, 2, 0.832_083),
                (1, 3, 0.849_28),
                (2, 3, 1.0),
                (3, 4, 0.212_461),
                (3, 5, 0.140_872),
                (3, 6, 0.245_583),
                (3, 7, 0.325_072),
                (4, 5, 1.0),
                (4, 6, 1.0),
                (4, 7, 0.674_929),
                (5, 6, 0.965_406),
                (6, 7, 1.0),
            ],
        );
    }

    #[test]
    fn connectivity_and_mixing_are_those_of_umap_learn() {
        let (indices, distances) = neighbours();
        let graph = Graph::of((&indices, &distances), 3, 1.5, 0.25);
        assert_weights(
            &graph,
            &[
                (0, 1, 1.0),
                (0, 2, 0.838_234),
                (0, 3, 0.122_384),
                (1, 2, 0.530_905),
                (1, 3, 0.447_928),
                (2, 3, 0.500_003),
                (3, 4, 0.036_918),
                (3, 5, 0.022_94),
                (3, 6, 0.044_027),
                (3, 7, 0.063_216),
                (4, 5, 0.889_243),
                (4, 6, 1.0),
                (4, 7, 0.186_783),
                (5, 6, 0.807_183),
                (6, 7, 0.25),
            ],
        );
    }

    #[test]
    fn edges_that_no_epoch_would_sample_are_left_out() {
        let (indices, distances) = neighbours();
        let graph = Graph::of((&indices, &distances), 3, 1.0, 1.0).without_rare_edges(4);
        assert!(graph.weights.iter().all(|&weight| weight >= 0.25));
        assert_eq!(graph.ends.len(), 24);
    }
}
