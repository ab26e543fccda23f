//! When each edge is sampled.
//!
//! An edge of weight `w` is sampled in `w / largest weight` of the epochs. The edges of a row lie one
//! after the other on a line, each as long as its rate, and a window of epochs samples the edges that
//! its equally spaced marks fall upon, the marks taking turns between the epochs: every epoch then
//! takes as many samples of the row as any other, give or take one, and no edge is long without one.
//! The marks lie elsewhere in every window.

use super::points::Points;
use super::power::LANES;

/// Epochs whose samples are drawn up at once.
pub(super) const WINDOW: usize = 1 << WINDOW_BITS;
const WINDOW_BITS: u32 = 4;

/// Lines are measured in this part of the distance between two marks.
const UNIT_BITS: u32 = 12;

/// Samples of a row in one epoch at most. Edges beyond are sampled from their other ends only: a row
/// that thousands of equal ones have as their neighbour would hold up all others.
const MOST: u32 = 1 << 10;

/// Where lines end at the latest.
const LONGEST: f64 = ((MOST << (UNIT_BITS + WINDOW_BITS)) - (1 << UNIT_BITS)) as f64;

/// Where edges of these rates end on their line, after 0 for its beginning.
pub(super) fn line(rates: impl Iterator<Item = f32>) -> impl Iterator<Item = u32> {
    let mut end = 0.0;
    std::iter::once(0).chain(rates.map(move |rate| {
        end += f64::from(rate) * f64::from(1_u32 << (UNIT_BITS + WINDOW_BITS));
        end.round().min(LONGEST) as u32
    }))
}

/// The marks of one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    offset: u32,
}

impl Marks {
    pub(super) fn of_window(window: usize) -> Self {
        let shift = (window as u32).reverse_bits() >> (32 - UNIT_BITS);
        Self {
            offset: (1 << UNIT_BITS) - 1 - shift,
        }
    }

    /// How many marks lie before a place on a line.
    #[inline(always)]
    pub(super) fn before(self, place: u32) -> usize {
        (place.saturating_add(self.offset) >> UNIT_BITS) as usize
    }

    /// How many marks of any window lie before a place at most.
    fn most_before(place: u32) -> usize {
        Self::of_window(0).before(place)
    }
}

/// The epoch of a window that takes a mark.
///
/// The bits are reversed so that samples of one edge, which has marks in a row, lie apart.
#[inline(always)]
pub(super) fn epoch_of(mark: usize, turn: usize) -> usize {
    reversed((mark + turn) % WINDOW)
}

#[inline(always)]
fn reversed(epoch: usize) -> usize {
    ((epoch as u32).reverse_bits() >> (32 - WINDOW_BITS)) as usize
}

/// The samples of `LANES` points through a window of epochs.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    /// Which epoch takes the first mark.
    turn: usize,
    /// Samples of one point in one epoch at most.
    steps: usize,
    /// By mark and point where the other end of the edge lies; [`Points::nowhere`] where a point has
    /// no sample.
    ends: Vec<[u32; LANES]>,
}

impl Samples {
    /// Room for the samples of points whose lines end at `longest` at the latest.
    pub(super) fn new(longest: u32, turn: usize) -> Self {
        Self {
            turn,
            steps: Marks::most_before(longest).div_ceil(WINDOW),
            ends: Vec::new(),
        }
    }

    pub(super) fn turn(&self) -> usize {
        self.turn
    }

    pub(super) fn most_steps(&self) -> usize {
        self.steps
    }

    /// The samples of an epoch of the window, step by step.
    #[inline(always)]
    pub(super) fn of_epoch(&self, epoch: usize) -> impl Iterator<Item = &[u32; LANES]> {
        let first = reversed(epoch % WINDOW) + WINDOW - self.turn % WINDOW;
        self.ends.iter().skip(first % WINDOW).step_by(WINDOW)
    }

