//! Cells: every row belongs to the nearest of some centres, found by k-means on a sample.

use rayon::prelude::*;

use super::block::{Block, QUERIES};
use super::panels::Panels;
use super::rows::Rows;
use crate::Result;
use crate::reduce::Watch;
use crate::reduce::random::Random;

/// Rounds of k-means: cells need to be compact, not optimal.
const ROUNDS: usize = 5;

/// Rows of the sample for each cell.
const SAMPLE_PER_CELL: usize = 24;

/// Streams of random numbers under the seed of a search.
const SAMPLE: u64 = 1;
const FIRST_CENTRES: u64 = 2;

/// Centres from which on a row looks for its own in groups of centres near each other.
const MANY: usize = 512;

/// Groups that a row looks into.
const GROUPS: usize = 6;

/// The centres of cells, in the centred frame of the rows.
#[derive(Clone, Debug)]
pub(super) struct Centres {
    pub(super) points: Rows<'static>,
    pub(super) panels: Panels,
    /// Centres of groups of centres, where there are many.
    groups: Option<Panels>,
}

impl Centres {
    /// Takes centres as they are, one group.
    fn few(points: Vec<f32>, width: usize) -> Self {
        let points = Rows::of_points(points, width);
        Self {
            panels: Panels::of_all(&points),
            points,
            groups: None,
        }
    }

    /// Takes centres; where there are many, sorts them so that those near each other follow each
    /// other, in groups.
    fn of(points: Vec<f32>, width: usize, seed: u64, watch: &Watch<'_>) -> Result<Self> {
        let ungrouped = Rows::of_points(points, width);
        let count = ungrouped.count();
        if count < MANY {
            return Ok(Self::few(ungrouped.into_values(), width));
        }
        let groups = Self::learn(&ungrouped, count.isqrt(), seed, watch)?;
        let everyone: Vec<u32> = (0..count as u32).collect();
        let members = Members::of(
            &groups.assign(&ungrouped, &everyone, watch)?,
            groups.count(),
        );
        let sorted = members.order.iter();
        let sorted: Vec<f32> = sorted
            .flat_map(|&point| ungrouped.row(point as usize))
            .copied()
            .collect();
        let points = Rows::of_points(sorted, width);
        Ok(Self {
            panels: Panels::of_groups(&points, &everyone, &members.bounds),
            points,
            groups: Some(groups.panels),
        })
    }

    /// `count` centres by k-means (Lloyd 1982) on a sample of the rows; at most one per row.
    pub(super) fn learn(
        rows: &Rows<'_>,
        count: usize,
        seed: u64,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let width = rows.width();
        let sample = strata(
            rows.count(),
            count.saturating_mul(SAMPLE_PER_CELL),
            seed,
            SAMPLE,
        );
        let first = strata(sample.len(), count, seed, FIRST_CENTRES);
        let mut points = vec![0.0; first.len() * width];
        for (&place, point) in first.iter().zip(points.chunks_exact_mut(width.max(1))) {
            let row = sample.get(place as usize).copied().unwrap_or(0);
            rows.centred(row as usize, point);
        }
        let mut centred = vec![0.0; width];
        for _ in 0..ROUNDS {
            watch.check(super::exact::STAGE)?;
            let centres = Self::of(points, width, seed, watch)?;
            let cells = centres.assign(rows, &sample, watch)?;
            let mut sums = vec![0.0_f32; centres.count() * width];
            let mut sizes = vec![0_u32; first.len()];
            for (&row, &cell) in sample.iter().zip(&cells) {
                rows.centred(row as usize, &mut centred);
                let start = cell as usize * width;
                for (sum, value) in sums[start..start + width].iter_mut().zip(&centred) {
                    *sum += value;
                }
                sizes[cell as usize] += 1;
            }
            points = centres.points.into_values();
            let means = points.chunks_exact_mut(width.max(1));
            for ((point, sums), &size) in means.zip(sums.chunks_exact(width.max(1))).zip(&sizes) {
                if size > 0 {
                    for (value, sum) in point.iter_mut().zip(sums) {
                        *value = sum / size as f32;
                    }
                }
            }
        }
        Self::of(points, width, seed, watch)
    }

    pub(super) fn count(&self) -> usize {
        self.points.count()
    }

    /// The cell of every member of `rows`: that of the nearest centre, or of one nearly so where
    /// there are many.
    pub(super) fn assign(
        &self,
        rows: &Rows<'_>,
        members: &[u32],
        watch: &Watch<'_>,
    ) -> Result<Vec<u32>> {
        let mut cells = vec![0; members.len()];
        members
            .par_chunks(QUERIES)
            .zip(cells.par_chunks_mut(QUERIES))
            .try_for_each_init(
                Default::default,
                |scratch: &mut (Block, _), (members, cells)| {
                    let (block, served) = scratch;
                    watch.check(super::exact::STAGE)?;
                    block.load(rows, members);
                    self.compare(block, members.len(), served);
                    for (place, cell) in cells.iter_mut().enumerate() {
                        *cell = block.keys(place).first().map_or(0, |&key| key as u32);
                    }
                    Ok(())
                },
            )?;
        Ok(cells)
    }
}

impl Centres {
    /// Looks for the nearest centre of every query of a block.
    fn compare(&self, block: &mut Block, queries: usize, served: &mut Vec<Vec<u32>>) {
        let Some(groups) = &self.groups else {
            block.look_for_best(1);
            block.scan(self.panels.groups());
            return;
        };
        block.look_for_best(GROUPS);
        block.scan(groups.groups());
        served.iter_mut().for_each(Vec::clear);
        served.resize(self.panels.count(), Vec::new());
        for place in 0..queries {
            for &key in block.keys(place) {
                if let Some(served) = served.get_mut(key as u32 as usize) {
                    served.push(place as u32);
                }
            }
        }
        block.look_for_best(1);
        for (group, served) in served.iter().enumerate() {
            block.scan_for(served, self.panels.group(group));
        }
    }
}

/// `count` of the numbers below `total` in ascending order, one at random of each of `count` equal
/// ranges; all of them where there are no more.
pub(in crate::reduce) fn strata(total: usize, count: usize, seed: u64, stream: u64) -> Vec<u32> {
    if count >= total {
        return (0..total as u32).collect();
    }
    let edge = |stratum: usize| (stratum as u128 * total as u128 / count as u128) as u32;
    (0..count)
        .map(|stratum| {
            let (start, end) = (edge(stratum), edge(stratum + 1));
            start + Random::at(seed, stream, stratum as u64).below((end - start).max(1))
        })
        .collect()
}

/// Rows in the order of their cells, and where every cell begins.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) order: Vec<u32>,
    pub(super) bounds: Vec<usize>,
}

impl Members {
    /// Sorts rows by cell, then by number.
    pub(super) fn of(cells: &[u32], count: usize) -> Self {
        let mut bounds = vec![0; count + 1];
        for &cell in cells {
            bounds[cell as usize + 1] += 1;
        }
        for cell in 0..count {
            bounds[cell + 1] += bounds[cell];
        }
        let mut next = bounds.clone();
        let mut order = vec![0; cells.len()];
        for (row, &cell) in cells.iter().enumerate() {
            order[next[cell as usize]] = row as u32;
            next[cell as usize] += 1;
        }
        Self { order, bounds }
    }

    /// The rows of a cell.
    pub(super) fn of_cell(&self, cell: u32) -> &[u32] {
        match self.bounds.get(cell as usize..) {
            Some(&[start, end, ..]) => self.order.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}
