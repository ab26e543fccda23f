//! One row for each box: what it looks like, how well it fits, and its features.

use emberlens::metrics::{BBox, MetricsCollector, PassCollector};
use emberlens::table::{Column, Columns, Role};
use emberlens::{Error, Result};
use emberlens_burn::{BurnPrediction, Indexed};
use ndarray::{Array2, Axis};

use crate::batch::SampleBatch;
use crate::grid::{CONFIDENT, Seen};
use crate::output::DetectorOutput;
use crate::sample::Sample;
use crate::scenes::SIDE;

/// The stream of the rows.
pub const STREAM: &str = "boxes";
/// The column of the features.
pub const EMBEDDING: &str = "box_embedding";
/// A box that fits no object so well shows none.
const TOUCHES: f64 = 0.1;

/// Collects a row for each confident box into the stream [`STREAM`].
///
/// `example_id` is the image, `instance` the place of the box in `boxes_predicted`.
#[derive(Clone, Debug)]
pub struct BoxRows {
    /// Names of the classes.
    pub names: Vec<String>,
}

impl MetricsCollector<SampleBatch, BurnPrediction<DetectorOutput>> for BoxRows {
    fn collect(&self, _: &SampleBatch, _: &BurnPrediction<DetectorOutput>) -> Result<Columns> {
        Ok(Columns::new()) // the pass below collects boxes; images have no column of it
    }

    fn begin_pass(
        &self,
    ) -> Option<Box<dyn PassCollector<SampleBatch, BurnPrediction<DetectorOutput>> + '_>> {
        Some(Box::new(Rows {
            names: &self.names,
            ..Rows::default()
        }))
    }
}

/// The rows of a pass so far.
#[derive(Default)]
struct Rows<'a> {
    names: &'a [String],
    image: Vec<i64>,
    instance: Vec<i64>,
    label: Vec<Option<i32>>,
    predicted: Vec<i32>,
    confidence: Vec<f32>,
    iou: Vec<f32>,
    luminosity: Vec<f32>,
    size: Vec<f32>,
    overlap: Vec<Option<f32>>,
    embedding: Vec<f32>,
    width: usize,
}

impl PassCollector<SampleBatch, BurnPrediction<DetectorOutput>> for Rows<'_> {
    fn stream(&self) -> &str {
        STREAM
    }

    fn collect(
        &mut self,
        batch: &SampleBatch,
        prediction: &BurnPrediction<DetectorOutput>,
    ) -> Result<Columns> {
        let features = prediction.hidden.get("features");
        let features = features.ok_or_else(|| Error::user("the model shows no features"))?;
        self.width = features.shape()[1];
        for (place, (sample, seen)) in batch.samples.iter().zip(prediction.seen()?).enumerate() {
            for seen in seen.iter().filter(|one| one.confidence >= CONFIDENT) {
                let (row, column) = seen.cell;
                self.add(seen, sample);
                let of_image = features.index_axis(Axis(0), place);
                let of_cell = of_image.index_axis(Axis(1), row);
                self.embedding.extend(of_cell.index_axis(Axis(1), column));
            }
        }
        Ok(Columns::new())
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        let shape = (self.image.len(), self.width);
        let embedding = Array2::from_shape_vec(shape, self.embedding).map_err(Error::user)?;
        let category = || Role::category(self.names);
        Ok(Columns::new()
            .with("example_id", Column::from(self.image).role(Role::Id))
            .with("instance", Column::from(self.instance).role(Role::Id))
            .with("label", Column::from(self.label).role(category()))
            .with("predicted", Column::from(self.predicted).role(category()))
            .with("confidence", self.confidence)
            .with("iou", self.iou)
            .with("luminosity", self.luminosity)
            .with("size", self.size)
            .with("overlap", self.overlap)
            .with(EMBEDDING, Column::embedding(embedding.view())))
    }
}

impl Rows<'_> {
    fn add(&mut self, seen: &Seen, sample: &Indexed<Sample>) {
        let Indexed { example_id, item } = sample;
        let bbox = item.to_image(seen.bbox);
        let fits = item.truth.iter().map(|truth| bbox.iou(&truth.geometry));
        let nearest = fits.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let shown = nearest.filter(|(_, iou)| *iou >= TOUCHES);
        self.image.push(*example_id as i64);
        self.instance.push(seen.place as i64);
        self.label
            .push(shown.map(|(at, _)| item.truth[at].label as i32));
        self.predicted.push(seen.class as i32);
        self.confidence.push(seen.confidence);
        self.iou.push(nearest.map_or(0.0, |(_, iou)| iou as f32));
        self.luminosity
            .push(luminosity(&item.picture.grey, seen.bbox));
        self.size.push(bbox.area().sqrt() as f32);
        self.overlap.push(shown.map(|(at, _)| overlap(item, at)));
    }
}

/// The share of a true box that the box of one other object covers at most.
fn overlap(sample: &Sample, at: usize) -> f32 {
    let own: &BBox = &sample.truth[at].geometry;
    let others = sample
        .truth
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at);
    let shares = others.map(|(_, other)| own.share_in(&other.geometry));
    shares.fold(0.0, f64::max) as f32
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
