//! Rows made ready for products: finite, of a safe magnitude, around a centre.

use std::borrow::Cow;

use ndarray::ArrayView2;

use super::Metric;
use crate::reduce::matrix::{self, Frame};
use crate::{Error, Result};

/// How far beyond the rows searched a query may lie, in their units once scaled.
pub(in crate::reduce) const FARTHEST: f32 = 1e15;

/// Rows that the centre is the mean of, evenly spaced.
const CENTRE_SAMPLE: usize = 4096;

/// A matrix of rows, with what the metric needs.
///
/// Products of centred rows keep their digits when all rows lie far from the origin; distances that
/// are returned are summed directly over the rows as they were given.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    values: Cow<'a, [f32]>,
    count: usize,
    width: usize,
    metric: Metric,
    centre: Cow<'a, [f32]>,
    /// What was taken off every row before `scale` was applied; empty where nothing was.
    shift: Cow<'a, [f64]>,
    scale: f32,
}

impl<'a> Rows<'a> {
    /// The rows of `x`, copied only where the metric or the magnitudes ask for it.
    pub(super) fn of(x: ArrayView2<'a, f32>, metric: Metric, what: &str) -> Result<Self> {
        let (count, width) = x.dim();
        let values = contiguous(x);
        check_finite(&values, width, what)?;
        let mut rows = Self {
            values,
            count,
            width,
            metric,
            centre: Cow::Owned(vec![0.0; width]),
            shift: Cow::default(),
            scale: 1.0,
        };
        match metric {
            Metric::Cosine => rows.normalise(),
            Metric::Euclidean => {
                if let Some(frame) = Frame::of(x) {
                    rows.bring_near(&frame.shift, power_of_two(-exponent(frame.size)));
                    rows.shift = Cow::Owned(frame.shift);
                }
                rows.centre = Cow::Owned(rows.mean());
            }
        }
        Ok(rows)
    }

    /// Other rows in the frame of these: same metric, scale and centre.
    pub(super) fn alike<'b>(&'b self, x: ArrayView2<'b, f32>, what: &str) -> Result<Rows<'b>> {
        let (count, width) = x.dim();
        if width != self.width {
            return Err(Error::invalid(
                "width of the queries",
                width,
                format!("the rows searched have width {}", self.width),
                "query with rows of the same layer",
            ));
        }
        let values = contiguous(x);
        check_finite(&values, width, what)?;
        let mut rows = Rows {
            values,
            count,
            width,
            metric: self.metric,
            centre: Cow::Borrowed(&self.centre),
            shift: Cow::Borrowed(&self.shift),
            scale: 1.0,
        };
        match self.metric {
            Metric::Cosine => rows.normalise(),
            Metric::Euclidean => {
                if !self.shift.is_empty() {
                    rows.bring_near(&self.shift, self.scale);
                }
                rows.check_near(x)?;
            }
        }
        Ok(rows)
    }

    /// Refuses rows so far off that their distances overflow.
    fn check_near(&self, x: ArrayView2<'_, f32>) -> Result<()> {
        let far = |value: &f32| value.is_nan() || value.abs() > FARTHEST;
        let Some(place) = self.values.iter().position(far) else {
            return Ok(());
        };
        let (row, column) = (place / self.width, place % self.width);
        Err(Error::Value {
            column: column.to_string(),
            row: row as u64,
            found: format!("{:e}", x[[row, column]]),
            expected: "a value in the range of the rows searched".into(),
            hint: "leave the row out, or scale it as those rows are scaled".into(),
        })
    }

