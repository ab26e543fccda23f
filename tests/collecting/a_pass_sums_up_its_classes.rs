//! A collector may sum a pass up: the rows of its classes are written when the pass ends, at its
//! split and epoch, and only when it ends well.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::collect::{Loader, PassReport, collect_metrics};
use emberlens::metrics::{
    AxisAlignedBoxes, BBox, Detection, ImageInstances, InstanceCollector, InstanceOptions,
    InstanceSegmentation, InstanceTask, Keypoint, MetricsCollector, OrientedBox, OrientedDetection,
    PassCollector, Pose, PoseEstimation, Poses, PredictedInstance, Rle, TrueInstance, TruePose,
    evaluate,
};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{AngleDirection, AngleUnit, BoxFormat, Columns, CoordinateUnit, values};
use emberlens::{Error, ErrorKind, Result};

type Image = ImageInstances<BBox>;

/// Image `number` of a few dozen, with up to three boxes of three classes.
fn image(number: usize) -> Image {
    let at = |x: usize| BBox::new([x as f64, 0.0, 40.0, 40.0], BoxFormat::Xywh);
    let truth = (0..number % 3).map(|i| TrueInstance::new(at(100 * i), (number + i) as i64 % 3));
    let predicted = (0..number % 4).map(|i| {
        let confidence = ((number * 7 + i * 3) % 20) as f32 / 20.0;
        PredictedInstance::new(
            at(100 * i + number % 20),
            (number + i) as i64 % 3,
            confidence,
        )
    });
    ImageInstances::new(truth.collect(), predicted.collect())
}

fn images() -> Vec<Image> {
    (0..37).map(image).collect()
}

fn run() -> Run {
    Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap()
}

fn collect(
    run: &Run,
    collector: impl MetricsCollector<Vec<Image>, Vec<Image>> + Send + Sync,
    epoch: i64,
) -> Result<PassReport> {
    let images = images();
    collect_metrics(&images)
        .predictor(|batch: &Vec<Image>| Ok(batch.clone()))
        .collector(collector)
        .without_table()
        .constant("site", "north")
        .split("valid")
        .epoch(epoch)
        .loader(Loader::batch_size(8))
        .into_run(run)
}

#[test]
fn the_rows_are_those_of_an_evaluation_without_a_pass() {
    let run = run();
    let collector = || Detection::pixels(3).class_names(["a", "b", "c"]);
    let report = collect(&run, collector(), 4).unwrap();
    assert_eq!(report.rows, 37);
    assert_eq!(report.summed_rows, [("per_class".to_owned(), 3)]);

    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let options = InstanceOptions::new(3).class_names(["a", "b", "c"]);
    let evaluation = evaluate(&task, &images(), &options).unwrap();
    let map = evaluation.mean(|class| class.ap).unwrap();
    assert!(map > 0.05 && map < 0.95, "{map}");
    let scalar = report.aggregate("valid_per_class_ap_avg").unwrap();
    assert!((scalar - map).abs() < 1e-12);
    assert!(report.aggregate("valid_tp_avg").is_some());

    let read = |epoch| {
        let reader = run.reader().unwrap();
        let rows = reader.metrics("per_class").epoch(epoch).read().unwrap();
        let names: Vec<String> = values(&rows, "split").unwrap();
        assert_eq!(names, ["valid"; 3]);
        let ap = values::<Option<f64>>(&rows, "ap").unwrap();
        let expected: Vec<_> = evaluation.classes.iter().map(|class| class.ap).collect();
        assert_eq!(ap, expected);
        let classes = values::<i64>(&rows, "example_id").unwrap();
        assert_eq!(classes, [0, 1, 2]);
        rows
    };
    let site: Vec<String> = values(&read(4), "site").unwrap();
    assert_eq!(site, ["north"; 3]);

    // Without a pass the same rows come by hand.
    let position = Position::new("valid").epoch(5);
    let columns = evaluation.columns().with("site", vec!["south"; 3]);
    run.add_metrics("per_class", columns, None, Some(position))
        .unwrap();
    read(5);
    let both: Vec<i64> = run
        .reader()
        .unwrap()
        .metrics("per_class")
        .values("epoch")
        .unwrap();
    assert_eq!(both.len(), 6);
}