    /// Draws up a window for the `count` points from `first` on.
    pub(super) fn draw(&mut self, marks: Marks, points: &Points, first: usize, count: usize) {
        let places = first..first + count;
        let most = places
            .clone()
            .map(|place| marks.before(points.line(place).last().copied().unwrap_or(0)))
            .max();
        self.ends
            .resize(most.unwrap_or(0), [points.nowhere(); LANES]);
        for (lane, place) in places.enumerate() {
            let mut mark = 0;
            let line = points.line(place);
            for (&end, &line) in points.ends(place).iter().zip(&line[1..]) {
                let after = marks.before(line);
                for sample in &mut self.ends[mark..after] {
                    sample[lane] = end;
                }
                mark = after;
            }
            for sample in &mut self.ends[mark..] {
                sample[lane] = points.nowhere();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Graph;
    use super::*;

    /// Point 0 with edges of these weights to points of their own; the first weight is 1.
    fn star(weights: &[f32]) -> Graph {
        let count = weights.len();
        let each = |row: usize| if row == 0 { 0 } else { count + row - 1 };
        Graph {
            starts: (0..=count + 1).map(each).collect(),
            ends: (1..=count as u32).chain((0..count).map(|_| 0)).collect(),
            weights: weights.iter().chain(weights).copied().collect(),
        }
    }

    #[test]
    fn edges_are_sampled_at_their_rates_and_epochs_are_alike() {
        let rates = [1.0, 0.5, 0.31, 0.004, 0.77];
        let points = Points::new(&star(&rates), &[0.0; 6], 1, LANES, 3);
        let centre = (0..6).find(|&place| points.ends(place).len() == 5).unwrap();
        let total: f32 = rates.iter().sum();
        for turn in [0, 5] {
            let longest = *points.line(centre).last().unwrap();
            let mut samples = Samples::new(longest, turn);
            let mut counts = [0; 6];
            for window in 0..250 {
                samples.draw(Marks::of_window(window), &points, centre, 1);
                for epoch in 0..WINDOW {
                    let drawn: Vec<_> = samples.of_epoch(epoch).collect();
                    assert!((drawn.len() as f32 - total).abs() < 1.0);
                    assert!(drawn.len() <= samples.most_steps());
                    for sample in drawn {
                        counts[sample[0] as usize] += 1;
                        assert_eq!(sample[1], points.nowhere());
                    }
                }
            }
            for (&end, rate) in points.ends(centre).iter().zip(rates) {
                let (count, expected) = (counts[end as usize], 250.0 * WINDOW as f32 * rate);
                let error = (count as f32 - expected).abs();
                assert!(error <= 3.0, "{count}, not {expected}");
            }
        }
    }

    #[test]
    fn every_epoch_takes_the_marks_that_are_counted_as_its_own() {
        let points = Points::new(&star(&[1.0; 9]), &[0.0; 10], 1, LANES, 3);
        let centre = (0..10)
            .find(|&place| points.ends(place).len() == 9)
            .unwrap();
        let mut samples = Samples::new(*points.line(centre).last().unwrap(), 5);
        samples.draw(Marks::of_window(6), &points, centre, 1);
        let mut marks = 0;
        for epoch in 0..WINDOW {
            for (step, sample) in samples.of_epoch(epoch).enumerate() {
                let mark = (0..)
                    .filter(|&mark| epoch_of(mark, 5) == epoch)
                    .nth(step)
                    .unwrap();
                assert_eq!(mark / WINDOW, step);
                assert_eq!(samples.ends[mark], *sample);
                marks += 1;
            }
        }
        assert_eq!(marks, samples.ends.len());
    }

    #[test]
    fn a_line_beyond_all_measure_ends_at_the_longest() {
        let last = line(std::iter::repeat_n(1.0, 70_000)).last().unwrap();
        assert_eq!(f64::from(last), LONGEST);
        assert_eq!(Marks::most_before(last) / WINDOW, MOST as usize - 1);
    }
}
