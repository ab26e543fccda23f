//! One row for each box: what it looks like, how well it fits, and its features.

use emberlens::metrics::{EmbeddedInstances, InstanceEmbeddings};
use emberlens::table::{Column, Columns, Role};
use emberlens::{Error, Result};
use emberlens_burn::BurnPrediction;
use ndarray::{Array2, ArrayViewD, Axis};

use crate::batch::SampleBatch;
use crate::fit::Fit;
use crate::grid::{CONFIDENT, Seen};
use crate::output::DetectorOutput;
use crate::sample::Sample;
use crate::scenes::SIDE;

/// The stream of the rows.
pub const STREAM: &str = "boxes";
/// The column of the features.
pub const EMBEDDING: &str = "box_embedding";

/// Collects a row for each confident box into the stream [`STREAM`], joined to the table of the images.
///
/// `example_id` is the image, `instance` the place of the box in `boxes_predicted`.
pub fn rows(
    names: Vec<String>,
) -> InstanceEmbeddings<
    impl Fn(&SampleBatch, &BurnPrediction<DetectorOutput>) -> Result<Vec<EmbeddedInstances>>,
> {
    let boxes = move |batch: &SampleBatch, prediction: &BurnPrediction<DetectorOutput>| {
        let features = prediction.hidden.get("features");
        let features = features.ok_or_else(|| Error::user("the model shows no features"))?;
        let samples = batch.samples.iter().zip(prediction.seen()?);
        let images = samples.zip(features.axis_iter(Axis(0)));
        let images = images.map(|((sample, seen), features)| {
            let confident = seen.iter().filter(|one| one.confidence >= CONFIDENT);
            of_image(
                &sample.item,
                &confident.collect::<Vec<_>>(),
                features,
                &names,
            )
        });
        images.collect()
    };
    InstanceEmbeddings::from_fn(boxes)
        .stream(STREAM)
        .column(EMBEDDING)
}

/// The boxes of one image; `features` `[channels, CELLS, CELLS]`.
fn of_image(
    sample: &Sample,
    seen: &[&Seen],
    features: ArrayViewD<'_, f32>,
    names: &[String],
) -> Result<EmbeddedInstances> {
    let mut vectors = Array2::zeros((seen.len(), features.shape()[0]));
    for (mut vector, seen) in vectors.outer_iter_mut().zip(seen) {
        let (row, column) = seen.cell;
        let of_row = features.index_axis(Axis(1), row);
        vector.assign(&of_row.index_axis(Axis(1), column));
    }
    let boxes = seen.iter().map(|one| sample.to_image(one.bbox));
    let boxes: Vec<_> = boxes.collect();
    let fits = boxes.iter().map(|bbox| Fit::of(bbox, &sample.truth));
    let fits: Vec<Fit> = fits.collect();
    let grey = &sample.picture.grey;
    let category = || Role::category(names);
    let labels: Vec<Option<i32>> = fits.iter().map(|fit| fit.label).collect();
    let predicted: Vec<i32> = seen.iter().map(|one| one.class as i32).collect();
    let numbers = |of: &dyn Fn(usize) -> f32| (0..seen.len()).map(of).collect::<Vec<f32>>();
    EmbeddedInstances::new(vectors)
        .numbered(seen.iter().map(|one| one.place as i64))?
        .columns(
            Columns::new()
                .with("label", Column::from(labels).role(category()))
                .with("predicted", Column::from(predicted).role(category()))
                .with("confidence", numbers(&|at| seen[at].confidence))
                .with("iou", numbers(&|at| fits[at].iou))
                .with("luminosity", numbers(&|at| luminosity(grey, seen[at].bbox)))
                .with("size", numbers(&|at| boxes[at].area().sqrt() as f32))
                .with(
                    "overlap",
                    fits.iter().map(|fit| fit.overlap).collect::<Vec<_>>(),
                ),
        )
}

/// Mean grey of the pixels in a box of the network's picture, 0 to 255; of the nearest one for a box
/// between pixels.
fn luminosity(pixels: &[u8], bbox: [f32; 4]) -> f32 {
    let [left, top, right, bottom] = bbox.map(|edge| edge.clamp(0.0, SIDE as f32 - 1.0) as usize);
    let rows = top..=bottom;
    let grey = rows.flat_map(|y| &pixels[y * SIDE + left..=y * SIDE + right]);
    let (count, sum) = grey.fold((0, 0), |(count, sum), &grey| {
        (count + 1, sum + u32::from(grey))
    });
    sum as f32 / count as f32
}
