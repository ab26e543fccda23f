//! The recall of a number of probes, and the number that reaches a recall.

use rayon::prelude::*;

use super::super::block::Block;
use super::super::cells::strata;
use super::super::exact::{self, LeaveOut};
use super::super::panels::{COLUMNS, Panels};
use super::super::rows::Rows;
use super::{Lists, REACH_PER_PROBE};
use crate::Result;
use crate::reduce::Watch;

/// Queries whose exact neighbours tell the recall.
const SAMPLE: usize = 512;

/// The stream of random numbers that chooses them.
const RECALL_SAMPLE: u64 = 3;

/// What is asked of a number of probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Aim {
    pub(in super::super) recall: f32,
    /// Rows that a query may be compared with.
    pub(in super::super) candidates: f64,
    /// Whether to take what these reach where that is less than the recall, rather than give up.
    pub(in super::super) or_less: bool,
}

/// Neighbours held, and rows compared, by some cells.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    held: u64,
    compared: u64,
}

impl Lists {
    /// Finds out what recall of `k` neighbours the probes give, on a sample of rows whose exact
    /// neighbours are searched.
    ///
    /// With `aim`, the fewest probes are taken that reach its recall; `false` when that would
    /// compare a query with more rows than `aim` allows, and it asks for nothing less.
    pub(in super::super) fn tune(
        &mut self,
        rows: &Rows<'_>,
        panels: &Panels,
        k: usize,
        aim: Option<Aim>,
        seed: u64,
        watch: &Watch<'_>,
    ) -> Result<bool> {
        let sample = strata(rows.count(), SAMPLE, seed, RECALL_SAMPLE);
        let (own, quiet) = (LeaveOut::Itself, &watch.quiet());
        let (nearest, _) = exact::search(rows, panels, rows, &sample, k, own, quiet)?;
        let share = |held: u64| held as f32 / nearest.len().max(1) as f32;
        let Some(aim) = aim else {
            let curve = self.curve(rows, &sample, &nearest, k);
            self.recall = curve
                .get(self.probes - 1)
                .map_or(1.0, |step| share(step.held));
            return Ok(true);
        };
        let count = self.centres.count();
        self.set_reach(COLUMNS, watch)?;
        loop {
            let whole = self.reach >= count;
            let most = if whole {
                count
            } else {
                self.reach / REACH_PER_PROBE
            };
            let curve = self.curve(rows, &sample, &nearest, k);
            let reached = curve
                .iter()
                .take(most)
                .position(|step| share(step.held) >= aim.recall);
            let step = curve
                .get(reached.unwrap_or(most - 1))
                .copied()
                .unwrap_or_default();
            let bound = aim.candidates * sample.len() as f64;
            if step.compared as f64 > bound {
                if !aim.or_less {
                    return Ok(false);
                }
                let within = curve.partition_point(|step| step.compared as f64 <= bound);
                let within = within.max(1);
                self.probes = within;
                self.recall = curve.get(within - 1).map_or(0.0, |step| share(step.held));
                return Ok(true);
            }
            if reached.is_some() || whole {
                self.probes = reached.unwrap_or(most - 1) + 1;
                self.recall = share(step.held);
                return Ok(true);
            }
            self.set_reach(2 * self.reach, watch)?;
        }
    }

    /// What the sample finds in its nearest 1, 2, ... cells.
    fn curve(&self, rows: &Rows<'_>, sample: &[u32], nearest: &[u32], k: usize) -> Vec<Step> {
        let of_query = |block: &mut Block, (place, &row): (usize, &u32)| {
            let held_in = |cell| {
                let nearest = nearest.get(place * k..(place + 1) * k).unwrap_or_default();
                let cells = nearest
                    .iter()
                    .filter_map(|&row| self.cells.get(row as usize));
                cells.filter(|&&held| held == cell).count() as u64
            };
            let around = self.around(
                self.cells
                    .get(row as usize)
                    .map_or(0, |&cell| cell as usize),
            );
            block.load(rows, &[row]);
            block.look_for_best(self.reach);
            block.scan(self.pack_centres(around).groups());
            let mut keys = block.keys(0).to_vec();
            keys.sort_unstable();
            let cells = keys.iter().map(|&key| key as u32);
            cells
                .map(|cell| Step {
                    held: held_in(cell),
                    compared: self.members.of_cell(cell).len() as u64,
                })
                .collect::<Vec<Step>>()
        };
        let steps: Vec<Vec<Step>> = sample
            .par_iter()
            .enumerate()
            .map_init(Block::default, of_query)
            .collect();
        let mut curve = vec![Step::default(); self.reach];
        for steps in steps {
            let mut sum = Step::default();
            for (total, step) in curve.iter_mut().zip(steps) {
                sum.held += step.held;
                sum.compared += step.compared;
                total.held += sum.held;
                total.compared += sum.compared;
            }
        }
        curve
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Metric;
    use super::super::super::tests::clouds;
    use super::*;

    /// One cloud of 20 dimensions, of which no cell holds the neighbours of its rows.
    fn tuned(or_less: bool) -> (bool, Lists) {
        let x = clouds(3_000, 20, 1, 3);
        let rows = Rows::of(x.view(), Metric::Euclidean, "rows").unwrap();
        let watch = Watch::default();
        let mut lists = Lists::learn(&rows, 50, 7, &watch).unwrap();
        let panels = lists.pack(&rows);
        let aim = Aim {
            recall: 0.99,
            candidates: 600.0,
            or_less,
        };
        let found = lists.tune(&rows, &panels, 10, Some(aim), 7, &watch);
        (found.unwrap(), lists)
    }

    #[test]
    fn a_recall_out_of_reach_gives_up_or_is_taken_as_far_as_it_goes() {
        assert!(!tuned(false).0);
        let (found, lists) = tuned(true);
        assert!(found && lists.recall() > 0.3 && lists.recall() < 0.99);
        // 50 cells of 60 rows: a fifth of them or so, sizes differing.
        assert!((4..=14).contains(&lists.probes()), "{}", lists.probes());
    }
}
