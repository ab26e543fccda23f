//! Placing new rows among fitted ones.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::kernel::Forces;
use super::memberships::Scale;
use super::model::Fixed;
use super::power::{LANES, Lanes};
use crate::Result;
use crate::reduce::random::Random;
use crate::reduce::{Neighbors, Watch, matrix};

const STREAM: u64 = 0x554D_0006;

/// What is interrupted.
const DURING: &str = "placing rows";

/// What all new rows share.
pub(super) struct Placing<'a> {
    pub(super) fitted: ArrayView2<'a, f32>,
    pub(super) settings: &'a Fixed,
    pub(super) forces: Forces,
}

/// One new row.
struct Row {
    /// Fitted rows that pull it, with the samples per epoch of each.
    pulls: Vec<(u32, f32)>,
    start: Vec<f32>,
    random: Random,
}

/// The places of the rows of `x`, each on its own.
pub(super) fn place(
    placing: &Placing<'_>,
    x: ArrayView2<'_, f32>,
    neighbors: &Neighbors,
    watch: &Watch<'_>,
) -> Result<Array2<f32>> {
    let dims = placing.fitted.ncols();
    let mut placed = matrix::zeros(x.nrows(), dims, "coordinates")?;
    let Some(values) = placed.as_slice_mut() else {
        return Ok(placed);
    };
    values
        .par_chunks_mut(dims * LANES)
        .enumerate()
        .try_for_each(|(group, places)| {
            watch.check(DURING)?;
            let first = group * LANES;
            let end = (first + LANES).min(x.nrows());
            let rows = (first..end)
                .map(|row| placing.row(x.row(row), neighbors, row))
                .collect();
            pulp::Arch::new().dispatch(Settle {
                placing,
                rows,
                places,
                watch,
            })
        })?;
    Ok(placed)
}

impl Placing<'_> {
    fn row(&self, x: ArrayView1<'_, f32>, neighbors: &Neighbors, row: usize) -> Row {
        let settings = self.settings;
        let others = neighbors.indices(row).unwrap_or_default();
        let distances = neighbors.distances(row).unwrap_or_default();
        let connectivity = (settings.connectivity as f32 - 1.0).max(0.0);
        let sum: f64 = distances.iter().map(|&distance| f64::from(distance)).sum();
        let typical = (sum / distances.len().max(1) as f64) as f32;
        let counted = distances.get(1..).unwrap_or_default();
        let scale = Scale::of(distances, counted, distances.len(), connectivity, typical);
        let members: Vec<(u32, f32)> = others
            .iter()
            .zip(distances)
            .map(|(&other, &distance)| (other, scale.membership(distance)))
            .collect();
        let largest = members
            .iter()
            .fold(0.0, |most: f32, member| most.max(member.1));
        let least = largest / settings.epochs.max(1) as f32;
        Row {
            start: self.start(&members),
            pulls: members
                .into_iter()
                .filter(|member| member.1 >= least && member.1 > 0.0)
                .map(|(other, weight)| (other, weight / largest))
                .collect(),
            random: Random::at(settings.seed, STREAM, hash(x)),
        }
    }

    /// The mean of the fitted rows weighted by membership; a full member's own place.
    fn start(&self, members: &[(u32, f32)]) -> Vec<f32> {
        if let Some(same) = members.iter().find(|member| member.1 >= 1.0) {
            return self.fitted.row(same.0 as usize).to_vec();
        }
        let total: f32 = members.iter().map(|member| member.1).sum();
        let mut mean = vec![0.0; self.fitted.ncols()];
        for &(other, weight) in members {
            for (mean, &value) in mean.iter_mut().zip(self.fitted.row(other as usize)) {
                *mean += weight / total.max(f32::MIN_POSITIVE) * value;
            }
        }
        mean
    }
}

/// A number made of the values of a row, equal for equal rows.
fn hash(x: ArrayView1<'_, f32>) -> u64 {
    x.iter().fold(0, |hash, &value| {
        let bits = u64::from((value + 0.0).to_bits()); // -0 as 0
        Random::at(hash, STREAM, bits).next()
    })
}

/// Up to `LANES` new rows that move side by side, compiled for the machine's instruction set.
struct Settle<'a, 'p> {
    placing: &'a Placing<'p>,
    rows: Vec<Row>,
    /// `[rows][dims]`.
    places: &'a mut [f32],
    watch: &'a Watch<'a>,
}

impl pulp::WithSimd for Settle<'_, '_> {
    type Output = Result<()>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Result<()> {
        let Self {
            placing,
            mut rows,
            places,
            watch,
        } = self;
        let (fitted, settings) = (placing.fitted, placing.settings);
        let dims = fitted.ncols();
        let count = fitted.nrows() as u32;
        let mut own: Vec<Lanes> = vec![[0.0; LANES]; dims];
        for (lane, row) in rows.iter().enumerate() {
            for (own, &start) in own.iter_mut().zip(&row.start) {
                own[lane] = start;
            }
        }
        let mut others = own.clone();
        let mut moves = own.clone();
        let mut samples: [Vec<u32>; LANES] = Default::default();
        for epoch in 1..settings.epochs {
            // A model may ask for hundreds of thousands of them.
            watch.check(DURING)?;
            let done = (epoch - 1) as f32 / settings.epochs as f32;
            let rate = settings.learning_rate as f32 / 4.0 * (1.0 - done);
            let mut steps = 0;
            for (samples, row) in samples.iter_mut().zip(&rows) {
                samples.clear();
                let due =
                    |rate: f32| (epoch as f32 * rate).floor() > ((epoch - 1) as f32 * rate).floor();
                samples.extend(
                    row.pulls
                        .iter()
                        .filter(|pull| due(pull.1))
                        .map(|pull| pull.0),
                );
                steps = steps.max(samples.len());
            }
            for step in 0..steps {
                let mut share = [0.0; LANES];
                for (lane, samples) in samples.iter().enumerate() {
                    if let Some(&other) = samples.get(step) {
                        share[lane] = 1.0;
                        for (others, &value) in others.iter_mut().zip(fitted.row(other as usize)) {
                            others[lane] = value;
                        }
                    }
                }
                placing
                    .forces
                    .pull(&mut own, &others, &share, rate, &mut moves);
                moves.fill([0.0; LANES]);
                for _ in 0..settings.negatives {
                    for (lane, row) in rows.iter_mut().enumerate() {
                        if share[lane] > 0.0 {
                            let other = row.random.below(count) as usize;
                            for (others, &value) in others.iter_mut().zip(fitted.row(other)) {
                                others[lane] = value;
                            }
                        }
                    }
                    placing.forces.push(&own, &others, &share, &mut moves);
                }
                for (own, moves) in own.iter_mut().zip(&moves) {
                    for lane in 0..LANES {
                        own[lane] = rate.mul_add(moves[lane], own[lane]);
                    }
                }
            }
        }
        for (lane, place) in places.chunks_mut(dims).enumerate() {
            for (place, own) in place.iter_mut().zip(&own) {
                *place = own[lane];
            }
        }
        Ok(())
    }
}
