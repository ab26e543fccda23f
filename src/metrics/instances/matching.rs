//! Which prediction is which truth: COCO's greedy matching, given how alike they are.

/// How alike the predictions (rows) and truths (columns) of one image are.
#[derive(Clone, Debug)]
pub(super) struct Similarities {
    values: Vec<f64>,
    truths: usize,
}

impl Similarities {
    /// `of(prediction, truth)` for every pair.
    pub(super) fn new(
        predictions: usize,
        truths: usize,
        mut of: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let mut values = Vec::with_capacity(predictions * truths);
        for prediction in 0..predictions {
            values.extend((0..truths).map(|truth| of(prediction, truth)));
        }
        Self { values, truths }
    }

    /// Those of one prediction with all truths.
    pub(super) fn row(&self, prediction: usize) -> &[f64] {
        &self.values[prediction * self.truths..][..self.truths]
    }
}

/// A truth as the matching sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// May be matched again and again.
    pub(super) crowd: bool,
    /// What matches it counts neither for nor against.
    pub(super) ignored: bool,
}

/// Matches predictions, the most confident first, and calls `found(prediction, truth)` for each.
///
/// `order` holds the truths, those that are not ignored first. A prediction takes the most similar
/// truth that is free and at least `threshold` alike, the later of equal ones; one that is ignored
/// only when there is no other.
///
/// # Source
/// `evaluateImg` of pycocotools' `cocoeval.py` defines it.
pub(super) fn greedy(
    similarities: &Similarities,
    predictions: usize,
    targets: &[Target],
    order: &[usize],
    threshold: f64,
    taken: &mut Vec<bool>,
    mut found: impl FnMut(usize, usize),
) {
    taken.clear();
    taken.resize(targets.len(), false);
    for prediction in 0..predictions {
        let row = similarities.row(prediction);
        let mut least = threshold.min(1.0 - 1e-10);
        let mut best: Option<usize> = None;
        for &truth in order {
            let target = targets[truth];
            if taken[truth] && !target.crowd {
                continue;
            }
            if target.ignored && best.is_some_and(|best| !targets[best].ignored) {
                break;
            }
            if row[truth] >= least {
                least = row[truth];
                best = Some(truth);
            }
        }
        if let Some(truth) = best {
            taken[truth] = true;
            found(prediction, truth);
        }
    }
}

/// The truths in the order that [`greedy`] takes: ignored ones last.
pub(super) fn ignored_last(targets: &[Target], order: &mut Vec<usize>) {
    order.clear();
    order.extend((0..targets.len()).filter(|&truth| !targets[truth].ignored));
    order.extend((0..targets.len()).filter(|&truth| targets[truth].ignored));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Target = Target {
        crowd: false,
        ignored: false,
    };
    const CROWD: Target = Target {
        crowd: true,
        ignored: true,
    };

    fn matched(rows: &[&[f64]], targets: &[Target], threshold: f64) -> Vec<(usize, usize)> {
        let similarities = Similarities::new(rows.len(), targets.len(), |p, t| rows[p][t]);
        let (mut order, mut taken, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        ignored_last(targets, &mut order);
        greedy(
            &similarities,
            rows.len(),
            targets,
            &order,
            threshold,
            &mut taken,
            |p, t| pairs.push((p, t)),
        );
        pairs
    }

    #[test]
    fn the_more_confident_prediction_chooses_first() {
        let rows: &[&[f64]] = &[&[0.6, 0.9], &[0.5, 0.95]];
        assert_eq!(matched(rows, &[PLAIN; 2], 0.5), [(0, 1), (1, 0)]);
        assert_eq!(matched(rows, &[PLAIN; 2], 0.55), [(0, 1)]);
    }

    #[test]
    fn a_crowd_takes_many_and_only_what_nothing_else_takes() {
        let rows: &[&[f64]] = &[&[1.0, 0.6], &[1.0, 0.6], &[0.9, 0.0]];
        let targets = [CROWD, PLAIN];
        assert_eq!(matched(rows, &targets, 0.5), [(0, 1), (1, 0), (2, 0)]);
    }

    #[test]
    fn the_later_of_equal_truths_is_taken() {
        assert_eq!(matched(&[&[0.7, 0.7]], &[PLAIN; 2], 0.5), [(0, 1)]);
    }

    #[test]
    fn a_threshold_of_one_takes_what_is_equal_up_to_rounding() {
        assert_eq!(matched(&[&[1.0 - 1e-12]], &[PLAIN], 1.0), [(0, 0)]);
    }
}
