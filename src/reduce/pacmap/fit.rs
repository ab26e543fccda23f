//! A fit from rows to coordinates.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView2};

use super::counts::{Counts, neighbors_for};
use super::far::{self, FarBlocks};
use super::list::PairList;
use super::model::Pacmap;
use super::optimise::{Anchor, Far, Pairs, optimise};
use super::order::Order;
use super::params::{Init, PacmapParams, PacmapValidParams};
use super::schedule::Schedule;
use super::space::{COLUMNS, Space};
use super::{DURING, METHOD, pairs, start};
use crate::reduce::{Metric, NeighborSearch, Reducer, Watch, input, matrix};
use crate::{Error, Result};

/// Up to this many rows nearly all neighbours are found: there it costs little.
const FEW: usize = 1 << 16;

/// The share of true neighbours that near pairs are chosen from.
fn recall(rows: usize) -> f32 {
    if rows <= FEW { 0.99 } else { 0.95 }
}

impl Reducer for PacmapValidParams {
    type Fitted = Pacmap;

    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(Pacmap, Array2<f32>)> {
        let (space, reduced) = self.space(x, watch)?;
        self.lay_out(space, reduced, watch)
    }

    fn fit_owned(&self, x: Array2<f32>, watch: &Watch<'_>) -> Result<(Pacmap, Array2<f32>)> {
        let (space, reduced) = self.space(x.view(), watch)?;
        drop(x);
        self.lay_out(space, reduced, watch)
    }
}

