//! One row for each box: what it looks like, how well it fits, and its features.

use emberlens::metrics::{BBox, MetricsCollector, PassCollector};
use emberlens::table::{BoxFormat, Column, Columns, Role};
use emberlens::{Error, Result};
use emberlens_burn::BurnPrediction;
use ndarray::{Array2, Axis};

use crate::batch::SceneBatch;
use crate::grid::{CONFIDENT, Seen};
use crate::output::DetectorOutput;
use crate::scenes::{CLASSES, SIDE, Scene};

/// The stream of the rows.
pub const STREAM: &str = "boxes";
/// The column of the features.
pub const EMBEDDING: &str = "box_embedding";
/// A box that fits no object so well shows none.
const TOUCHES: f64 = 0.1;

/// Collects a row for each confident box into the stream [`STREAM`].
///
/// `example_id` is the scene, `instance` the place of the box in `boxes_predicted`.
#[derive(Clone, Copy, Debug)]
pub struct BoxRows;

impl MetricsCollector<SceneBatch, BurnPrediction<DetectorOutput>> for BoxRows {
    fn collect(&self, _: &SceneBatch, _: &BurnPrediction<DetectorOutput>) -> Result<Columns> {
        Ok(Columns::new()) // of the images there is nothing
    }

    fn begin_pass(
        &self,
    ) -> Option<Box<dyn PassCollector<SceneBatch, BurnPrediction<DetectorOutput>> + '_>> {
        Some(Box::new(Rows::default()))
    }
}

/// The rows of a pass so far.
#[derive(Default)]
struct Rows {
    scene: Vec<i64>,
    instance: Vec<i64>,
    label: Vec<Option<i32>>,
    predicted: Vec<i32>,
    confidence: Vec<f32>,
    iou: Vec<f32>,
    luminosity: Vec<f32>,
    size: Vec<f32>,
    visible: Vec<Option<f32>>,
    embedding: Vec<f32>,
    width: usize,
}

impl PassCollector<SceneBatch, BurnPrediction<DetectorOutput>> for Rows {
    fn stream(&self) -> &str {
        STREAM
    }

    fn collect(
        &mut self,
        batch: &SceneBatch,
        prediction: &BurnPrediction<DetectorOutput>,
    ) -> Result<Columns> {
        let features = prediction.hidden.get("features");
        let features = features.ok_or_else(|| Error::user("the model shows no features"))?;
        self.width = features.shape()[1];
        for (place, (scene, seen)) in batch.scenes.iter().zip(prediction.seen()?).enumerate() {
            let confident = seen.iter().filter(|one| one.confidence >= CONFIDENT);
            for (instance, seen) in (0..).zip(confident) {
                let (row, column) = seen.cell;
                self.add(scene.example_id, instance, seen, &scene.item);
                let of_scene = features.index_axis(Axis(0), place);
                let of_cell = of_scene.index_axis(Axis(1), row);
                self.embedding.extend(of_cell.index_axis(Axis(1), column));
            }
        }
        Ok(Columns::new())
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        let shape = (self.scene.len(), self.width);
        let embedding = Array2::from_shape_vec(shape, self.embedding).map_err(Error::user)?;
        Ok(Columns::new()
            .with("example_id", Column::from(self.scene).role(Role::Id))
            .with("instance", Column::from(self.instance).role(Role::Id))
            .with(
                "label",
                Column::from(self.label).role(Role::category(CLASSES)),
            )
            .with(
                "predicted",
                Column::from(self.predicted).role(Role::category(CLASSES)),
            )
            .with("confidence", self.confidence)
            .with("iou", self.iou)
            .with("luminosity", self.luminosity)
            .with("size", self.size)
            .with("visible", self.visible)
            .with(EMBEDDING, Column::embedding(embedding.view())))
    }
}

impl Rows {
    fn add(&mut self, row: usize, instance: i64, seen: &Seen, scene: &Scene) {
        let bbox = BBox::new(seen.bbox, BoxFormat::Xyxy);
        let fits = scene.objects.iter().map(|object| {
            let iou = bbox.iou(&BBox::new(object.bbox, BoxFormat::Xyxy));
            (iou, object)
        });
        let nearest = fits.max_by(|(one, _), (other, _)| one.total_cmp(other));
        let shown = nearest.filter(|(iou, _)| *iou >= TOUCHES);
        self.scene.push(row as i64);
        self.instance.push(instance);
        self.label
            .push(shown.map(|(_, object)| object.class as i32));
        self.predicted.push(seen.class as i32);
        self.confidence.push(seen.confidence);
        self.iou.push(nearest.map_or(0.0, |(iou, _)| iou as f32));
        self.luminosity.push(luminosity(scene, seen.bbox));
        self.size.push(bbox.area().sqrt() as f32);
        self.visible.push(shown.map(|(_, object)| object.visible));
    }
}

/// Mean grey of the pixels in a box, 0 to 255; of the nearest one for a box between pixels.
fn luminosity(scene: &Scene, bbox: [f32; 4]) -> f32 {
    let [left, top, right, bottom] = bbox.map(|edge| edge.clamp(0.0, SIDE as f32 - 1.0) as usize);
    let rows = top..=bottom;
    let grey = rows.flat_map(|y| &scene.pixels[y * SIDE + left..=y * SIDE + right]);
    let (count, sum) = grey.fold((0, 0), |(count, sum), &grey| {
        (count + 1, sum + u32::from(grey))
    });
    sum as f32 / count as f32
}
