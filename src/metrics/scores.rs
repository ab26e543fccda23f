//! Pure functions on the class scores of one sample.
//!
//! Everything is computed in f64 from f32 scores and costs one exponential per class.

/// What class scores are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// Unnormalised log-probabilities, as a last linear layer gives them.
    Logits,
    /// Probabilities that sum to 1, as softmax gives them.
    Probabilities,
}

/// The distribution over classes that the scores of one sample define.
///
/// Classes with equal scores are ordered by index: the lower one comes first, as in NumPy's argmax.
///
/// # Shapes and units
/// `scores` `[classes]`; losses and entropies in nats; a class outside the scores gives NaN.
///
/// ```
/// use emberlens::metrics::Distribution;
/// let logits = [2.0_f32.ln(), 0.0];
/// let two_to_one = Distribution::from_logits(&logits).unwrap();
/// assert_eq!(two_to_one.predicted(), 0);
/// assert!((two_to_one.confidence() - 2.0 / 3.0).abs() < 1e-7);
/// assert!((two_to_one.cross_entropy(1) - 3.0_f64.ln()).abs() < 1e-7);
/// ```
///
/// # Source
/// Softmax, cross-entropy and the shift by the maximum: Goodfellow, Bengio, Courville, *Deep
/// Learning* (2016), sections 4.1 and 6.2.2.3.
#[derive(Clone, Copy, Debug)]
pub struct Distribution<'a> {
    scores: &'a [f32],
    kind: ScoreKind,
    first: usize,
    second: Option<usize>,
    max: f64,
    total: f64,
    log_total: f64,
    entropy: f64,
}

impl<'a> Distribution<'a> {
    /// The softmax of logits: `p_i = exp(x_i) / sum_j exp(x_j)`.
    ///
    /// A logit of minus infinity is a class of probability 0. `None` when the logits define no
    /// distribution: none given, a NaN, plus infinity, or minus infinity everywhere.
    pub fn from_logits(logits: &'a [f32]) -> Option<Self> {
        let (first, second) = top_two(logits)?;
        let max = f64::from(*logits.get(first)?);
        if max == f64::NEG_INFINITY {
            return None;
        }
        // The largest term is exactly 1; leaving it out keeps small losses exact through ln_1p.
        let (mut rest, mut weighted) = (0.0, 0.0);
        for (class, &logit) in logits.iter().enumerate() {
            let shifted = f64::from(logit) - max;
            let term = shifted.exp();
            if class != first && term > 0.0 {
                rest += term;
                weighted += term * shifted;
            }
        }
        let (total, log_total) = (1.0 + rest, rest.ln_1p());
        Some(Self {
            scores: logits,
            kind: ScoreKind::Logits,
            first,
            second,
            max,
            total,
            log_total,
            entropy: log_total - weighted / total,
        })
    }

    /// Probabilities, divided by their sum so that rounding does not show.
    ///
    /// `None` when they define no distribution: none given, a NaN, an infinity, a negative value
    /// or a sum of 0.
    pub fn from_probabilities(probabilities: &'a [f32]) -> Option<Self> {
        let (first, second) = top_two(probabilities)?;
        let total: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
        if total <= 0.0 || probabilities.iter().any(|&p| p < 0.0) {
            return None;
        }
        let entropy = probabilities
            .iter()
            .filter(|&&p| p > 0.0)
            .map(|&p| f64::from(p) / total)
            .map(|p| -p * p.ln())
            .sum();
        Some(Self {
            scores: probabilities,
            kind: ScoreKind::Probabilities,
            first,
            second,
            max: f64::from(*probabilities.get(first)?),
            total,
            log_total: total.ln(),
            entropy,
        })
    }

    /// The distribution of scores of that kind.
    pub fn from_scores(scores: &'a [f32], kind: ScoreKind) -> Option<Self> {
        match kind {
            ScoreKind::Logits => Self::from_logits(scores),
            ScoreKind::Probabilities => Self::from_probabilities(scores),
        }
    }

    /// The most probable class.
    pub fn predicted(&self) -> usize {
        self.first
    }

