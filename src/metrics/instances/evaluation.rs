//! The evaluation by class: numbers, means over classes, and columns of a stream.

use std::sync::Arc;

use super::InstanceOptions;
use super::curve::{average_precision, best_f1};
use super::evaluator::{AREAS, Outcome, Seen, THRESHOLDS};
use crate::table::{Column, Columns, Role};

/// The evaluation of all classes; see [`ClassEvaluation`] for the numbers.
///
/// COCO's summary is the mean over classes: `mean(|class| class.ap)` is its first number, mAP.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Images seen.
    pub images: u64,
    /// One for each class, by label.
    pub classes: Vec<ClassEvaluation>,
    pub(super) class_names: Arc<[String]>,
}

/// The evaluation of one class.
///
/// A number is `None` where nothing defines it: recall, F1 and average precision without truths (-1
/// in pycocotools), precision without predictions. Truths that are crowds, or have no visible
/// keypoint, are not counted. `ap_*` are average precisions, `ar_*` recalls averaged over the
/// thresholds 0.5, 0.55, ..., 0.95 of IoU (OKS for keypoints).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassEvaluation {
    /// The class.
    pub label: usize,
    /// Images with a truth of the class.
    pub images: u64,
    /// Truths.
    pub instances: u64,
    /// Predictions, at most `max_per_class` of an image.
    pub predictions: u64,
    /// Share of predictions from the options' confidence on that are right, at a threshold of 0.5.
    pub precision: Option<f64>,
    /// Share of truths that those predictions find, at a threshold of 0.5.
    pub recall: Option<f64>,
    /// Average precision, mean over the thresholds 0.5, 0.55, ..., 0.95.
    pub ap: Option<f64>,
    /// Average precision at 0.5.
    pub ap_50: Option<f64>,
    /// Average precision at 0.75.
    pub ap_75: Option<f64>,
    /// `ap` of areas up to 32^2 pixels.
    pub ap_small: Option<f64>,
    /// `ap` of areas from 32^2 to 96^2 pixels.
    pub ap_medium: Option<f64>,
    /// `ap` of areas from 96^2 pixels.
    pub ap_large: Option<f64>,
    /// Mean recall of the most confident prediction of every image.
    pub ar_1: Option<f64>,
    /// Mean recall of the 10 most confident predictions of every image.
    pub ar_10: Option<f64>,
    /// Mean recall of all predictions.
    pub ar: Option<f64>,
    /// `ar` of areas up to 32^2 pixels.
    pub ar_small: Option<f64>,
    /// `ar` of areas from 32^2 to 96^2 pixels.
    pub ar_medium: Option<f64>,
    /// `ar` of areas from 96^2 pixels.
    pub ar_large: Option<f64>,
    /// The largest F1 over all confidences, at a threshold of 0.5.
    pub best_f1: Option<f64>,
    /// The confidence from which predictions must be taken to reach it.
    pub best_f1_confidence: Option<f64>,
}

impl ClassEvaluation {
    pub(super) fn of(label: usize, seen: &Seen, areas: usize, options: &InstanceOptions) -> Self {
        let mut order: Vec<usize> = (0..seen.confidence.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (seen.confidence[a], seen.confidence[b]);
            b.partial_cmp(&a).unwrap_or(std::cmp::Ordering::Equal)
        });
        let curves = Curves {
            seen,
            order: &order,
            areas,
        };
        let all = curves.at(0);
        let [small, medium, large] = [1, 2, 3].map(|area| {
            if area < areas {
                curves.at(area)
            } else {
                Curve::default()
            }
        });
        let instances = seen.instances[0];
        let best = curves.best_f1();
        let sure = curves
            .counted(0, 0)
            .filter(|(confidence, _)| *confidence >= options.confidence);
        let (right, counted) = sure.fold((0_u64, 0_u64), |(right, counted), (_, hit)| {
            (right + u64::from(hit), counted + 1)
        });
        let share = |of: u64| (of > 0).then(|| right as f64 / of as f64);
        Self {
            label,
            images: seen.images,
            instances,
            predictions: seen.confidence.len() as u64,
            precision: share(counted),
            recall: share(instances),
            ap: all.mean(),
            ap_50: all.precisions.first().copied(),
            ap_75: all.precisions.get(5).copied(),
            ap_small: small.mean(),
            ap_medium: medium.mean(),
            ap_large: large.mean(),
            ar_1: curves.mean_recall(1),
            ar_10: curves.mean_recall(10),
            ar: mean(&all.recalls),
            ar_small: mean(&small.recalls),
            ar_medium: mean(&medium.recalls),
            ar_large: mean(&large.recalls),
            best_f1: (instances > 0).then(|| best.map_or(0.0, |(f1, _)| f1)),
            best_f1_confidence: best.map(|(_, confidence)| confidence),
        }
    }
}

/// Average precision and recall at each threshold; empty without truths.
#[derive(Default)]
struct Curve {
    precisions: Vec<f64>,
    recalls: Vec<f64>,
}

