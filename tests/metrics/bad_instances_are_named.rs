//! Boxes, labels and confidences that mean nothing are refused by image, instance and value; what
//! COCO defines is computed.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::metrics::{
    AxisAlignedBoxes, BBox, ImageInstances, InstanceOptions, PredictedInstance, TrueInstance,
    evaluate, instance_columns,
};
use emberlens::table::{BoxFormat, CoordinateUnit, values};

const TASK: AxisAlignedBoxes = AxisAlignedBoxes::new(CoordinateUnit::Pixels);

fn xyxy(values: [f64; 4]) -> BBox {
    BBox::new(values, BoxFormat::Xyxy)
}

fn good() -> BBox {
    xyxy([0.0, 0.0, 10.0, 10.0])
}

/// The error of three images, of which the last has this truth and this prediction.
fn refused(truth: TrueInstance<BBox>, predicted: PredictedInstance<BBox>) -> String {
    let fine = TrueInstance::new(good(), 0);
    let last = ImageInstances::new(vec![fine, truth], vec![predicted]);
    let images = [ImageInstances::default(), ImageInstances::default(), last];
    let options = InstanceOptions::new(2);
    let of_images = instance_columns(&TASK, &images, &options).unwrap_err();
    let of_classes = evaluate(&TASK, &images, &options).unwrap_err();
    assert_eq!(of_images.kind(), ErrorKind::Invalid);
    assert_eq!(of_images.to_string(), of_classes.to_string());
    of_images.to_string()
}

#[test]
fn what_means_nothing() {
    let truth = |bbox| TrueInstance::new(bbox, 0);
    let sure = |bbox| PredictedInstance::new(bbox, 1, 0.5);
    let nan = xyxy([0.0, f64::NAN, 1.0, 1.0]);
    let reversed = xyxy([5.0, 0.0, 2.0, 1.0]);
    for (text, part) in [
        (
            refused(truth(nan), sure(good())),
            "y of truth 1 of image 2 = NaN",
        ),
        (
            refused(truth(good()), sure(nan)),
            "y of prediction 0 of image 2 = NaN",
        ),
        (
            refused(truth(reversed), sure(good())),
            "width of truth 1 of image 2 = -3",
        ),
        (
            refused(truth(good()), sure(xyxy([f64::INFINITY, 0.0, 1.0, 1.0]))),
            "x of prediction 0 of image 2 = inf",
        ),
        (
            refused(TrueInstance::new(good(), 2), sure(good())),
            "label of truth 1 of image 2 = 2: the classes are 0..2",
        ),
        (
            refused(truth(good()), PredictedInstance::new(good(), -1, 0.5)),
            "label of prediction 0 of image 2 = -1",
        ),
        (
            refused(truth(good()), PredictedInstance::new(good(), 0, f32::NAN)),
            "confidence of prediction 0 of image 2 = NaN",
        ),
        (
            refused(truth(good()).area(-4.0), sure(good())),
            "area of truth 1 of image 2 = -4",
        ),
    ] {
        assert!(text.contains(part), "{text} does not say {part}");
    }
}

#[test]
fn parameters_are_checked_first() {
    for (options, part) in [
        (InstanceOptions::new(0), "n_classes = 0"),
        (
            InstanceOptions::new(usize::MAX),
            "from 1 to 1048576 classes",
        ),
        (
            InstanceOptions::new(2).class_names(["one"]),
            "class_names = 1 names",
        ),
        (InstanceOptions::new(2).threshold(0.0), "threshold = 0"),
        (
            InstanceOptions::new(2).threshold(f64::NAN),
            "threshold = NaN",
        ),
        (
            InstanceOptions::new(2).confidence(f64::NAN),
            "confidence = NaN",
        ),
    ] {
        let text = evaluate(&TASK, &[], &options).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
        assert!(instance_columns(&TASK, &[], &options).is_err());
    }
}

#[test]
fn what_coco_defines() {
    let line = xyxy([3.0, 3.0, 3.0, 9.0]);
    let outside = xyxy([-900.0, -900.0, -890.0, -890.0]);
    let images = [
        // Nothing there, nothing seen.
        ImageInstances::default(),
        // Nothing there, one seen.
        ImageInstances::new(vec![], vec![PredictedInstance::new(good(), 0, 0.9)]),
        // One there, nothing seen.
        ImageInstances::new(vec![TrueInstance::new(good(), 0)], vec![]),
        // A box without area is alike to nothing, not even to itself.
        ImageInstances::new(
            vec![TrueInstance::new(line, 0)],
            vec![PredictedInstance::new(line, 0, 0.8)],
        ),
        // A box beyond the image is a box.
        ImageInstances::new(
            vec![TrueInstance::new(outside, 0)],
            vec![PredictedInstance::new(outside, 0, 0.7)],
        ),
        // Whatever lies in a crowd counts neither way.
        ImageInstances::new(
            vec![TrueInstance::new(xyxy([0.0, 0.0, 100.0, 100.0]), 0).crowd(true)],
            (0..3)
                .map(|_| PredictedInstance::new(good(), 0, 0.6))
                .collect(),
        ),
    ];
    let batch = instance_columns(&TASK, &images, &InstanceOptions::new(1)).unwrap();
    let batch = batch.into_batch("test").unwrap();
    assert_eq!(values::<i32>(&batch, "tp").unwrap(), [0, 0, 0, 0, 1, 0]);
    assert_eq!(values::<i32>(&batch, "fp").unwrap(), [0, 1, 0, 1, 0, 0]);
    assert_eq!(values::<i32>(&batch, "fn").unwrap(), [0, 0, 1, 1, 0, 0]);
    let class = evaluate(&TASK, &images, &InstanceOptions::new(1))
        .unwrap()
        .classes
        .remove(0);
    assert_eq!(
        (class.instances, class.images, class.predictions),
        (3, 3, 6)
    );
    assert_eq!(
        (class.precision, class.recall),
        (Some(1.0 / 3.0), Some(1.0 / 3.0))
    );
}
