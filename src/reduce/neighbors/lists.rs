//! Inverted lists: a query is compared with the rows of the cells nearest to it.

mod recall;

use rayon::prelude::*;

pub(super) use self::recall::Aim;
use super::block::{Block, Outcome, QUERIES};
use super::cells::{Centres, Members};
use super::direct::Direct;
use super::exact::{self, Found, LeaveOut, STAGE};
use super::panels::{COLUMNS, Panels};
use super::rows::Rows;
use crate::Result;
use crate::reduce::Watch;

/// Cells looked at for every cell looked into.
const REACH_PER_PROBE: usize = 4;

/// Rows in cells, and how many cells a query looks into.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    centres: Centres,
    cells: Vec<u32>,
    members: Members,
    /// Cells around every cell, nearest first, itself included: `[cells][reach]`.
    around: Vec<u32>,
    reach: usize,
    probes: usize,
    recall: f32,
}

/// Queries of one cell and where their neighbours go.
struct Job<'a> {
    cell: usize,
    members: &'a [u32],
    indices: &'a mut [u32],
    distances: &'a mut [f32],
}

/// Working memory of one thread.
#[derive(Default)]
struct Scratch {
    block: Block,
    /// For every cell around the queries' own, the places of those that look into it.
    served: Vec<Vec<u32>>,
    direct: Direct,
}

impl Lists {
    /// Sorts the rows into `count` cells.
    pub(super) fn learn(
        rows: &Rows<'_>,
        count: usize,
        seed: u64,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let centres = Centres::learn(rows, count, seed, watch)?;
        let everyone: Vec<u32> = (0..rows.count() as u32).collect();
        let cells = centres.assign(rows, &everyone, watch)?;
        let members = Members::of(&cells, centres.count());
        Ok(Self {
            centres,
            cells,
            members,
            around: Vec::new(),
            reach: 0,
            probes: 0,
            recall: 0.0,
        })
    }

    /// The number of cells.
    pub(super) fn count(&self) -> usize {
        self.centres.count()
    }

    pub(super) fn recall(&self) -> f32 {
        self.recall
    }

    pub(super) fn probes(&self) -> usize {
        self.probes
    }

    /// All rows, cell by cell.
    pub(super) fn by_cell(&self) -> &[u32] {
        &self.members.order
    }

    /// The rows in panels, one group per cell.
    pub(super) fn pack(&self, rows: &Rows<'_>) -> Panels {
        Panels::of_groups(rows, &self.members.order, &self.members.bounds)
    }

    /// Sets the number of cells that a query looks into.
    pub(super) fn set_probes(&mut self, probes: usize, watch: &Watch<'_>) -> Result<()> {
        self.probes = probes.clamp(1, self.centres.count().max(1));
        self.set_reach(self.probes.saturating_mul(REACH_PER_PROBE), watch)
    }

    /// Sets how many cells around every cell are looked at when the nearest are chosen.
    fn set_reach(&mut self, reach: usize, watch: &Watch<'_>) -> Result<()> {
        let count = self.centres.count();
        self.reach = reach.next_multiple_of(COLUMNS).min(count);
        let everyone: Vec<u32> = (0..count as u32).collect();
        let points = &self.centres.points;
        let panels = &self.centres.panels;
        let (watch, nothing) = (&watch.quiet(), LeaveOut::Nothing);
        (self.around, _) = exact::search(
            points, panels, points, &everyone, self.reach, nothing, watch,
        )?;
        Ok(())
    }

    fn around(&self, cell: usize) -> &[u32] {
        self.around
            .get(cell * self.reach..(cell + 1) * self.reach)
            .unwrap_or_default()
    }

    fn pack_centres(&self, cells: &[u32]) -> Panels {
        Panels::of_groups(&self.centres.points, cells, &[0, cells.len()])
    }

    /// Sorts the queries of a block in `cell` by the cells around it that they look into.
    fn choose(&self, block: &mut Block, queries: usize, cell: usize, served: &mut Vec<Vec<u32>>) {
        let around = self.around(cell);
        served.iter_mut().for_each(Vec::clear);
        served.resize(around.len(), Vec::new());
        block.look_for_best(self.probes);
        block.scan(self.pack_centres(around).groups());
        for place in 0..queries {
            for &key in block.keys(place) {
                let chosen = key as u32;
                if let Some(slot) = around.iter().position(|&cell| cell == chosen) {
                    served[slot].push(place as u32);
                }
            }
        }
    }