#[test]
fn every_pass_begins_anew() {
    let run = run();
    let collector = Detection::pixels(3);
    for epoch in 0..2 {
        collect(&run, collector.clone(), epoch).unwrap();
    }
    let reader = run.reader().unwrap();
    let of = |epoch| -> Vec<i64> {
        reader
            .metrics("per_class")
            .epoch(epoch)
            .values("instances")
            .unwrap()
    };
    assert_eq!(of(0), of(1));
    assert!(of(0).iter().sum::<i64>() > 20);
}

#[test]
fn what_the_second_stream_cannot_take_is_told_before_the_model_runs() {
    let run = run();
    let asked = Cell::new(0);
    let pass = |constant: &str| {
        let predictor = |images: &Vec<Image>| {
            asked.set(asked.get() + 1);
            Ok(images.clone())
        };
        let images = images();
        let pass = collect_metrics(&images).predictor(predictor);
        let pass = pass
            .collector(Detection::pixels(3))
            .constant(constant, 1_i64);
        pass.without_table().split("valid").into_run(&run)
    };
    let told = pass("recall").unwrap_err().to_string();
    assert!(told.contains("recall"), "{told}");
    assert_eq!(asked.get(), 0);
    let reader = run.reader().unwrap();
    assert!(reader.passes("default").is_empty() && reader.passes("per_class").is_empty());
    pass("fold").unwrap();
    assert!(asked.get() > 0);
}

/// Images whose predictions are a good box, a reversed one, one of NaN, and one of NaN confidence.
fn broken_images() -> Vec<Image> {
    let bbox = |x1: f64| BBox::new([0.0, 0.0, x1, 40.0], BoxFormat::Xyxy);
    let predicted = [(40.0, 0.9), (-3.0, 0.8), (f64::NAN, 0.7), (40.0, f32::NAN)];
    let predicted = predicted.map(|(x1, sure)| PredictedInstance::new(bbox(x1), 0, sure));
    let truth = vec![TrueInstance::new(bbox(40.0), 0)];
    vec![ImageInstances::new(truth, predicted.to_vec()); 3]
}

#[test]
fn broken_predictions_end_the_pass_or_are_left_out_and_counted() {
    let run = run();
    let images = broken_images();
    let pass = |collector: Detection| {
        let pass = collect_metrics(&images).predictor(|batch: &Vec<Image>| Ok(batch.clone()));
        let pass = pass.collector(collector).without_table();
        pass.split("valid").into_run(&run)
    };
    let told = pass(Detection::pixels(1)).unwrap_err().chain();
    assert!(
        told.contains("of image 0 = NaN") && told.contains("leave_out_broken"),
        "{told}"
    );
    pass(Detection::pixels(1).leave_out_broken(true)).unwrap();
    let reader = run.reader().unwrap();
    for (column, expected) in [("broken", 3), ("tp", 1), ("fp", 0)] {
        let found: Vec<i32> = reader.metrics("default").values(column).unwrap();
        assert_eq!(found, [expected; 3], "{column}");
    }
    let ap: Vec<Option<f64>> = reader.metrics("per_class").values("ap").unwrap();
    assert_eq!(ap, [Some(1.0)]);
}

