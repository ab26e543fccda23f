//! Ranges and ticks of values.

/// Share of the values beyond each end of a clipped range.
const TAIL: f64 = 0.01;
/// A range is clipped when all of it is more than this many times what lies between its tails.
const STRETCH: f32 = 1.5;

/// The range of values that colours span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f32,
    pub(super) high: f32,
    /// Number of values below `low` and the smallest of them.
    pub(super) below: Option<(usize, f32)>,
    /// Number of values above `high` and the largest of them.
    pub(super) above: Option<(usize, f32)>,
}

impl Range {
    /// The range of all numbers among `values`, clipped at the 1st and 99th percentile where a few
    /// extreme values would leave the others with one colour. `None` without any finite value.
    pub(super) fn of(values: impl Iterator<Item = f32>) -> Option<Self> {
        let mut sorted: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let finite = {
            let start = sorted.partition_point(|&value| value == f32::NEG_INFINITY);
            let end = sorted.partition_point(|&value| value < f32::INFINITY);
            sorted.get(start..end)?
        };
        let (&least, &most) = (finite.first()?, finite.last()?);
        let last = finite.len() - 1;
        let at = |share: f64| finite[((last as f64 * share).round() as usize).min(last)];
        let (tail_low, tail_high) = (at(TAIL), at(1.0 - TAIL));
        // Halved, because the difference of two finite values may not be finite.
        let width = |low: f32, high: f32| high / 2.0 - low / 2.0;
        let core = width(tail_low, tail_high);
        let clip = core > 0.0 && width(least, most) > STRETCH * core;
        let low = if clip && width(least, tail_low) > 0.1 * core {
            tail_low
        } else {
            least
        };
        let high = if clip && width(tail_high, most) > 0.1 * core {
            tail_high
        } else {
            most
        };
        let below = sorted.partition_point(|&value| value < low);
        let above = sorted.len() - sorted.partition_point(|&value| value <= high);
        Some(Range {
            low,
            high,
            below: (below > 0).then(|| (below, sorted[0])),
            above: (above > 0).then(|| (above, sorted[sorted.len() - 1])),
        })
    }

    /// Where a value lies, from 0 at `low` to 1 at `high`; values outside are at the ends.
    pub(super) fn position(&self, value: f32) -> f32 {
        if value <= self.low {
            // One value only: the middle.
            return if self.low == self.high && value == self.low {
                0.5
            } else {
                0.0
            };
        }
        if value >= self.high {
            return 1.0;
        }
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((f64::from(value) - low) / (high - low)) as f32
    }
}

/// A tick: where, and what is written beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// Round numbers (1, 2 or 5 times a power of ten apart) within `low..=high`, about `count` of them.
pub(super) fn ticks(low: f32, high: f32, count: usize) -> Vec<Tick> {
    let (low, high) = (decimal(low), decimal(high));
    if low >= high {
        return vec![Tick {
            value: low,
            label: number(low),
        }];
    }
    let rough = (high - low) / count.max(1) as f64;
    let power = rough.log10().floor();
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * 10f64.powf(power))
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let (first, last) = (
        (low / step - 1e-6).ceil() as i64,
        (high / step + 1e-6).floor() as i64,
    );
    let greatest = low.abs().max(high.abs());
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            let label = if index == 0 {
                "0".to_owned()
            } else if !(1e-3..1e5).contains(&greatest) {
                number(value)
            } else {
                format!("{value:.decimals$}").replace('-', "−")
            };
            Tick { value, label }
        })
        .collect()
}

/// The number that a person would say for an `f32`: 0.1, not 0.10000000149.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// A number for a legend, to about four digits.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "∞"
        } else {
            "−∞"
        }
        .to_owned();
    }
    let text = if size != 0.0 && !(1e-3..1e5).contains(&size) {
        let text = format!("{value:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        format!("{digits}e{exponent}")
    } else {
        let whole = if size >= 1.0 {
            size.log10().floor() as usize
        } else {
            0
        };
        let text = format!("{value:.*}", 3usize.saturating_sub(whole));
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    text.replace('-', "−")
}

/// A count with its thousands apart: 12,345.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(low: f32, high: f32) -> Vec<String> {
        ticks(low, high, 5)
            .into_iter()
            .map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-3.2, 7.9), ["0", "5"]);
        assert_eq!(labels(0.1, 0.14), ["0.10", "0.11", "0.12", "0.13", "0.14"]);
        assert_eq!(labels(0.0, 4e6), ["0", "1e6", "2e6", "3e6", "4e6"]);
        assert_eq!(labels(2.0, 2.0), ["2"]);
    }

    #[test]
    fn one_extreme_value_does_not_take_the_colours_from_the_others() {
        let values = (0..999).map(|i| i as f32 / 998.0).chain([1e6]);
        let range = Range::of(values).unwrap();
        assert!(range.high <= 1.0 && range.low == 0.0);
        assert_eq!(range.above.map(|(_, most)| most), Some(1e6));
        assert_eq!(range.position(1e6), 1.0);
    }

    #[test]
    fn evenly_spread_values_are_not_clipped() {
        let range = Range::of((0..1000).map(|i| i as f32)).unwrap();
        assert_eq!((range.low, range.high), (0.0, 999.0));
        assert_eq!((range.below, range.above), (None, None));
    }

    #[test]
    fn infinities_lie_beyond_the_ends_and_nan_counts_for_nothing() {
        let range = Range::of([f32::NAN, f32::NEG_INFINITY, 1.0, 2.0, f32::INFINITY].into_iter());
        let range = range.unwrap();
        assert_eq!((range.low, range.high), (1.0, 2.0));
        assert_eq!(range.below, Some((1, f32::NEG_INFINITY)));
        assert_eq!(range.above, Some((1, f32::INFINITY)));
        assert_eq!(Range::of([f32::NAN, f32::INFINITY].into_iter()), None);
    }

    #[test]
    fn numbers_and_counts_are_short() {
        assert_eq!(number(0.123_456), "0.123");
        assert_eq!(number(1234.5678), "1235");
        assert_eq!(number(-1.5e-7), "−1.5e−7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
    }

    proptest! {
        #[test]
        fn ticks_lie_within_the_range_in_order(low in -1e6f32..1e6, width in 1e-3f32..1e6) {
            let high = low + width;
            prop_assume!(high > low);
            let found = ticks(low, high, 6);
            let slack = f64::from(high - low) * 1e-4 + 1e-6;
            prop_assert!(found.len() <= 8);
            for pair in found.windows(2) {
                prop_assert!(pair[0].value < pair[1].value);
            }
            for tick in found {
                prop_assert!(tick.value >= f64::from(low) - slack);
                prop_assert!(tick.value <= f64::from(high) + slack);
            }
        }

        #[test]
        fn positions_stay_between_0_and_1(values in prop::collection::vec(any::<f32>(), 1..50)) {
            if let Some(range) = Range::of(values.iter().copied()) {
                for value in values.into_iter().filter(|value| !value.is_nan()) {
                    let position = range.position(value);
                    prop_assert!((0.0..=1.0).contains(&position), "{value} at {position}");
                }
            }
        }
    }
}
