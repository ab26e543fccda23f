//! All pairs compared.

use rayon::prelude::*;

use super::block::{Block, Outcome, QUERIES};
use super::direct::Direct;
use super::panels::Panels;
use super::rows::Rows;
use crate::Result;
use crate::reduce::Watch;

/// Blocks between two looks at the flag that stops the search.
const WAVE: usize = 16;

/// What the stage is called.
pub(super) const STAGE: &str = "the neighbour search";

/// Neighbours query by query, `[queries][k]`: row numbers and distances.
pub(super) type Found = (Vec<u32>, Vec<f32>);

/// The row that a query leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaveOut {
    /// The row of the query's own number.
    Itself,
    /// None: the queries are other rows.
    Nothing,
}

impl LeaveOut {
    pub(super) fn of(self, query: u32) -> u32 {
        match self {
            Self::Itself => query,
            Self::Nothing => u32::MAX,
        }
    }
}

/// The `k` nearest candidates of the queries `members`, `[members][k]` row numbers and distances.
///
/// `k` is at most the number of candidates that each query has.
pub(super) fn search(
    candidates: &Rows<'_>,
    panels: &Panels,
    queries: &Rows<'_>,
    members: &[u32],
    k: usize,
    leave_out: LeaveOut,
    watch: &Watch<'_>,
) -> Result<Found> {
    let mut indices = vec![0; members.len() * k];
    let mut distances = vec![0.0; members.len() * k];
    let everyone: Vec<u32> = (0..candidates.count() as u32).collect();
    let size = (QUERIES * k).max(1);
    let wave = WAVE * rayon::current_num_threads();
    let waves = members
        .chunks(QUERIES * wave)
        .zip(indices.chunks_mut(size * wave))
        .zip(distances.chunks_mut(size * wave));
    let mut done = 0;
    for ((members, indices), distances) in waves {
        members
            .par_chunks(QUERIES)
            .zip(indices.par_chunks_mut(size))
            .zip(distances.par_chunks_mut(size))
            .for_each_init(
                Default::default,
                |scratch, ((members, indices), distances)| {
                    let (block, direct): &mut (Block, Direct) = scratch;
                    block.load(queries, members);
                    block.look_for_neighbors(k, members.iter().map(|&row| leave_out.of(row)));
                    block.scan(panels.groups());
                    let places = indices
                        .chunks_mut(k.max(1))
                        .zip(distances.chunks_mut(k.max(1)));
                    let mut doubtful = Vec::new();
                    for ((place, &row), (indices, distances)) in
                        members.iter().enumerate().zip(places)
                    {
                        let query = queries.row(row as usize);
                        let outcome = block.finish(place, query, candidates, indices, distances);
                        if outcome != Outcome::Settled {
                            doubtful.push((row, indices, distances));
                        }
                    }
                    if doubtful.is_empty() {
                        return;
                    }
                    let again = doubtful.iter().map(|(row, ..)| (*row, leave_out.of(*row)));
                    direct.start(k, again);
                    direct.compare(queries, candidates, &everyone);
                    for (place, (_, indices, distances)) in doubtful.into_iter().enumerate() {
                        direct.finish(place, candidates, indices, distances);
                    }
                },
            );
        done += members.len() as u64;
        watch.update(STAGE, done)?;
    }
    Ok((indices, distances))
}
