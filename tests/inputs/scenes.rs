//! The scenes that `coco.py` made, with what pycocotools says of them, and the comparison.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

use std::path::Path;

use emberlens::metrics::{
    ClassEvaluation, Evaluation, ImageInstances, InstanceOptions, InstanceTask, PredictedInstance,
    TrueInstance, evaluate, instance_columns,
};
use emberlens::table::values;
use serde_json::Value;

/// The document of one kind: `detection`, `instances` or `poses`.
pub fn read(kind: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs");
    let text = std::fs::read_to_string(folder.join(format!("{kind}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

/// The images in order, from COCO's annotations and results.
pub fn images<T, P>(
    scenes: &Value,
    truth: impl Fn(&Value) -> T,
    predicted: impl Fn(&Value) -> P,
) -> Vec<ImageInstances<T, P>> {
    let count = scenes["images"].as_u64().unwrap();
    let mut images: Vec<ImageInstances<T, P>> =
        (0..count).map(|_| ImageInstances::default()).collect();
    let place = |one: &Value| one["image_id"].as_u64().unwrap() as usize - 1;
    for one in scenes["truths"].as_array().unwrap() {
        let instance = TrueInstance::new(truth(one), one["category_id"].as_i64().unwrap());
        let instance = instance.crowd(one["iscrowd"] == 1);
        let instance = instance.area(one["area"].as_f64().unwrap());
        images[place(one)].truth.push(instance);
    }
    for one in scenes["results"].as_array().unwrap() {
        let (label, score) = (one["category_id"].as_i64(), one["score"].as_f64());
        let instance = PredictedInstance::new(predicted(one), label.unwrap(), score.unwrap());
        images[place(one)].predicted.push(instance);
    }
    images
}

/// Stands in a summary for a number that is not among ours.
pub const NOT_OURS: &str = "(not ours)";

type Number = fn(&ClassEvaluation) -> Option<f64>;

const NUMBERS: [(&str, Number); 12] = [
    ("ap", |c| c.ap),
    ("ap_50", |c| c.ap_50),
    ("ap_75", |c| c.ap_75),
    ("ap_small", |c| c.ap_small),
    ("ap_medium", |c| c.ap_medium),
    ("ap_large", |c| c.ap_large),
    ("ar_1", |c| c.ar_1),
    ("ar_10", |c| c.ar_10),
    ("ar", |c| c.ar),
    ("ar_small", |c| c.ar_small),
    ("ar_medium", |c| c.ar_medium),
    ("ar_large", |c| c.ar_large),
];

fn close(found: Option<f64>, expected: &Value, what: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => {
            assert!(
                (found - expected).abs() < 1e-9,
                "{what}: {found} is not {expected}"
            );
        }
        (None, None) => {}
        (found, expected) => panic!("{what}: {found:?} is not {expected:?}"),
    }
}

/// Every number of every class, and COCO's summary, made of these columns in this order.
pub fn assert_evaluation<T: InstanceTask>(
    task: &T,
    images: &[ImageInstances<T::Truth, T::Predicted>],
    scenes: &Value,
    options: &InstanceOptions,
    summary: &[&str],
) -> Evaluation {
    let evaluation = evaluate(task, images, options).unwrap();
    let classes = scenes["per_class"].as_array().unwrap();
    assert_eq!(evaluation.classes.len(), classes.len());
    let mut compared = 0;
    for (class, expected) in evaluation.classes.iter().zip(classes) {
        for (name, of) in NUMBERS {
            if let Some(expected) = expected.get(name) {
                close(
                    of(class),
                    expected,
                    &format!("{name} of class {}", class.label),
                );
                compared += usize::from(!expected.is_null());
            }
        }
    }
    assert!(compared >= 25, "only {compared} numbers");
    let expected = scenes["summary"].as_array().unwrap();
    assert_eq!(expected.len(), summary.len());
    for (name, expected) in summary.iter().zip(expected) {
        if let Some((_, of)) = NUMBERS.iter().find(|(known, _)| known == name) {
            close(
                evaluation.mean(of),
                expected,
                &format!("{name} of the summary"),
            );
        } else {
            assert_eq!(*name, NOT_OURS);
        }
    }
    // In parts and on other threads it is the same to the last bit.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(
        pool.install(|| evaluate(task, images, options).unwrap()),
        evaluation
    );
    evaluation
}

/// tp, fp and fn of every image.
pub fn assert_counts<T: InstanceTask>(
    task: &T,
    images: &[ImageInstances<T::Truth, T::Predicted>],
    scenes: &Value,
) {
    let options = InstanceOptions::new(scenes["classes"].as_u64().unwrap() as usize)
        .confidence(scenes["confidence"].as_f64().unwrap())
        .max_per_image(scenes["most"].as_u64().unwrap() as usize);
    let columns = instance_columns(task, images, &options).unwrap();
    let batch = columns.into_batch("test").unwrap();
    for (matching, suffix) in [("strict", ""), ("relaxed", "_relaxed")] {
        let Some(expected) = scenes["per_image"][matching].as_array() else {
            continue;
        };
        let mut total = 0;
        for (at, name) in ["tp", "fp", "fn"].into_iter().enumerate() {
            let found = values::<i64>(&batch, &format!("{name}{suffix}")).unwrap();
            let expected: Vec<i64> = expected
                .iter()
                .map(|row| row[at].as_i64().unwrap())
                .collect();
            assert_eq!(found, expected, "{name}{suffix}");
            total += found.iter().sum::<i64>();
        }
        assert!(total > 50);
    }
}
