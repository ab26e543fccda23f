//! Boxes as a task: their similarity is the IoU.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array};

use crate::Result;
use crate::geometry::{BBox, BoxFormat, CoordinateUnit};
use crate::metrics::instances::{refuse_unit, truths};
use crate::metrics::{
    Defect, FromOutput, ImageInstances, InstanceCollector, InstanceOptions, InstanceTask,
    TrueInstance,
};
use crate::table::{InstanceColumns, RawBox, Role, Table};

/// Axis-aligned boxes, compared by their IoU.
///
/// # Shapes and units
/// The column `boxes_predicted` holds `x0`, `y0`, `x1`, `y1` (f32) in the unit of the boxes that came
/// in. Area ranges are square pixels, so that normalised boxes have no `ap_small` and the like.
///
/// # Errors
/// Boxes with a coordinate that is not finite, or whose right side is left of the left one, are
/// refused by whatever takes them. Boxes that reach beyond the image stay as they are, as in COCO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisAlignedBoxes {
    unit: CoordinateUnit,
}

impl AxisAlignedBoxes {
    /// Boxes in this unit, true and predicted ones.
    pub const fn new(unit: CoordinateUnit) -> Self {
        Self { unit }
    }
}

impl AxisAlignedBoxes {
    /// The true boxes of every row of a table, for example of one that
    /// [`import::coco`](crate::table::import::coco()) made.
    ///
    /// # Shapes and units
    /// `column` is a list of structs with the role [`Role::Boxes`]; its format is converted, its unit must
    /// be that of the task. Position k is example k. `crowd` and `area` are taken where the structs have them.
    ///
    /// # Errors
    /// `Invalid` for a column without that role, boxes in another unit, and an instance that lacks a
    /// coordinate or its label.
    ///
    /// ```
    /// use emberlens::metrics::{AxisAlignedBoxes, ImageInstances, InstanceOptions, evaluate};
    /// use emberlens::table::{CoordinateUnit, import::{CocoOptions, coco}};
    /// # let dir = tempfile::tempdir()?;
    /// # let file = dir.path().join("annotations.json");
    /// # std::fs::write(&file, r#"{"images": [{"id": 9, "file_name": "a", "width": 64, "height": 48}],
    /// #   "categories": [{"id": 3, "name": "car"}],
    /// #   "annotations": [{"id": 1, "image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4]}]}"#)?;
    /// # let folder = emberlens::storage::Location::open("memory://")?;
    /// let table = coco(&folder, "cars", &file, &CocoOptions::new())?.table;
    /// let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    /// let truths = task.truths(&table, "boxes")?;
    /// let images: Vec<_> = truths.into_iter().map(|truth| ImageInstances::new(truth, vec![])).collect();
    /// let evaluation = evaluate(&task, &images, &InstanceOptions::new(1))?;
    /// assert_eq!(evaluation.classes[0].instances, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn truths(&self, table: &Table, column: &str) -> Result<Vec<Vec<TrueInstance<BBox>>>> {
        let columns = InstanceColumns::named(table.schema(), column, "boxes", &table.url())?;
        refuse_unit(&columns, self.unit, table)?;
        truths(table, &columns, |instance| {
            instance.bbox.map(RawBox::to_bbox)
        })
    }
}

impl InstanceTask for AxisAlignedBoxes {
    type Truth = BBox;
    type Predicted = BBox;

    fn check(&self, image: &ImageInstances<BBox>) -> Result<(), Defect> {
        let truths = image.truth.iter().map(|truth| &truth.geometry);
        let predicted = image.predicted.iter().map(|predicted| &predicted.geometry);
        for (kind, boxes) in [
            ("truth", truths.collect::<Vec<_>>()),
            ("prediction", predicted.collect()),
        ] {
            for (index, bbox) in boxes.into_iter().enumerate() {
                if let Some((name, value, reason)) = bbox.defect() {
                    return Err(Defect::new(
                        format!("{name} of {kind} {index}"),
                        value,
                        reason,
                        "check the BoxFormat; of predictions, the collector leaves such boxes out with leave_out_broken",
                    ));
                }
            }
        }
        Ok(())
    }

