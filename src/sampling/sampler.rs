//! From weights to the rows of an epoch.

use super::draw::Draw;
use super::weights::Weights;
use crate::{Error, Result};

/// Most rows of an epoch of repeated rows.
const MOST_ROWS: f64 = (1_u64 << 31) as f64;

/// Which rows an epoch has.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Every row with a weight above 0, once.
    Once,
    /// As many rows as have a weight above 0, drawn with replacement: row k with probability
    /// `weight[k] / sum of weights` at every draw.
    Weighted,
    /// Row k as often as its weight says. Of a weight that is no whole number the fraction counts over
    /// the epochs: weight 2.25 is twice in three epochs and three times in the fourth. An epoch has as
    /// many rows as the weights add up to, rounded up or down.
    Repeated,
}

/// In which order an epoch has its rows.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In the order of the table.
    Sequential,
    /// Another one in every epoch, the same for the same seed.
    Shuffled {
        /// The seed.
        seed: u64,
    },
}

/// Gives the rows of every epoch.
///
/// ```
/// use emberlens::sampling::{Order, Pick, Sampler, Weights};
/// let weights = Weights::new(vec![1.0, 0.0, 3.0])?;
/// let sampler = Sampler::new(&weights, Pick::Repeated, Order::Sequential)?;
/// assert_eq!(sampler.epoch(0)?, [0, 2, 2, 2]);
/// weights.set(vec![1.0, 2.0, 0.0])?;
/// assert_eq!(sampler.epoch(1)?, [0, 1, 1]);
/// assert!(Sampler::new(&weights, Pick::Weighted, Order::Sequential).is_err());
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    weights: Weights,
    pick: Pick,
    order: Order,
}

impl Sampler {
    /// A sampler by these weights, as they are when an epoch begins.
    ///
    /// # Errors
    /// `Invalid` for [`Pick::Weighted`] in sequential order: rows that are drawn have no order but that
    /// of drawing.
    pub fn new(weights: &Weights, pick: Pick, order: Order) -> Result<Self> {
        if (pick, order) == (Pick::Weighted, Order::Sequential) {
            return Err(Error::invalid(
                "order",
                "Sequential",
                "rows that are drawn by their weights come in the order in which they are drawn",
                "use Order::Shuffled, or Pick::Repeated to keep the order of the table",
            ));
        }
        let weights = weights.clone();
        Ok(Self {
            weights,
            pick,
            order,
        })
    }

    /// The weights that it samples by.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The rows of an epoch (0-based), equal for equal weights, seed and epoch.
    ///
    /// # Shapes and units
    /// Row indices; [`Pick`] says how many.
    ///
    /// # Errors
    /// `TooLarge` for weights that repeat rows more than 2^31 times.
    pub fn epoch(&self, epoch: u64) -> Result<Vec<usize>> {
        let weights = self.weights.get();
        let seed = match self.order {
            Order::Sequential => 0,
            Order::Shuffled { seed } => seed,
        };
        let mut draw = Draw::new(seed, epoch);
        let mut rows = match self.pick {
            Pick::Once => with_weight(&weights),
            Pick::Weighted => return Ok(drawn(&weights, &mut draw)),
            Pick::Repeated => repeated(&weights, seed, epoch)?,
        };
        if self.order != Order::Sequential {
            draw.shuffle(&mut rows);
        }
        Ok(rows)
    }

    /// How many rows that epoch has.
    ///
    /// # Errors
    /// As [`Sampler::epoch`].
    pub fn epoch_rows(&self, epoch: u64) -> Result<usize> {
        let weights = self.weights.get();
        match self.pick {
            Pick::Once | Pick::Weighted => {
                Ok(weights.iter().filter(|weight| **weight > 0.0).count())
            }
            Pick::Repeated => self.epoch(epoch).map(|rows| rows.len()),
        }
    }
}

fn with_weight(weights: &[f32]) -> Vec<usize> {
    (0..weights.len())
        .filter(|&row| weights[row] > 0.0)
        .collect()
}

/// As many rows as have a weight, with replacement, by the inverse of their cumulated weights.
fn drawn(weights: &[f32], draw: &mut Draw) -> Vec<usize> {
    let rows = with_weight(weights);
    let mut total = 0.0;
    let ends = rows.iter().map(|&row| {
        total += f64::from(weights[row]);
        total
    });
    let ends: Vec<f64> = ends.collect();
    let last = rows.len().saturating_sub(1);
    rows.iter()
        .map(|_| {
            let at = draw.unit() * total;
            // The product may round up to the total.
            rows[ends.partition_point(|end| *end <= at).min(last)]
        })
        .collect()
}

/// Every row as often as whole numbers lie in its part of the cumulated weights. The start moves by the
/// golden ratio from epoch to epoch, which spreads fractions evenly over the epochs.
///
/// # Source
/// Systematic sampling: W. G. Madow, L. H. Madow, "On the theory of systematic sampling", Annals of
/// Mathematical Statistics 15, 1944; the start by the additive recurrence of the golden ratio.
fn repeated(weights: &[f32], seed: u64, epoch: u64) -> Result<Vec<usize>> {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    if total > MOST_ROWS {
        return Err(Error::TooLarge {
            what: format!("an epoch of {total:.0} repeated rows"),
            needed: (total * 8.0) as u64,
            limit: (MOST_ROWS * 8.0) as u64,
            hint: "use smaller weights, or draw rows by them (Pick::Weighted)".into(),
        });
    }
    // The golden ratio's fraction.
    const STEP: f64 = 0.618_033_988_749_894_9;
    let start = Draw::new(seed, 0).unit();
    let turns = (epoch % (1 << 32)) as f64 * STEP;
    let mut end = (start + turns).fract();
    let mut rows = Vec::with_capacity(total as usize + 1);
    for (row, &weight) in weights.iter().enumerate() {
        let begin = end.floor();
        end += f64::from(weight);
        rows.extend(std::iter::repeat_n(row, (end.floor() - begin) as usize));
    }
    Ok(rows)
}
