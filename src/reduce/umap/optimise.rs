//! The layout: coordinates that follow the fuzzy graph.
//!
//! A sample of an edge pulls both of its ends, and pushes the first away from a few points drawn at
//! random (McInnes, Healy, Melville 2018, algorithm 5). Every epoch moves all points, one part of
//! them after the other. While a part moves, all points are read as they were when its turn began,
//! and each point of it follows its own samples one by one; what these moved it by is applied to the
//! other ends, reversed, when the epoch ends. So a point sees most others where they are now, every
//! pull has its equal counterpart (without it, clusters drift and the arrangement of the start is
//! lost), no two threads write the same number, and the number of threads changes nothing.
//!
//! Points lie shuffled in memory. So `LANES` points in a row are as good as drawn at random, and one
//! random place serves the pushes on `LANES` points.

use rayon::prelude::*;

use super::block::{Block, Home};
use super::graph::Graph;
use super::kernel::Forces;
use super::points::Points;
use super::power::LANES;
use super::schedule::{Marks, WINDOW};
use super::walk::{Epoch, Walk};
use crate::Result;
use crate::reduce::Watch;

/// Parts that move one after the other in an epoch.
const PARTS: usize = 8;

/// How far the counterparts of an epoch's pulls move a point along an axis, at a learning rate of 1.
const FARTHEST_MOVE: f32 = 16.0;

/// Groups of `LANES` points that one task moves.
const BLOCK: usize = 8;

/// How a layout is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) dims: usize,
    pub(super) epochs: usize,
    /// Learning rate of the first epoch; it falls linearly to 0.
    pub(super) rate: f32,
    /// Pushes for every pull.
    pub(super) pushes: usize,
    pub(super) forces: Forces,
    pub(super) seed: u64,
}

impl Settings {
    pub(super) fn rate(&self, epoch: usize) -> f32 {
        self.rate * (1.0 - epoch as f32 / self.epochs as f32)
    }
}

/// Moves `start` (`[rows, dims]`) until it follows the graph.
///
/// Works on the threads of the pool that it is called in.
pub(super) fn optimise(
    graph: &Graph,
    start: &[f32],
    settings: &Settings,
    watch: &Watch<'_>,
) -> Result<Vec<f32>> {
    let rows = graph.rows();
    if rows == 0 || settings.epochs == 0 {
        return Ok(start.to_vec());
    }
    let dims = settings.dims;
    let part = rows.div_ceil(LANES).div_ceil(PARTS) * LANES;
    let mut points = Points::new(graph, start, dims, part, settings.seed);
    let mut parts = parts(&points, part, settings);
    let mut homes: Vec<Home> = Vec::with_capacity(rows.div_ceil(LANES));
    let mut slots = 0;
    for block in parts.iter().flatten() {
        homes.extend(block.homes(slots));
        slots += block.slots;
    }
    let mut moves = vec![0.0; slots * dims];
    watch.stage("UMAP layout", settings.epochs as u64, |watch| {
        for number in 0..settings.epochs {
            if number % WINDOW == 0 {
                let marks = Marks::of_window(number / WINDOW);
                parts
                    .par_iter_mut()
                    .flatten()
                    .for_each(|block| block.draw(marks, &points, &homes));
            }
            let mut rest = moves.as_mut_slice();
            for blocks in &mut parts {
                let mut slices = Vec::with_capacity(blocks.len());
                for block in blocks.iter() {
                    let (slice, after) = rest.split_at_mut(block.slots * dims);
                    slices.push(slice);
                    rest = after;
                }
                let epoch = Epoch {
                    points: &points,
                    number,
                    rate: settings.rate(number),
                    pushes: settings.pushes,
                    forces: &settings.forces,
                    seed: settings.seed,
                };
                blocks
                    .par_iter_mut()
                    .zip(slices)
                    .for_each(|(block, moves)| {
                        pulp::Arch::new().dispatch(Walk {
                            epoch,
                            groups: &mut block.groups,
                            moves,
                        });
                    });
                take(&mut points, blocks);
            }
            let limit = FARTHEST_MOVE * settings.rate(number);
            parts
                .par_iter_mut()
                .flatten()
                .for_each(|block| block.answer(&points, number, limit, &moves));
            parts.iter().for_each(|blocks| take(&mut points, blocks));
            watch.update("the UMAP layout", number as u64 + 1)?;
        }
        Ok(())
    })?;
    Ok(points.by_row(dims))
}

/// The blocks of every part.
fn parts(points: &Points, part: usize, settings: &Settings) -> Vec<Vec<Block>> {
    let size = BLOCK * LANES;
    (0..points.count)
        .step_by(part)
        .map(|start| {
            let end = (start + part).min(points.count);
            (start..end)
                .step_by(size)
                .map(|first| {
                    let end = (first + size).min(end);
                    Block::new(points, first, end, settings.dims, settings.seed)
                })
                .collect()
        })
        .collect()
}

/// Puts the points of blocks where they have moved to.
fn take(points: &mut Points, blocks: &[Block]) {
    let stride = points.stride();
    for group in blocks.iter().flat_map(|block| &block.groups) {
        for (plane, moved) in points.coordinates.chunks_mut(stride).zip(&group.moved) {
            plane[group.places()].copy_from_slice(&moved[..group.count]);
        }
    }
    points.repeat_first();
}