impl Curve {
    fn mean(&self) -> Option<f64> {
        mean(&self.precisions)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The outcomes of one class by falling confidence.
struct Curves<'a> {
    seen: &'a Seen,
    order: &'a [usize],
    areas: usize,
}

impl<'a> Curves<'a> {
    fn outcome(&self, prediction: usize, area: usize) -> Outcome {
        self.seen.outcomes[prediction * self.areas + area]
    }

    /// Confidence of the predictions that count, and whether they are right.
    fn counted(&self, area: usize, bit: usize) -> impl Iterator<Item = (f64, bool)> + use<'_, 'a> {
        self.order.iter().filter_map(move |&prediction| {
            let outcome = self.outcome(prediction, area);
            let hit = outcome.matched >> bit & 1 == 1;
            let counts = outcome.ignored >> bit & 1 == 0;
            counts.then(|| (self.seen.confidence[prediction], hit))
        })
    }

    fn at(&self, area: usize) -> Curve {
        let instances = self.seen.instances[area];
        if instances == 0 {
            return Curve::default();
        }
        let mut points = Vec::with_capacity(self.order.len());
        let of = |bit| {
            let hits = self.counted(area, bit).map(|(_, hit)| hit);
            average_precision(hits, instances, &mut points)
        };
        let (precisions, recalls) = (0..THRESHOLDS.len()).map(of).unzip();
        Curve {
            precisions,
            recalls,
        }
    }

    /// Recall of the `most` first predictions of every image, mean over the thresholds.
    fn mean_recall(&self, most: u32) -> Option<f64> {
        let instances = self.seen.instances[0];
        let first = (0..self.order.len()).filter(|&at| self.seen.place[at] < most);
        let hits: u64 = first
            .map(|prediction| {
                let outcome = self.outcome(prediction, 0);
                u64::from((outcome.matched & !outcome.ignored).count_ones())
            })
            .sum();
        let all = instances as f64 * THRESHOLDS.len() as f64;
        (instances > 0).then(|| hits as f64 / all)
    }

    fn best_f1(&self) -> Option<(f64, f64)> {
        let instances = self.seen.instances[0];
        let best = (instances > 0).then(|| best_f1(self.counted(0, 0), instances));
        best.flatten()
    }
}

impl Evaluation {
    /// The mean of a number over the classes that have it; `None` when none has.
    ///
    /// ```
    /// use emberlens::metrics::Evaluation;
    /// fn map(evaluation: &Evaluation) -> Option<f64> {
    ///     evaluation.mean(|class| class.ap)
    /// }
    /// ```
    pub fn mean(&self, of: impl Fn(&ClassEvaluation) -> Option<f64>) -> Option<f64> {
        mean(&self.classes.iter().filter_map(of).collect::<Vec<_>>())
    }

    /// One row for each class: the fields of [`ClassEvaluation`] by their names, `label` as a
    /// category, and `example_id`, which is the label too: such rows join no table.
    ///
    /// # Shapes and units
    /// Counts are i64, all other numbers f64 or null.
    pub fn columns(&self) -> Columns {
        let counts = |of: fn(&ClassEvaluation) -> u64| -> Vec<i64> {
            self.classes.iter().map(|class| of(class) as i64).collect()
        };
        let labels: Vec<i64> = self
            .classes
            .iter()
            .map(|class| class.label as i64)
            .collect();
        let category = Role::Category {
            names: self.class_names.clone(),
        };
        let short: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        let mut columns = Columns::new()
            .with("example_id", Column::from(labels).role(Role::Id))
            .with("label", Column::from(short).role(category))
            .with("images", counts(|class| class.images))
            .with("instances", counts(|class| class.instances))
            .with("predictions", counts(|class| class.predictions));
        for (name, of) in NUMBERS {
            columns.push(name, self.classes.iter().map(of).collect::<Vec<_>>());
        }
        columns
    }
}

type Number = fn(&ClassEvaluation) -> Option<f64>;

const NUMBERS: [(&str, Number); 16] = [
    ("precision", |class| class.precision),
    ("recall", |class| class.recall),
    ("ap", |class| class.ap),
    ("ap_50", |class| class.ap_50),
    ("ap_75", |class| class.ap_75),
    ("ap_small", |class| class.ap_small),
    ("ap_medium", |class| class.ap_medium),
    ("ap_large", |class| class.ap_large),
    ("ar_1", |class| class.ar_1),
    ("ar_10", |class| class.ar_10),
    ("ar", |class| class.ar),
    ("ar_small", |class| class.ar_small),
    ("ar_medium", |class| class.ar_medium),
    ("ar_large", |class| class.ar_large),
    ("best_f1", |class| class.best_f1),
    ("best_f1_confidence", |class| class.best_f1_confidence),
];

const _: () = assert!(THRESHOLDS.len() <= u16::BITS as usize && AREAS.len() == 4);