    /// Points of the centred frame as rows of their own, under the Euclidean metric.
    pub(super) fn of_points(values: Vec<f32>, width: usize) -> Rows<'static> {
        Rows {
            count: values.len().checked_div(width).unwrap_or(0),
            values: Cow::Owned(values),
            width,
            metric: Metric::Euclidean,
            centre: Cow::Owned(vec![0.0; width]),
            shift: Cow::default(),
            scale: 1.0,
        }
    }

    /// The values, row by row.
    pub(super) fn into_values(self) -> Vec<f32> {
        self.values.into_owned()
    }

    /// The same rows, owned.
    pub(super) fn into_owned(self) -> Rows<'static> {
        Rows {
            values: Cow::Owned(self.values.into_owned()),
            centre: Cow::Owned(self.centre.into_owned()),
            shift: Cow::Owned(self.shift.into_owned()),
            ..self
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A row in the metric's frame; empty beyond the last.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        self.values
            .get(row * self.width..(row + 1) * self.width)
            .unwrap_or_default()
    }

    /// Writes a row minus the centre.
    #[inline(always)]
    pub(super) fn centred(&self, row: usize, into: &mut [f32]) {
        let row = self.row(row);
        for ((into, &value), &centre) in into.iter_mut().zip(row).zip(self.centre.iter()) {
            *into = value - centre;
        }
    }

    /// What a candidate's score subtracts, of its squared centred length: under the cosine all
    /// count alike.
    pub(super) fn half_norm(&self, squared: f32) -> f32 {
        match self.metric {
            Metric::Euclidean => 0.5 * squared,
            Metric::Cosine => 0.5,
        }
    }

    /// What [`Rows::distance`] makes a distance of, from the squared length of the difference
    /// between a query and a row.
    #[inline(always)]
    pub(super) fn gap(&self, squared: f32, query: &[f32], row: usize) -> f32 {
        match self.metric {
            Metric::Euclidean => squared,
            Metric::Cosine if is_zero(query) || is_zero(self.row(row)) => 1.0,
            Metric::Cosine => 0.5 * squared,
        }
    }

    /// The squared length of the difference between two rows that have this gap.
    pub(super) fn squared(&self, gap: f32) -> f64 {
        match self.metric {
            Metric::Euclidean => f64::from(gap),
            Metric::Cosine => 2.0 * f64::from(gap),
        }
    }

    /// A gap in the units of the metric.
    pub(super) fn distance(&self, gap: f32) -> f32 {
        match self.metric {
            Metric::Euclidean => gap.sqrt() / self.scale,
            Metric::Cosine => gap,
        }
    }

    fn normalise(&mut self) {
        let width = self.width.max(1);
        for row in self.values.to_mut().chunks_exact_mut(width) {
            let peak = row
                .iter()
                .fold(0.0_f32, |peak, value| peak.max(value.abs()));
            if peak == 0.0 {
                continue;
            }
            let length = row
                .iter()
                .map(|&value| f64::from(value) * f64::from(value))
                .sum::<f64>()
                .sqrt();
            for value in row {
                *value = (f64::from(*value) / length) as f32;
            }
        }
    }

    fn bring_near(&mut self, shift: &[f64], scale: f32) {
        self.scale = scale;
        matrix::bring_near(self.values.to_mut(), shift, f64::from(scale));
    }

    fn mean(&self) -> Vec<f32> {
        let step = self.count.div_ceil(CENTRE_SAMPLE).max(1);
        let mut sums = vec![0.0_f64; self.width];
        let mut count = 0.0;
        for row in (0..self.count).step_by(step) {
            for (sum, &value) in sums.iter_mut().zip(self.row(row)) {
                *sum += f64::from(value);
            }
            count += 1.0;
        }
        sums.iter()
            .map(|sum| (sum / f64::max(count, 1.0)) as f32)
            .collect()
    }
}

fn contiguous(x: ArrayView2<'_, f32>) -> Cow<'_, [f32]> {
    match x.to_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(x.iter().copied().collect()),
    }
}

/// NaN and infinities are refused, the first named by row and column.
fn check_finite(values: &[f32], width: usize, what: &str) -> Result<()> {
    let bits = |value: &f32| value.to_bits() & 0x7FFF_FFFF;
    let largest = values
        .iter()
        .fold(0, |largest, value| bits(value).max(largest));
    if f32::from_bits(largest).is_finite() {
        return Ok(());
    }
    let place = values
        .iter()
        .position(|value| !value.is_finite())
        .unwrap_or(0);
    Err(Error::NonFinite {
        what: what.to_owned(),
        row: place / width.max(1),
        column: place % width.max(1),
        value: values.get(place).map(f32::to_string).unwrap_or_default(),
        hint: "leave the row out before searching".to_owned(),
    })
}

/// The power of two at or below a positive number; 0 for 0.
fn exponent(value: f64) -> i32 {
    match value > 0.0 {
        true => value.log2().floor() as i32,
        false => 0,
    }
}

fn power_of_two(exponent: i32) -> f32 {
    2.0_f64.powi(exponent.clamp(-126, 127)) as f32
}

fn is_zero(row: &[f32]) -> bool {
    row.iter().all(|&value| value == 0.0)
}
