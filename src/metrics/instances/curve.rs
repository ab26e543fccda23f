//! Precision and recall over falling confidence.

/// Points at which COCO reads precision off: recall 0, 0.01, ..., 1.
const POINTS: usize = 101;

/// Average precision and the last recall of predictions in falling confidence.
///
/// `hits` says of each counted prediction whether it is right; `instances` is the number of truths
/// that count, at least one. Precision is made to fall with recall, then averaged over its values at
/// 101 recalls, 0 where a recall is never reached.
///
/// # Source
/// `accumulate` of pycocotools' `cocoeval.py`.
pub(super) fn average_precision(
    hits: impl Iterator<Item = bool>,
    instances: u64,
    points: &mut Vec<(f64, f64)>,
) -> (f64, f64) {
    points.clear();
    let (mut right, mut wrong) = (0.0, 0.0);
    for hit in hits {
        *(if hit { &mut right } else { &mut wrong }) += 1.0;
        points.push((right / instances as f64, right / (right + wrong)));
    }
    let mut highest = 0.0_f64;
    for (_, precision) in points.iter_mut().rev() {
        highest = highest.max(*precision);
        *precision = highest;
    }
    let (mut sum, mut at) = (0.0, 0);
    for point in 0..POINTS {
        let wanted = point as f64 * 0.01;
        at += points[at..].partition_point(|&(recall, _)| recall < wanted);
        let Some(&(_, precision)) = points.get(at) else {
            break;
        };
        sum += precision;
    }
    let recall = points.last().map_or(0.0, |&(recall, _)| recall);
    (sum / POINTS as f64, recall)
}

/// The largest F1 over all confidences from which predictions could be taken, and that confidence;
/// the higher one of equals.
pub(super) fn best_f1(
    predictions: impl Iterator<Item = (f64, bool)>,
    instances: u64,
) -> Option<(f64, f64)> {
    let mut predictions = predictions.peekable();
    let (mut right, mut seen) = (0_u64, 0_u64);
    let mut best: Option<(f64, f64)> = None;
    while let Some((confidence, hit)) = predictions.next() {
        right += u64::from(hit);
        seen += 1;
        // Predictions of one confidence are taken together.
        if predictions
            .peek()
            .is_some_and(|&(next, _)| next == confidence)
        {
            continue;
        }
        let f1 = 2.0 * right as f64 / (seen + instances) as f64;
        if best.is_none_or(|(known, _)| f1 > known) {
            best = Some((f1, confidence));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ap(hits: &[bool], instances: u64) -> (f64, f64) {
        average_precision(hits.iter().copied(), instances, &mut Vec::new())
    }

    #[test]
    fn all_right_is_one_and_nothing_is_zero() {
        assert_eq!(ap(&[true, true], 2), (1.0, 1.0));
        assert_eq!(ap(&[], 3), (0.0, 0.0));
        assert_eq!(ap(&[false], 3), (0.0, 0.0));
    }

    #[test]
    fn half_the_truths_fill_half_of_the_points() {
        // Recall 0.5 is reached with precision 1: the points 0, 0.01, ..., 0.5.
        assert_eq!(ap(&[true, false], 2), (51.0 / 101.0, 0.5));
    }

    #[test]
    fn a_later_rise_of_precision_counts_for_earlier_recalls() {
        // Precisions 0, 1/2, 2/3: the envelope is 2/3 everywhere.
        let (found, recall) = ap(&[false, true, true], 2);
        assert!((found - 2.0 / 3.0).abs() < 1e-15 && recall == 1.0);
    }

    #[test]
    fn equal_confidences_are_taken_together() {
        // Alone the first would give F1 1; both share a confidence, so one is wrong.
        let best = best_f1([(0.9, true), (0.9, false)].into_iter(), 1);
        assert_eq!(best, Some((2.0 / 3.0, 0.9)));
        assert_eq!(best_f1(std::iter::empty(), 1), None);
    }
}
