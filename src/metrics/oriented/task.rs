//! Rotated boxes as a task: their similarity is the IoU of the turned boxes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array};

use crate::Result;
use crate::geometry::{AngleDirection, AngleUnit, CoordinateUnit, OrientedBox};
use crate::metrics::instances::{refuse_unit, truths};
use crate::metrics::{
    Defect, FromOutput, ImageInstances, InstanceCollector, InstanceOptions, InstanceTask,
    TrueInstance,
};
use crate::table::{InstanceColumns, Role, Table};

/// Rotated boxes, compared by the IoU of the turned boxes.
///
/// Coordinates are pixels: in fractions of an image that is not square, a turned box is no box.
///
/// # Shapes and units
/// The column `oriented_boxes_predicted` holds `cx`, `cy`, `width`, `height` (pixels) and `angle`
/// (f32), in the unit and direction given here (default: radians, clockwise), whatever those were in
/// which the boxes came.
///
/// # Errors
/// Boxes with a value that is not finite, or a negative width or height, are refused by whatever
/// takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrientedBoxes {
    angle: AngleUnit,
    direction: AngleDirection,
}

impl OrientedBoxes {
    /// Boxes in pixels; angles are stored in radians, clockwise.
    pub const fn pixels() -> Self {
        Self {
            angle: AngleUnit::Radians,
            direction: AngleDirection::Clockwise,
        }
    }

    /// How angles are stored.
    pub const fn stored_angle(mut self, unit: AngleUnit, direction: AngleDirection) -> Self {
        self.angle = unit;
        self.direction = direction;
        self
    }
}

impl OrientedBoxes {
    /// The true boxes of every row of a table, for example of one that
    /// [`import::yolo`](crate::table::import::yolo()) made.
    ///
    /// # Shapes and units
    /// `column` is a list of structs with the role [`Role::OrientedBoxes`], in pixels; its angles are
    /// converted. Position k is example k.
    ///
    /// # Errors
    /// As [`AxisAlignedBoxes::truths`](crate::metrics::AxisAlignedBoxes::truths).
    pub fn truths(
        &self,
        table: &Table,
        column: &str,
    ) -> Result<Vec<Vec<TrueInstance<OrientedBox>>>> {
        let place = table.url();
        let columns = InstanceColumns::named(table.schema(), column, "oriented_boxes", &place)?;
        refuse_unit(&columns, CoordinateUnit::Pixels, table)?;
        truths(table, &columns, |instance| instance.oriented)
    }
}

impl InstanceTask for OrientedBoxes {
    type Truth = OrientedBox;
    type Predicted = OrientedBox;

    fn check(&self, image: &ImageInstances<OrientedBox>) -> Result<(), Defect> {
        let truths = image.truth.iter().map(|truth| &truth.geometry);
        let predicted = image.predicted.iter().map(|predicted| &predicted.geometry);
        let truths = truths
            .enumerate()
            .map(|(index, bbox)| ("truth", index, bbox));
        let predicted = predicted
            .enumerate()
            .map(|(index, bbox)| ("prediction", index, bbox));
        for (kind, index, bbox) in truths.chain(predicted) {
            let names = ["cx", "cy", "width", "height", "angle"];
            let given = bbox.values(AngleUnit::Radians, AngleDirection::Clockwise);
            let values = names.into_iter().zip(given);
            let size = |name| matches!(name, "width" | "height");
            let wrong = values
                .into_iter()
                .find(|&(name, value)| !value.is_finite() || (size(name) && value < 0.0));
            if let Some((name, value)) = wrong {
                return Err(Defect::new(
                    format!("{name} of {kind} {index}"),
                    value,
                    "coordinates are finite, width and height 0 or more",
                    "check the order of the five numbers; of predictions, the collector leaves such boxes out with leave_out_broken",
                ));
            }
        }
        Ok(())
    }

    fn similarity(&self, predicted: &OrientedBox, truth: &TrueInstance<OrientedBox>) -> f64 {
        if truth.crowd {
            predicted.share_in(&truth.geometry)
        } else {
            predicted.iou(&truth.geometry)
        }
    }

    fn truth_area(&self, truth: &OrientedBox) -> f64 {
        truth.area()
    }

    fn predicted_area(&self, predicted: &OrientedBox) -> f64 {
        predicted.area()
    }

    fn column(&self) -> &'static str {
        "oriented_boxes_predicted"
    }

    fn similarity_name(&self) -> &'static str {
        "iou"
    }

    fn role(&self, names: Arc<[String]>) -> Role {
        Role::OrientedBoxes {
            normalised: false,
            angle: self.angle,
            direction: self.direction,
            names,
        }
    }

    fn fields(&self, predicted: &[&OrientedBox]) -> Result<Vec<(&'static str, ArrayRef)>> {
        let names = ["cx", "cy", "width", "height", "angle"];
        let field = |(at, name)| {
            let values = predicted
                .iter()
                .map(|bbox| bbox.values(self.angle, self.direction)[at] as f32);
            (
                name,
                Arc::new(Float32Array::from_iter_values(values)) as ArrayRef,
            )
        };
        Ok(names.into_iter().enumerate().map(field).collect())
    }
}

/// The collector of rotated boxes; see [`InstanceCollector`] for its settings and
/// [`instance_columns`](crate::metrics::instance_columns) for its columns.
///
/// ```
/// use emberlens::metrics::{ImageInstances, MetricsCollector, OrientedBox, OrientedDetection};
/// use emberlens::metrics::{PredictedInstance, TrueInstance};
/// use emberlens::table::{AngleDirection::Clockwise, AngleUnit::Degrees};
/// let turned = |angle: f64| OrientedBox::new([5.0, 5.0, 8.0, 2.0, angle], Degrees, Clockwise);
/// let image = ImageInstances::new(
///     vec![TrueInstance::new(turned(30.0), 0)],
///     vec![PredictedInstance::new(turned(32.0), 0, 0.9)],
/// );
/// let columns = OrientedDetection::pixels(1).collect(&(), &vec![image])?;
/// assert!(columns.get("oriented_boxes_predicted").is_some());
/// # Ok::<(), emberlens::Error>(())
/// ```
pub type OrientedDetection<S = FromOutput> = InstanceCollector<OrientedBoxes, S>;

impl OrientedDetection {
    /// Rotated boxes in pixels, of `n_classes` classes; angles are stored in radians, clockwise.
    pub fn pixels(n_classes: usize) -> Self {
        Self::with_options(OrientedBoxes::pixels(), InstanceOptions::new(n_classes))
    }
}