    /// The `k` nearest rows of the queries, whose cells are `cells`; without, of the rows themselves.
    pub(super) fn search(
        &self,
        rows: &Rows<'_>,
        panels: &Panels,
        (queries, cells): (&Rows<'_>, Option<&[u32]>),
        k: usize,
        leave_out: LeaveOut,
        watch: &Watch<'_>,
    ) -> Result<Found> {
        let grouped;
        let members = match cells {
            None => &self.members,
            Some(cells) => {
                grouped = Members::of(cells, self.centres.count());
                &grouped
            }
        };
        let count = members.order.len();
        let mut indices = vec![0; count * k];
        let mut distances = vec![0.0; count * k];
        let mut jobs = Vec::new();
        let mut rest = (&mut indices[..], &mut distances[..]);
        for (cell, pair) in members.bounds.windows(2).enumerate() {
            for members in members.order[pair[0]..pair[1]].chunks(QUERIES) {
                let (indices, more_indices) = rest.0.split_at_mut(members.len() * k);
                let (distances, more_distances) = rest.1.split_at_mut(members.len() * k);
                rest = (more_indices, more_distances);
                jobs.push(Job {
                    cell,
                    members,
                    indices,
                    distances,
                });
            }
        }
        let wave = 16 * rayon::current_num_threads();
        let mut done = 0;
        let mut short = Vec::new();
        for jobs in jobs.chunks_mut(wave) {
            let missing: Vec<Vec<u32>> = jobs
                .par_iter_mut()
                .map_init(Scratch::default, |scratch, job| {
                    self.answer(scratch, job, (rows, panels), queries, (k, leave_out))
                })
                .collect();
            short.extend(missing.into_iter().flatten());
            done += jobs.iter().map(|job| job.members.len() as u64).sum::<u64>();
            watch.update(STAGE, done)?;
        }
        restore(&members.order, k, &mut indices, &mut distances);
        let found = exact::search(rows, panels, queries, &short, k, leave_out, &watch.quiet())?;
        for (place, &row) in short.iter().enumerate() {
            let (from, to) = (
                place * k..(place + 1) * k,
                row as usize * k..(row as usize + 1) * k,
            );
            indices[to.clone()].copy_from_slice(&found.0[from.clone()]);
            distances[to].copy_from_slice(&found.1[from]);
        }
        Ok((indices, distances))
    }

    /// Writes the neighbours of the queries of one cell; returns those whose cells hold too few.
    fn answer(
        &self,
        Scratch {
            block,
            served,
            direct,
        }: &mut Scratch,
        job: &mut Job<'_>,
        (rows, panels): (&Rows<'_>, &Panels),
        queries: &Rows<'_>,
        (k, leave_out): (usize, LeaveOut),
    ) -> Vec<u32> {
        let members = job.members;
        block.load(queries, members);
        self.choose(block, members.len(), job.cell, served);
        block.look_for_neighbors(k, members.iter().map(|&row| leave_out.of(row)));
        let around = self.around(job.cell);
        for (&cell, served) in around.iter().zip(served.iter()) {
            if !served.is_empty() {
                block.scan_for(served, panels.group(cell as usize));
            }
        }
        let mut missing = Vec::new();
        let mut doubtful = Vec::new();
        let places = job
            .indices
            .chunks_mut(k.max(1))
            .zip(job.distances.chunks_mut(k.max(1)));
        for ((place, &row), (indices, distances)) in members.iter().enumerate().zip(places) {
            let query = queries.row(row as usize);
            match block.finish(place, query, rows, indices, distances) {
                Outcome::Settled => {}
                Outcome::TooFew => missing.push(row),
                Outcome::Doubtful => doubtful.push((place as u32, row, indices, distances)),
            }
        }
        if doubtful.is_empty() {
            return missing;
        }
        let again = doubtful
            .iter()
            .map(|&(_, row, ..)| (row, leave_out.of(row)));
        direct.start(k, again);
        for (&cell, served) in around.iter().zip(served.iter()) {
            let looks_into = |(place, ..): &(u32, u32, _, _)| served.contains(place);
            let again = (0..).zip(&doubtful).filter(|(_, query)| looks_into(query));
            let again: Vec<u32> = again.map(|(number, _)| number).collect();
            direct.compare_for(&again, queries, rows, self.members.of_cell(cell));
        }
        for (number, (.., indices, distances)) in doubtful.into_iter().enumerate() {
            direct.finish(number, rows, indices, distances);
        }
        missing
    }

    /// The cells of other rows.
    pub(super) fn assign(&self, queries: &Rows<'_>, watch: &Watch<'_>) -> Result<Vec<u32>> {
        let everyone: Vec<u32> = (0..queries.count() as u32).collect();
        self.centres.assign(queries, &everyone, watch)
    }
}

/// Moves every row of results to its place: what stands at `i` belongs to `order[i]`.
fn restore(order: &[u32], k: usize, indices: &mut [u32], distances: &mut [f32]) {
    if k == 0 {
        return;
    }
    let mut order = order.to_vec();
    for start in 0..order.len() {
        // Swapping the row at `start` to its place brings the next of the cycle here.
        while order[start] as usize != start {
            let to = order[start] as usize;
            for (values, other) in split(indices, start, to, k) {
                std::mem::swap(values, other);
            }
            for (values, other) in split(distances, start, to, k) {
                std::mem::swap(values, other);
            }
            order.swap(start, to);
        }
    }
}

/// The values of two different rows, pair by pair.
fn split<T>(
    values: &mut [T],
    a: usize,
    b: usize,
    k: usize,
) -> impl Iterator<Item = (&mut T, &mut T)> {
    let (low, high) = values.split_at_mut(a.max(b) * k);
    let first = a.min(b) * k;
    low[first..first + k].iter_mut().zip(high[..k].iter_mut())
}
