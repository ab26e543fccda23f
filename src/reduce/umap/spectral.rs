//! The eigenvectors of a graph that arrange its rows.

use faer::Mat;
use rayon::prelude::*;

use super::graph::Graph;
use crate::Result;
use crate::reduce::random::Random;
use crate::reduce::{Watch, eigen};

/// Columns that a row's values are worked on in.
const LANES: usize = 8;

/// Rows of one task; also the order of sums.
const CHUNK: usize = 1024;

/// Degree of the polynomial between two orthonormalisations.
const DEGREE: usize = 24;

/// Rounds at most.
const ROUNDS: usize = 60;

/// The residual of an eigenvector of unit length that is small enough.
const TOLERANCE: f64 = 2e-5;

const STREAM: u64 = 0x554D_0005;

/// `[rows, dims]`: the eigenvectors of the normalised Laplacian with the smallest eigenvalues but the
/// trivial one; `None` when they were not found, which happens where eigenvalues all but coincide.
///
/// Subspace iteration filtered by Chebyshev polynomials (Zhou, Saad, Tiago, Chelikowsky 2006).
pub(super) fn layout(
    graph: &Graph,
    dims: usize,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Option<Vec<f32>>> {
    let rows = graph.rows();
    let columns = (dims + 5).next_multiple_of(LANES);
    if rows < 2 * columns {
        return Ok(None);
    }
    let operator = Operator::new(graph);
    let mut random = Random::at(seed, STREAM, 0);
    let mut block: Vec<f32> = (0..rows * columns).map(|_| random.normal()).collect();
    let mut lower = 0.0;
    for _ in 0..ROUNDS {
        watch.check("the spectral start of UMAP")?;
        block = operator.filtered(block, columns, lower);
        let Some(orthonormal) = orthonormal(&block, columns) else {
            return Ok(None);
        };
        block = orthonormal;
        let mut image = vec![0.0; block.len()];
        operator.apply(&block, &mut image, columns, |sum, _, _| sum);
        let Some(pairs) = eigen::largest(&products(&block, &image, columns), columns) else {
            return Ok(None);
        };
        let turn = Mat::from_fn(columns, columns, |i, j| pairs[j].1[i]);
        block = turned(&block, &turn, columns);
        image = turned(&image, &turn, columns);
        lower = pairs.last().map_or(0.0, |pair| pair.0).clamp(-0.9, 0.9999);
        let residual = (1..=dims)
            .map(|column| residual(&block, &image, columns, column, pairs[column].0))
            .fold(0.0, f64::max);
        if residual < TOLERANCE {
            let wanted = block.chunks(columns).flat_map(|row| &row[1..=dims]);
            return Ok(Some(wanted.copied().collect()));
        }
    }
    Ok(None)
}

/// The normalised adjacency matrix `D^-1/2 W D^-1/2`: 1 minus its eigenvalues are the Laplacian's.
struct Operator<'a> {
    graph: &'a Graph,
    weights: Vec<f32>,
}

impl<'a> Operator<'a> {
    fn new(graph: &'a Graph) -> Self {
        let scale: Vec<f32> = (0..graph.rows())
            .map(|row| {
                let degree: f32 = graph.edges(row).map(|edge| edge.1).sum();
                if degree > 0.0 {
                    degree.sqrt().recip()
                } else {
                    0.0
                }
            })
            .collect();
        let weights = (0..graph.rows())
            .flat_map(|row| {
                let own = scale[row];
                let scale = &scale;
                graph
                    .edges(row)
                    .map(move |(end, weight)| weight * own * scale[end as usize])
            })
            .collect();
        Self { graph, weights }
    }

    /// Sets `out` to `combine(sum, in, out)` where `sum` is the product with `x`.
    fn apply(
        &self,
        x: &[f32],
        out: &mut [f32],
        columns: usize,
        combine: impl Fn(f32, f32, f32) -> f32 + Sync,
    ) {
        out.par_chunks_mut(columns * CHUNK)
            .enumerate()
            .for_each(|(chunk, out)| {
                for (index, out) in out.chunks_mut(columns).enumerate() {
                    let row = chunk * CHUNK + index;
                    let span = self.graph.starts[row]..self.graph.starts[row + 1];
                    for (lanes, out) in out.chunks_mut(LANES).enumerate() {
                        let at = |row: usize| &x[row * columns + lanes * LANES..][..LANES];
                        let mut sum = [0.0_f32; LANES];
                        let ends = &self.graph.ends[span.clone()];
                        for (&end, &weight) in ends.iter().zip(&self.weights[span.clone()]) {
                            for (sum, &value) in sum.iter_mut().zip(at(end as usize)) {
                                *sum += weight * value;
                            }
                        }
                        for ((out, sum), &own) in out.iter_mut().zip(sum).zip(at(row)) {
                            *out = combine(sum, own, *out);
                        }
                    }
                }
            });
    }