/// The columns `broken` and `predictions` of one image with `sound` predictions and others.
fn left_out<T, S>(collector: InstanceCollector<T>, sound: S, broken: Vec<S>, truth: T::Truth)
where
    T: InstanceTask<Predicted = S>,
    T::Truth: Clone,
    S: Clone,
{
    let count = broken.len() as i32;
    let sure = |geometry: &S, label| PredictedInstance::new(geometry.clone(), label, 0.9);
    let mut predicted = vec![sure(&sound, 0)];
    predicted.extend(broken.iter().map(|geometry| sure(geometry, 0)));
    predicted.extend([sure(&sound, 7), sure(&sound, -1), sure(&sound, 1)]);
    let image = ImageInstances::new(vec![TrueInstance::new(truth, 0)], predicted);
    let strict = collector.collect(&(), &vec![image.clone()]).unwrap_err();
    assert_eq!(strict.kind(), ErrorKind::Invalid);
    let collector = collector.leave_out_broken(true);
    let columns = collector.collect(&(), &vec![image]).unwrap();
    let batch = columns.into_batch("test").unwrap();
    let of = |name| values::<i32>(&batch, name).unwrap();
    assert_eq!(of("broken"), [count + 2]);
    assert_eq!((of("tp"), of("fp"), of("fn")), (vec![1], vec![1], vec![0]));
}

#[test]
fn whatever_would_be_refused_is_left_out_of_every_kind() {
    let bbox = |x0: f64| BBox::new([x0, 0.0, 40.0, 40.0], BoxFormat::Xyxy);
    let bad = vec![bbox(f64::NAN), bbox(50.0), bbox(f64::INFINITY)];
    left_out(Detection::pixels(2), bbox(0.0), bad, bbox(0.0));

    let turned = |width: f64, angle: f64| {
        let values = [20.0, 20.0, width, 10.0, angle];
        OrientedBox::new(values, AngleUnit::Radians, AngleDirection::Clockwise)
    };
    let bad = vec![turned(-1.0, 0.0), turned(9.0, f64::NAN)];
    left_out(
        OrientedDetection::pixels(2),
        turned(9.0, 0.3),
        bad,
        turned(9.0, 0.3),
    );

    let mask =
        |height, width| Rle::from_counts(height, width, vec![2, height * width - 2]).unwrap();
    let bad = vec![mask(6, 4), mask(2, 2)];
    left_out(InstanceSegmentation::masks(2), mask(4, 6), bad, mask(4, 6));

    let pose = |xs: &[f64]| Pose::new(xs.iter().map(|x| Keypoint::new(*x, 5.0, 0.8)));
    let truth = TruePose::from_coco(&[1.0, 5.0, 2.0, 9.0, 5.0, 2.0], bbox(0.0));
    let bad = vec![pose(&[1.0]), pose(&[1.0, f64::NAN]), pose(&[1.0, 2.0, 3.0])];
    let poses = Poses::with_sigmas([0.05, 0.05]).unwrap();
    left_out(PoseEstimation::of(poses, 2), pose(&[1.0, 9.0]), bad, truth);
}

#[test]
fn without_a_truth_masks_have_the_size_of_the_first_and_a_wrong_truth_stays_an_error() {
    let mask = |height, width| Rle::from_counts(height, width, vec![0, height * width]).unwrap();
    let seen = |mask| PredictedInstance::new(mask, 0, 0.9);
    let sizes = [(4, 6), (6, 4), (4, 6)];
    let predicted = sizes
        .map(|(height, width)| seen(mask(height, width)))
        .to_vec();
    let collector = InstanceSegmentation::masks(1).leave_out_broken(true);
    let image = ImageInstances::new(vec![], predicted.clone());
    let batch = collector
        .collect(&(), &vec![image])
        .unwrap()
        .into_batch("test")
        .unwrap();
    assert_eq!(values::<i32>(&batch, "broken").unwrap(), [1]);
    assert_eq!(values::<i32>(&batch, "fp").unwrap(), [2]);

    let wrong = ImageInstances::new(vec![TrueInstance::new(mask(4, 6), 5)], predicted);
    let error = collector
        .collect(&(), &vec![wrong])
        .unwrap_err()
        .to_string();
    assert!(error.contains("label of truth 0"), "{error}");
}

#[test]
fn no_stream_no_rows() {
    let run = run();
    let report = collect(&run, Detection::pixels(3).per_class(None), 0).unwrap();
    assert!(report.summed_rows.is_empty());
    assert!(run.reader().unwrap().metrics("per_class").read().is_err());
}

