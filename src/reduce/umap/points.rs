//! The points of a layout in the order in which they lie in memory.

use rayon::prelude::*;

use super::graph::Graph;
use super::power::LANES;
use super::schedule;
use crate::reduce::random::Random;

const SHUFFLE: u64 = 0x554D_0001;

/// Points and edges by place.
pub(super) struct Points {
    pub(super) count: usize,
    /// `[dims][count + LANES]`; the first points again at the end, so that every place has followers.
    pub(super) coordinates: Vec<f32>,
    /// The other ends of the edges, one place after the other.
    ends: Vec<u32>,
    /// Where the edges of each place begin, and where the last ones end.
    starts: Vec<usize>,
    /// The line of every place: one number more than it has edges.
    lines: Vec<u32>,
    /// Where on the line of its other end each edge begins and ends. Looking it up there for every
    /// window would take longer than all else that a window needs.
    twins: Vec<(u32, u32)>,
    /// The row at every place.
    rows: Vec<u32>,
}

impl Points {
    /// Places the rows of `start` (`[rows, dims]`), shuffled, in parts of `part`; rows with many
    /// samples come last in their part, so that points that move together have about as many.
    pub(super) fn new(graph: &Graph, start: &[f32], dims: usize, part: usize, seed: u64) -> Self {
        let rows = shuffled(graph, part, seed);
        let count = rows.len();
        let mut place_of = vec![0_u32; count];
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        for (place, &row) in rows.iter().enumerate() {
            place_of[row as usize] = place as u32;
            starts.push(starts[place] + graph.degree(row as usize));
        }
        let largest = graph.largest_weight().max(f32::MIN_POSITIVE);
        let by_place = || rows.par_iter().map(|&row| row as usize).with_min_len(64);
        let ends = by_place()
            .flat_map_iter(|row| graph.edges(row).map(|(end, _)| place_of[end as usize]))
            .collect();
        let lines: Vec<u32> = by_place()
            .flat_map_iter(|row| schedule::line(graph.edges(row).map(|edge| edge.1 / largest)))
            .collect();
        let twin = |row: usize, end: u32| {
            let back = graph.position(end as usize, row as u32).unwrap_or(0);
            let place = place_of[end as usize] as usize;
            let begin = starts[place] + place + back;
            (lines[begin], lines[begin + 1])
        };
        let twins = by_place()
            .flat_map_iter(|row| graph.edges(row).map(move |(end, _)| twin(row, end)))
            .collect();
        let mut points = Self {
            count,
            coordinates: vec![0.0; dims * (count + LANES)],
            ends,
            starts,
            lines,
            twins,
            rows,
        };
        for (dim, plane) in points.coordinates.chunks_mut(count + LANES).enumerate() {
            for (value, &row) in plane.iter_mut().zip(&points.rows) {
                *value = start[row as usize * dims + dim];
            }
        }
        points.repeat_first();
        points
    }

    /// Values of one dimension.
    pub(super) fn stride(&self) -> usize {
        self.count + LANES
    }

    /// Where a point without a sample looks: a place that exists, so that it can be read, beyond those
    /// of the points.
    #[inline(always)]
    pub(super) fn nowhere(&self) -> u32 {
        self.count as u32
    }

    /// The other ends of the edges of a place.
    #[inline(always)]
    pub(super) fn ends(&self, place: usize) -> &[u32] {
        &self.ends[self.starts[place]..self.starts[place + 1]]
    }

    /// The line of a place: 0, then where each edge ends.
    #[inline(always)]
    pub(super) fn line(&self, place: usize) -> &[u32] {
        &self.lines[self.starts[place] + place..=self.starts[place + 1] + place]
    }

    /// For each edge of a place its other end, and where it begins and ends on that one's line.
    #[inline(always)]
    pub(super) fn arriving(&self, place: usize) -> impl Iterator<Item = (usize, u32, u32)> + '_ {
        let span = self.starts[place]..self.starts[place + 1];
        self.ends[span.clone()]
            .iter()
            .zip(&self.twins[span])
            .map(|(&end, &(from, to))| (end as usize, from, to))
    }

    /// Brings the copies of the first points up to date.
    pub(super) fn repeat_first(&mut self) {
        let (count, stride) = (self.count, self.stride());
        for plane in self.coordinates.chunks_mut(stride) {
            for place in 0..LANES {
                plane[count + place] = plane[place % count];
            }
        }
    }

    /// The coordinates by row, `[rows, dims]`.
    pub(super) fn by_row(&self, dims: usize) -> Vec<f32> {
        let mut by_row = vec![0.0; self.count * dims];
        for (dim, plane) in self.coordinates.chunks(self.stride()).enumerate() {
            for (&value, &row) in plane.iter().zip(&self.rows) {
                by_row[row as usize * dims + dim] = value;
            }
        }
        by_row
    }
}

fn shuffled(graph: &Graph, part: usize, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..graph.rows() as u32).collect();
    let mut random = Random::at(seed, SHUFFLE, 0);
    for place in (1..rows.len()).rev() {
        rows.swap(place, random.below(place as u32 + 1) as usize);
    }
    let total = |row: u32| -> f32 { graph.edges(row as usize).map(|edge| edge.1).sum() };
    rows.par_chunks_mut(part)
        .for_each(|part| part.sort_by_cached_key(|&row| total(row).to_bits()));
    rows
}