    /// A Chebyshev polynomial of the matrix times `x`: small on eigenvalues from -1 to `lower`.
    fn filtered(&self, x: Vec<f32>, columns: usize, lower: f64) -> Vec<f32> {
        let centre = ((lower - 1.0) / 2.0) as f32;
        let half = ((lower + 1.0) / 2.0) as f32;
        let mut before = x;
        let mut now = vec![0.0; before.len()];
        self.apply(&before, &mut now, columns, |sum, own, _| {
            (sum - centre * own) / half
        });
        for _ in 1..DEGREE {
            self.apply(&now, &mut before, columns, |sum, own, before| {
                2.0 * (sum - centre * own) / half - before
            });
            std::mem::swap(&mut now, &mut before);
        }
        now
    }
}

/// `a' b`, summed chunk by chunk.
fn products(a: &[f32], b: &[f32], columns: usize) -> Mat<f64> {
    let size = columns * CHUNK;
    let partial: Vec<Vec<f64>> = a
        .par_chunks(size)
        .zip(b.par_chunks(size))
        .map(|(a, b)| {
            let mut sums = vec![0.0; columns * columns];
            for (a, b) in a.chunks(columns).zip(b.chunks(columns)) {
                for (sums, &a) in sums.chunks_mut(columns).zip(a) {
                    for (sum, &b) in sums.iter_mut().zip(b) {
                        *sum += f64::from(a) * f64::from(b);
                    }
                }
            }
            sums
        })
        .collect();
    Mat::from_fn(columns, columns, |i, j| {
        partial.iter().map(|sums| sums[i * columns + j]).sum()
    })
}

/// Columns that span the same space, at right angles and of unit length.
fn orthonormal(block: &[f32], columns: usize) -> Option<Vec<f32>> {
    // Columns first to one length, so that none drowns.
    let sizes = products(block, block, columns);
    let scale: Vec<f64> = (0..columns).map(|i| sizes[(i, i)].sqrt().recip()).collect();
    if !scale.iter().all(|scale| scale.is_finite()) {
        return None;
    }
    let scaled = Mat::from_fn(columns, columns, |i, j| sizes[(i, j)] * scale[i] * scale[j]);
    let pairs = eigen::largest(&scaled, columns)?;
    let turn = Mat::from_fn(columns, columns, |i, j| {
        scale[i] * pairs[j].1[i] / pairs[j].0.max(1e-12).sqrt()
    });
    Some(turned(block, &turn, columns))
}

fn turned(block: &[f32], turn: &Mat<f64>, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; block.len()];
    out.par_chunks_mut(columns * CHUNK)
        .zip(block.par_chunks(columns * CHUNK))
        .for_each(|(out, block)| {
            for (out, row) in out.chunks_mut(columns).zip(block.chunks(columns)) {
                for (column, out) in out.iter_mut().enumerate() {
                    let turn = turn.col_as_slice(column);
                    let sum: f64 = row
                        .iter()
                        .zip(turn)
                        .map(|(&x, turn)| f64::from(x) * turn)
                        .sum();
                    *out = sum as f32;
                }
            }
        });
    out
}

fn residual(block: &[f32], image: &[f32], columns: usize, column: usize, value: f64) -> f64 {
    let squares: f64 = block
        .chunks(columns)
        .zip(image.chunks(columns))
        .map(|(x, image)| (f64::from(image[column]) - value * f64::from(x[column])).powi(2))
        .sum();
    squares.sqrt()
}

/// Connected parts of the graph.
pub(super) fn components(graph: &Graph) -> usize {
    let mut seen = vec![false; graph.rows()];
    let mut count = 0;
    let mut open = Vec::new();
    for row in 0..graph.rows() {
        if seen[row] {
            continue;
        }
        count += 1;
        seen[row] = true;
        open.push(row);
        while let Some(row) = open.pop() {
            for (end, _) in graph.edges(row) {
                if !std::mem::replace(&mut seen[end as usize], true) {
                    open.push(end as usize);
                }
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A circle of `rows` rows, each tied to the next with weight 1; `links` per side.
    fn circle(rows: usize) -> Graph {
        let mut graph = Graph {
            starts: vec![0],
            ends: Vec::new(),
            weights: Vec::new(),
        };
        for row in 0..rows {
            let mut ends = [(row + rows - 1) % rows, (row + 1) % rows];
            ends.sort_unstable();
            graph.ends.extend(ends.map(|end| end as u32));
            graph.weights.extend([1.0; 2]);
            graph.starts.push(graph.ends.len());
        }
        graph
    }

    #[test]
    fn a_circle_is_laid_out_as_a_circle() {
        // Its eigenvectors are cos and sin of the angle: all rows lie at sqrt(2 / rows).
        let rows = 60;
        let layout = layout(&circle(rows), 2, 1, &Watch::default())
            .unwrap()
            .unwrap();
        let radius = (2.0 / rows as f32).sqrt();
        for place in layout.chunks(2) {
            assert!(
                (place[0].hypot(place[1]) / radius - 1.0).abs() < 1e-3,
                "{place:?}"
            );
        }
    }

    #[test]
    fn parts_that_do_not_touch_are_counted() {
        assert_eq!(components(&circle(10)), 1);
        let mut two = circle(10);
        let other = circle(7);
        let shift = two.ends.len();
        two.ends.extend(other.ends.iter().map(|end| end + 10));
        two.weights.extend(other.weights);
        two.starts
            .extend(other.starts[1..].iter().map(|start| start + shift));
        assert_eq!(components(&two), 2);
    }
}