    fn similarity(&self, predicted: &BBox, truth: &TrueInstance<BBox>) -> f64 {
        if truth.crowd {
            predicted.share_in(&truth.geometry)
        } else {
            predicted.iou(&truth.geometry)
        }
    }

    fn truth_area(&self, truth: &BBox) -> f64 {
        truth.area()
    }

    fn predicted_area(&self, predicted: &BBox) -> f64 {
        predicted.area()
    }

    fn has_pixel_areas(&self) -> bool {
        !self.unit.is_normalised()
    }

    fn column(&self) -> &'static str {
        "boxes_predicted"
    }

    fn similarity_name(&self) -> &'static str {
        "iou"
    }

    fn role(&self, names: Arc<[String]>) -> Role {
        Role::Boxes {
            format: BoxFormat::Xyxy,
            normalised: self.unit.is_normalised(),
            names,
        }
    }

    fn fields(&self, predicted: &[&BBox]) -> Result<Vec<(&'static str, ArrayRef)>> {
        let names = ["x0", "y0", "x1", "y1"];
        let field = |(at, name)| {
            let values = predicted
                .iter()
                .map(|b| b.values(BoxFormat::Xyxy)[at] as f32);
            (
                name,
                Arc::new(Float32Array::from_iter_values(values)) as ArrayRef,
            )
        };
        Ok(names.into_iter().enumerate().map(field).collect())
    }
}

/// The collector of object detection; see [`InstanceCollector`] for its settings and
/// [`instance_columns`](crate::metrics::instance_columns) for its columns.
///
/// ```
/// use emberlens::metrics::{BBox, Detection, ImageInstances, MetricsCollector};
/// use emberlens::metrics::{PredictedInstance, TrueInstance};
/// use emberlens::table::BoxFormat;
/// struct Image { people: Vec<[f32; 4]> }
/// struct Boxes { xyxy: Vec<[f32; 4]>, scores: Vec<f32> }
/// let collector = Detection::pixels(1).class_names(["person"]).confidence(0.25).from_fn(
///     |batch: &Vec<Image>, output: &Vec<Boxes>| {
///         let images = batch.iter().zip(output).map(|(image, boxes)| {
///             let truth = image.people.iter().map(|b| TrueInstance::new(BBox::new(*b, BoxFormat::Xywh), 0));
///             let predicted = boxes.xyxy.iter().zip(&boxes.scores).map(|(b, &score)| {
///                 PredictedInstance::new(BBox::new(*b, BoxFormat::Xyxy), 0, score)
///             });
///             ImageInstances::new(truth.collect(), predicted.collect())
///         });
///         Ok(images.collect())
///     },
/// );
/// let batch = vec![Image { people: vec![[0.0, 0.0, 10.0, 10.0]] }];
/// let output = vec![Boxes { xyxy: vec![[1.0, 0.0, 11.0, 10.0]], scores: vec![0.9] }];
/// let columns = collector.collect(&batch, &output)?;
/// assert!(columns.get("boxes_predicted").is_some());
/// # Ok::<(), emberlens::Error>(())
/// ```
pub type Detection<S = FromOutput> = InstanceCollector<AxisAlignedBoxes, S>;

impl Detection {
    /// Boxes in pixels, of `n_classes` classes.
    pub fn pixels(n_classes: usize) -> Self {
        let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
        Self::with_options(task, InstanceOptions::new(n_classes))
    }

    /// Boxes in fractions of the image, of `n_classes` classes.
    pub fn normalised(n_classes: usize) -> Self {
        let task = AxisAlignedBoxes::new(CoordinateUnit::Normalised);
        Self::with_options(task, InstanceOptions::new(n_classes))
    }
}