    /// The probability of the most probable class.
    pub fn confidence(&self) -> f64 {
        self.probability(self.first)
    }

    /// The probability of a class.
    pub fn probability(&self, class: usize) -> f64 {
        let score = self.score(class);
        match self.kind {
            ScoreKind::Logits => (score - self.max).exp() / self.total,
            ScoreKind::Probabilities => score / self.total,
        }
    }

    /// The logarithm of the probability of a class, nats; minus infinity for probability 0.
    pub fn log_probability(&self, class: usize) -> f64 {
        let score = self.score(class);
        match self.kind {
            ScoreKind::Logits => score - self.max - self.log_total,
            ScoreKind::Probabilities => score.ln() - self.log_total,
        }
    }

    /// The loss when `class` is the truth: `-ln p_class`, nats; infinite for probability 0.
    pub fn cross_entropy(&self, class: usize) -> f64 {
        // `0.0 -` and not a sign change: a certain prediction has the loss 0, not -0.
        0.0 - self.log_probability(class)
    }

    /// The probability of `class` minus that of the best other class, -1 to 1; negative when
    /// another class is predicted.
    ///
    /// # Source
    /// The normalised margin of Northcutt, Jiang, Chuang, *Confident Learning* (JAIR 2021).
    pub fn margin(&self, class: usize) -> f64 {
        let other = if class == self.first {
            self.second
        } else {
            Some(self.first)
        };
        self.probability(class) - other.map_or(0.0, |other| self.probability(other))
    }

    /// Shannon's entropy `-sum_i p_i ln p_i`, nats.
    pub fn entropy(&self) -> f64 {
        self.entropy
    }

    /// The entropy divided by its maximum `ln(classes)`: 0 is certain, 1 is uniform.
    pub fn normalised_entropy(&self) -> f64 {
        match self.scores.len() {
            0 | 1 => 0.0,
            classes => (self.entropy / (classes as f64).ln()).clamp(0.0, 1.0),
        }
    }

    /// How many classes come before `class`: 0 for the predicted one.
    ///
    /// `class` is among the top k when its rank is below k.
    pub fn rank(&self, class: usize) -> usize {
        let Some(own) = self.scores.get(class) else {
            return self.scores.len();
        };
        let before = |(index, score): (usize, &f32)| score > own || (score == own && index < class);
        self.scores
            .iter()
            .enumerate()
            .filter(|&pair| before(pair))
            .count()
    }

    fn score(&self, class: usize) -> f64 {
        self.scores
            .get(class)
            .map_or(f64::NAN, |&score| f64::from(score))
    }
}

/// Writes the log-softmax `x_i - ln sum_j exp(x_j)` of `logits` over `out`, summing in f64.
///
/// All NaN when the logits define no distribution (see [`Distribution::from_logits`]). Only the
/// common length is written when the lengths differ.
pub fn log_softmax(logits: &[f32], out: &mut [f32]) {
    let distribution = Distribution::from_logits(logits);
    for (class, value) in out.iter_mut().enumerate().take(logits.len()) {
        *value = distribution.map_or(f32::NAN, |d| d.log_probability(class) as f32);
    }
}

/// The cross-entropy `ln sum_j exp(x_j) - x_label` of logits, nats, before any reduction.
///
/// NaN when the logits define no distribution or have no such label.
pub fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    Distribution::from_logits(logits).map_or(f64::NAN, |d| d.cross_entropy(label))
}

/// The index of the largest value, the first one among equals; `None` for no values or any NaN.
pub fn argmax(values: &[f32]) -> Option<usize> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    values
        .iter()
        .enumerate()
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(index, _)| index)
}

/// The indices of the `k` largest values, largest first, equals by index; NaN counts as minus
/// infinity.
///
/// The indices are left in `out`, whose allocation is reused.
pub fn top_k(values: &[f32], k: usize, out: &mut Vec<usize>) {
    let value = |index: usize| match values.get(index) {
        Some(value) if !value.is_nan() => *value,
        _ => f32::NEG_INFINITY,
    };
    out.clear();
    // Sorted insertion: for the usual small k nearly every value ends at the first comparison.
    for index in 0..values.len() {
        let own = value(index);
        if out.len() < k || out.last().is_some_and(|&last| own > value(last)) {
            let place = out.partition_point(|&known| value(known) >= own);
            out.insert(place, index);
            out.truncate(k);
        }
    }
}