impl PacmapValidParams {
    /// Checks the rows, and learns the space in which they are laid out.
    fn space(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<(Space, Array2<f32>)> {
        let params = &self.0;
        watch.check(DURING)?;
        check(params, x)?;
        check_memory(params, x.nrows(), x.ncols(), counts(params, x.nrows()))?;
        matrix::check_finite(x, "the matrix to fit", "leave the row out before reducing")?;
        params.threads.run(|| Space::learn(x, params, watch))?
    }

    fn lay_out(
        &self,
        space: Space,
        reduced: Array2<f32>,
        watch: &Watch<'_>,
    ) -> Result<(Pacmap, Array2<f32>)> {
        let params = &self.0;
        let (rows, dims) = (reduced.nrows(), params.dims);
        let counts = counts(params, rows);
        let alike = matrix::largest_magnitude(reduced.view()) == 0.0;
        let coordinates = if alike {
            match &params.init {
                Init::Given(given) if params.follow.is_some() => given.clone(),
                _ => matrix::zeros(rows, dims, "coordinates")?,
            }
        } else {
            let candidates = counts.near.saturating_add(pairs::CANDIDATES);
            let index = NeighborSearch::new(candidates)
                .threads(params.threads)
                .seed(params.seed)
                .recall(recall(rows))
                .memory_limit(params.memory_limit)
                .index(reduced.view(), watch)?;
            let order = Order::of(&index, params.seed);
            let neighbors = index.among_themselves(watch)?;
            drop(index);
            params.threads.run(|| {
                let near = pairs::near(&neighbors, counts.near);
                drop(neighbors);
                let near = order.arrange(&near, counts.near);
                watch.check(DURING)?;
                let start = start::start(
                    &params.init,
                    &space,
                    reduced.view(),
                    dims,
                    params.seed,
                    watch,
                )?;
                let pairs = draw(reduced.view(), &order, near, counts, params.seed);
                layout(params, &order, &pairs, start, watch)
            })??
        };
        matrix::check_finite(
            coordinates.view(),
            "the result of PaCMAP",
            "lower the learning rate, or begin at other coordinates",
        )?;
        let fitted = Pacmap {
            space,
            near: counts.near,
            seed: params.seed,
            reduced,
            coordinates: coordinates.clone(),
            threads: params.threads,
            index: OnceLock::new(),
        };
        Ok((fitted, coordinates))
    }
}

/// How many partners of each kind a row has.
fn counts(params: &PacmapParams, rows: usize) -> Counts {
    let near = params.neighbors.unwrap_or_else(|| neighbors_for(rows));
    Counts::new(rows, near, params.mid_ratio, params.far_ratio)
}

/// All pairs of the rows of the reduced space.
fn draw(
    reduced: ArrayView2<'_, f32>,
    order: &Order,
    near: Vec<u32>,
    counts: Counts,
    seed: u64,
) -> Pairs {
    let rows = reduced.nrows();
    let far = if far::by_blocks(rows) {
        Far::Blocks(FarBlocks::new(rows, counts.far, seed))
    } else {
        let chosen = far::sample(&near, counts.near, rows, counts.far, seed);
        Far::Rows(PairList::new(chosen, counts.far, rows))
    };
    let mid = pairs::mid(reduced, order.rows(), counts.mid, seed);
    Pairs {
        near: PairList::new(near, counts.near, rows),
        mid: PairList::new(mid, counts.mid, rows),
        far,
    }
}

/// Optimises in as many coordinates as the optimiser is compiled for: coordinates beyond those asked
/// for are 0 for all rows, so no force moves them.
fn layout(
    params: &PacmapParams,
    order: &Order,
    pairs: &Pairs,
    start: Array2<f32>,
    watch: &Watch<'_>,
) -> Result<Array2<f32>> {
    match params.dims {
        0..=2 => layout_in::<2>(params, order, pairs, start, watch),
        3 => layout_in::<3>(params, order, pairs, start, watch),
        4 => layout_in::<4>(params, order, pairs, start, watch),
        5..=8 => layout_in::<8>(params, order, pairs, start, watch),
        9..=16 => layout_in::<16>(params, order, pairs, start, watch),
        17..=32 => layout_in::<32>(params, order, pairs, start, watch),
        _ => layout_in::<64>(params, order, pairs, start, watch),
    }
}

fn layout_in<const D: usize>(
    params: &PacmapParams,
    order: &Order,
    pairs: &Pairs,
    start: Array2<f32>,
    watch: &Watch<'_>,
) -> Result<Array2<f32>> {
    let widen = |&row: &u32| {
        std::array::from_fn(|axis| start.get((row as usize, axis)).copied().unwrap_or(0.0))
    };
    let places: Vec<[f32; D]> = order.rows().iter().map(widen).collect();
    let schedule = Schedule {
        phases: params.phases,
        learning_rate: params.learning_rate,
        warm: params.follow.is_some(),
    };
    let anchor = params.follow.as_ref().map(|follow| Anchor {
        places: &places,
        penalty: follow.penalty,
    });
    let moved = watch.stage(DURING, schedule.total() as u64, |watch| {
        optimise(&places, pairs, &schedule, anchor, watch)
    })?;
    let drift = match anchor {
        Some(_) => drift(&places, &moved),
        None => [0.0; D],
    };
    let mut coordinates = start;
    for (&row, place) in order.rows().iter().zip(&moved) {
        let mut row = coordinates.row_mut(row as usize);
        for ((value, place), drift) in row.iter_mut().zip(place).zip(&drift) {
            *value = place - drift;
        }
    }
    Ok(coordinates)
}

/// How far the rows went together. Losses know differences of rows only, so it means nothing; but
/// Adam, which takes each row's steps to one length, lets a layout drift.
fn drift<const D: usize>(before: &[[f32; D]], after: &[[f32; D]]) -> [f32; D] {
    std::array::from_fn(|axis| {
        let gaps = before.iter().zip(after);
        let sum: f64 = gaps
            .map(|(a, b)| f64::from(b[axis]) - f64::from(a[axis]))
            .sum();
        (sum / before.len().max(1) as f64) as f32
    })
}

fn check(params: &PacmapParams, x: ArrayView2<'_, f32>) -> Result<()> {
    let rows = x.nrows();
    input::check_not_empty(METHOD, x)?;
    start::check(&params.init, rows, params.dims)
}

fn check_memory(params: &PacmapParams, rows: usize, width: usize, counts: Counts) -> Result<()> {
    let pca = params.apply_pca && width > COLUMNS;
    let columns = if pca { COLUMNS } else { width };
    let candidates = counts.near.saturating_add(pairs::CANDIDATES).min(rows);
    let dims = params.dims.next_power_of_two();
    let far = if far::by_blocks(rows) {
        FarBlocks::bytes(rows, counts.far)
    } else {
        PairList::bytes(rows, counts.far)
    };
    let needed = [
        matrix::bytes(rows, columns, 8),
        matrix::bytes(rows, candidates, 8),
        Order::bytes(rows),
        PairList::bytes(rows, counts.near),
        PairList::bytes(rows, counts.mid),
        far,
        matrix::bytes(rows, dims, 4 * 7),
        if pca {
            matrix::bytes(width, width.min(2048), 4 * 4)
        } else {
            0
        },
        match params.metric {
            // The rows brought to length 1.
            Metric::Cosine => matrix::bytes(rows, width, 4),
            Metric::Euclidean => 0,
        },
    ];
    let needed = needed.into_iter().fold(0_u64, u64::saturating_add);
    // Pair lists count entries, and entries name rows, in 32 bits.
    let most = counts.near.max(counts.mid).max(counts.far) as u64;
    let entries = (rows as u64).saturating_mul(most.saturating_mul(2).saturating_add(8));
    let limit = params.memory_limit;
    if needed > limit {
        return Err(Error::TooLarge {
            what: format!("PaCMAP of {rows} x {width} values"),
            needed,
            limit,
            hint: "fit on fewer rows and transform the rest, or raise `memory_limit`".into(),
        });
    }
    if entries > u64::from(u32::MAX) {
        return Err(Error::invalid(
            "rows",
            rows,
            format!("{most} partners of a kind for each make {entries} pairs, beyond 32 bits"),
            "fit on fewer rows and transform the rest, or ask for fewer partners",
        ));
    }
    Ok(())
}