#[test]
fn an_empty_split_has_rows_of_classes_that_were_never_seen() {
    let run = run();
    let none: Vec<Image> = Vec::new();
    let report = collect_metrics(&none)
        .predictor(|batch: &Vec<Image>| Ok(batch.clone()))
        .collector(Detection::pixels(2))
        .without_table()
        .into_run(&run)
        .unwrap();
    assert_eq!(report.summed_rows, [("per_class".to_owned(), 2)]);
    let reader = run.reader().unwrap();
    let ap: Vec<Option<f64>> = reader.metrics("per_class").values("ap").unwrap();
    assert_eq!(ap, [None, None]);
}

#[test]
fn two_collectors_need_two_streams() {
    let run = run();
    let images = images();
    let pass = |stream| {
        collect_metrics(&images)
            .predictor(|batch: &Vec<Image>| Ok(batch.clone()))
            .collector(Detection::pixels(3))
            .collector(
                Detection::pixels(3)
                    .prefix("second_")
                    .per_class(Some(stream)),
            )
            .without_table()
            .into_run(&run)
    };
    for taken in ["per_class", "default"] {
        let error = pass(taken).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains(&format!("stream = `{taken}`")), "{text}");
    }
    assert_eq!(pass("second_classes").unwrap().summed_rows.len(), 2);
}

#[test]
fn passes_into_two_streams_keep_their_classes_apart() {
    let run = run();
    let images = images();
    for stream in ["teacher", "student"] {
        let report = collect_metrics(&images)
            .predictor(|batch: &Vec<Image>| Ok(batch.clone()))
            .collector(Detection::pixels(3))
            .without_table()
            .split("valid")
            .stream(stream)
            .into_run(&run)
            .unwrap();
        assert_eq!(report.summed_rows[0].0, format!("{stream}_per_class"));
    }
    let reader = run.reader().unwrap();
    for stream in ["teacher_per_class", "student_per_class"] {
        let rows = reader.metrics(stream).split("valid").read().unwrap();
        assert_eq!(rows.num_rows(), 3, "{stream}");
    }
}

/// Fails on the batch of that number, or at the end.
struct Failing {
    batch: usize,
    seen: AtomicUsize,
}

struct FailingPass<'a>(&'a Failing);

impl MetricsCollector<Vec<Image>, Vec<Image>> for Failing {
    fn collect(&self, _: &Vec<Image>, _: &Vec<Image>) -> Result<Columns> {
        Err(Error::user("a pass has its own collector"))
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<Vec<Image>, Vec<Image>> + 'a>> {
        Some(Box::new(FailingPass(self)))
    }
}

impl PassCollector<Vec<Image>, Vec<Image>> for FailingPass<'_> {
    fn stream(&self) -> &str {
        "sums"
    }

    fn collect(&mut self, batch: &Vec<Image>, _: &Vec<Image>) -> Result<Columns> {
        if self.0.seen.fetch_add(1, Ordering::Relaxed) == self.0.batch {
            return Err(Error::user("the third batch is odd"));
        }
        Ok(Columns::new().with("one", vec![1_i32; batch.len()]))
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        Err(Error::user("nothing adds up"))
    }
}

#[test]
fn a_pass_that_cannot_be_summed_up_is_no_pass() {
    for (batch, reason) in [
        (2, "the third batch is odd"),
        (usize::MAX, "nothing adds up"),
    ] {
        let run = run();
        let seen = AtomicUsize::new(0);
        let error = collect(&run, Failing { batch, seen }, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UserCode);
        assert!(error.chain().contains(reason), "{}", error.chain());
        let reader = run.reader().unwrap();
        let incomplete = reader.incomplete_passes();
        let streams: Vec<&str> = incomplete.iter().map(|pass| pass.stream.as_str()).collect();
        assert_eq!(streams, ["default", "sums"]);
        assert_eq!(reader.metrics("sums").read().unwrap().num_rows(), 0);
    }
}