/// Indices of the two largest scores; `None` when there is none, or one is NaN or plus infinity.
fn top_two(scores: &[f32]) -> Option<(usize, Option<usize>)> {
    let (mut first, mut best) = (0, *scores.first()?);
    let mut second: Option<(usize, f32)> = None;
    let mut defined = best < f32::INFINITY;
    for (index, &score) in scores.iter().enumerate().skip(1) {
        // False for NaN as well.
        defined &= score < f32::INFINITY;
        if score > best {
            second = Some((first, best));
            (first, best) = (index, score);
        } else if second.is_none_or(|(_, known)| score > known) {
            second = Some((index, score));
        }
    }
    defined.then_some((first, second.map(|(index, _)| index)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [ScoreKind; 2] = [ScoreKind::Logits, ScoreKind::Probabilities];

    #[test]
    fn uniform_scores_give_the_closed_forms() {
        for classes in [2_usize, 3, 10, 1000] {
            let d = Distribution::from_logits(&vec![7.5; classes]).map(|d| {
                (
                    d.cross_entropy(1),
                    d.confidence(),
                    d.normalised_entropy(),
                    d.margin(1),
                )
            });
            let (loss, confidence, entropy, margin) = d.unwrap();
            assert!((loss - (classes as f64).ln()).abs() < 1e-12);
            assert!((confidence - 1.0 / classes as f64).abs() < 1e-15);
            assert!((entropy - 1.0).abs() < 1e-12);
            assert_eq!(margin, 0.0);
        }
    }

    #[test]
    fn a_tiny_loss_keeps_its_digits() {
        // -ln(1 / (1 + e^-40)) = e^-40 up to e^-80; naive f64 gives exactly 0.
        let loss = cross_entropy(&[40.0, 0.0], 0);
        assert!((loss / (-40.0_f64).exp() - 1.0).abs() < 1e-12, "{loss:e}");
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let mut out = [0.0; 2];
        log_softmax(&[3.0e38, -3.0e38], &mut out);
        assert_eq!(out[0], 0.0);
        assert_eq!(out[1], f32::NEG_INFINITY, "6e38 is beyond f32");
        assert!((cross_entropy(&[3.0e38, -3.0e38], 1) / 6.0e38 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_masked_class_has_probability_zero() {
        let d = Distribution::from_logits(&[0.0, f32::NEG_INFINITY, 0.0]).unwrap();
        assert_eq!(d.probability(1), 0.0);
        assert_eq!(d.cross_entropy(1), f64::INFINITY);
        assert!((d.entropy() - 2.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn undefined_scores_have_no_distribution() {
        for scores in [
            &[f32::NAN, 1.0][..],
            &[1.0, f32::NAN],
            &[f32::INFINITY, 0.0],
            &[],
        ] {
            assert!(
                KINDS
                    .iter()
                    .all(|&kind| Distribution::from_scores(scores, kind).is_none())
            );
        }
        assert!(Distribution::from_logits(&[f32::NEG_INFINITY; 3]).is_none());
        assert!(Distribution::from_probabilities(&[0.0; 3]).is_none());
        assert!(Distribution::from_probabilities(&[1.5, -0.5]).is_none());
        assert!(cross_entropy(&[f32::NAN, 0.0], 0).is_nan());
        assert!(cross_entropy(&[0.0, 0.0], 2).is_nan());
    }

    #[test]
    fn equal_scores_are_ordered_by_index() {
        let scores = [1.0, 3.0, 3.0, 0.0, 3.0];
        let d = Distribution::from_logits(&scores).unwrap();
        assert_eq!(argmax(&scores), Some(1));
        assert_eq!(d.predicted(), 1);
        assert_eq!([0, 1, 2, 3, 4].map(|class| d.rank(class)), [3, 0, 1, 4, 2]);
        let mut order = Vec::new();
        top_k(&scores, 2, &mut order);
        assert_eq!(order, [1, 2]);
        top_k(&scores, 9, &mut order);
        assert_eq!(order, [1, 2, 4, 0, 3]);
    }

    #[test]
    fn one_class_is_certain() {
        let d = Distribution::from_logits(&[-3.0]).unwrap();
        assert_eq!(
            (
                d.confidence(),
                d.cross_entropy(0),
                d.normalised_entropy(),
                d.margin(0)
            ),
            (1.0, 0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn nan_is_last_in_the_top() {
        let mut order = Vec::new();
        top_k(&[f32::NAN, 1.0, 2.0], 3, &mut order);
        assert_eq!(order, [2, 1, 0]);
        assert_eq!(argmax(&[f32::NAN, 1.0]), None);
    }

    proptest! {
        #[test]
        fn a_constant_added_to_all_logits_changes_nothing(
            // Multiples of 1/64 with a shift of whole numbers: the f32 sums are exact.
            grid in prop::collection::vec(-2000_i32..2000, 2..20),
            shift in -10_000_i32..10_000,
            pick in any::<prop::sample::Index>(),
        ) {
            let logits: Vec<f32> = grid.iter().map(|&g| g as f32 / 64.0).collect();
            let shifted: Vec<f32> = logits.iter().map(|x| x + shift as f32).collect();
            let label = pick.index(logits.len());
            let (a, b) = (Distribution::from_logits(&logits).unwrap(), Distribution::from_logits(&shifted).unwrap());
            prop_assert_eq!(a.cross_entropy(label), b.cross_entropy(label));
            prop_assert_eq!(a.predicted(), b.predicted());
            prop_assert_eq!(a.entropy(), b.entropy());
        }

        #[test]
        fn probabilities_stay_in_range_and_sum_to_one(
            logits in prop::collection::vec(-100.0_f32..100.0, 1..50),
            pick in any::<prop::sample::Index>(),
        ) {
            let d = Distribution::from_logits(&logits).unwrap();
            let label = pick.index(logits.len());
            let sum: f64 = (0..logits.len()).map(|class| d.probability(class)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-12);
            prop_assert!((0..logits.len()).all(|class| (0.0..=1.0).contains(&d.probability(class))));
            prop_assert!((0.0..=1.0).contains(&d.normalised_entropy()));
            prop_assert!((-1.0..=1.0).contains(&d.margin(label)));
            prop_assert!(d.cross_entropy(label) >= 0.0);
            prop_assert!(d.confidence() >= d.probability(label));
            prop_assert_eq!(d.rank(d.predicted()), 0);
            prop_assert_eq!(argmax(&logits), Some(d.predicted()));
        }

        #[test]
        fn logits_and_their_probabilities_agree(
            logits in prop::collection::vec(-8.0_f32..8.0, 2..12),
            pick in any::<prop::sample::Index>(),
        ) {
            let a = Distribution::from_logits(&logits).unwrap();
            let probabilities: Vec<f32> = (0..logits.len()).map(|class| a.probability(class) as f32).collect();
            let b = Distribution::from_probabilities(&probabilities).unwrap();
            let label = pick.index(logits.len());
            prop_assert!((a.cross_entropy(label) - b.cross_entropy(label)).abs() < 1e-5);
            prop_assert!((a.entropy() - b.entropy()).abs() < 1e-5);
            prop_assert!((a.margin(label) - b.margin(label)).abs() < 1e-6);
        }

        #[test]
        fn the_top_k_are_those_of_a_full_sort(
            values in prop::collection::vec((-5_i32..5).prop_map(|v| v as f32), 0..30),
            k in 0_usize..35,
        ) {
            let mut sorted: Vec<usize> = (0..values.len()).collect();
            sorted.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
            sorted.truncate(k);
            let mut top = vec![99; 3];
            top_k(&values, k, &mut top);
            prop_assert_eq!(top, sorted);
        }
    }
}
