//! Masks as a task: their similarity is the IoU of the pixels.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, StringArray};

use crate::geometry::{MaskEncoding, Rle};
use crate::metrics::instances::truths;
use crate::metrics::{
    Defect, FromOutput, ImageInstances, InstanceCollector, InstanceOptions, InstanceTask,
    TrueInstance,
};
use crate::table::{InstanceColumns, Role, Shape, Table};
use crate::{Error, Result};

/// Masks of instances, compared by the IoU of their pixels.
///
/// # Shapes and units
/// The column `masks_predicted` holds `height`, `width` (i32, pixels) and `counts` (string): COCO's
/// compressed run lengths.
///
/// # Errors
/// Masks of one image that differ in size are refused by whatever takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstanceMasks;

impl InstanceMasks {
    /// The true masks of every row of a table, for example of one that
    /// [`import::coco`](crate::table::import::coco()) made. Instances without a mask are left out.
    ///
    /// # Shapes and units
    /// `column` is a list of structs with the role [`Role::Masks`]. Position k is example k.
    ///
    /// # Errors
    /// `Invalid` for a column without that role, an instance without its label, and run lengths that are
    /// none.
    pub fn truths(&self, table: &Table, column: &str) -> Result<Vec<Vec<TrueInstance<Rle>>>> {
        let columns = InstanceColumns::named(table.schema(), column, "masks", &table.url())?;
        truths(table, &columns, |instance| match &instance.shape {
            Some(Shape::Runs(runs) | Shape::Drawn(runs, _)) => Some(runs.clone()),
            _ => None,
        })
    }
}

impl InstanceTask for InstanceMasks {
    type Truth = Rle;
    type Predicted = Rle;

    fn check(&self, image: &ImageInstances<Rle>) -> Result<(), Defect> {
        let truths = image.truth.iter().map(|truth| &truth.geometry);
        let predicted = image.predicted.iter().map(|predicted| &predicted.geometry);
        let truths = truths
            .enumerate()
            .map(|(index, mask)| ("truth", index, mask));
        let predicted = predicted
            .enumerate()
            .map(|(index, mask)| ("prediction", index, mask));
        let mut all = truths.chain(predicted);
        let Some((first_kind, _, first)) = all.next() else {
            return Ok(());
        };
        let text = |mask: &Rle| format!("{} x {}", mask.size().0, mask.size().1);
        match all.find(|(_, _, mask)| mask.size() != first.size()) {
            None => Ok(()),
            Some((kind, index, mask)) => Err(Defect::new(
                format!("size of {kind} {index}"),
                text(mask),
                format!("{first_kind} 0 of the image has {}", text(first)),
                "bring all masks to the size of the image (height, then width); of predictions, the \
                 collector leaves such masks out with leave_out_broken",
            )),
        }
    }

    fn similarity(&self, predicted: &Rle, truth: &TrueInstance<Rle>) -> f64 {
        if truth.crowd {
            predicted.share_in_of_same_size(&truth.geometry)
        } else {
            predicted.iou_of_same_size(&truth.geometry)
        }
    }

    fn truth_area(&self, truth: &Rle) -> f64 {
        truth.area() as f64
    }

    fn predicted_area(&self, predicted: &Rle) -> f64 {
        predicted.area() as f64
    }

    fn column(&self) -> &'static str {
        "masks_predicted"
    }

    fn similarity_name(&self) -> &'static str {
        "iou"
    }

    fn role(&self, names: Arc<[String]>) -> Role {
        Role::Masks {
            encoding: MaskEncoding::CocoRle,
            names,
        }
    }

    fn fields(&self, predicted: &[&Rle]) -> Result<Vec<(&'static str, ArrayRef)>> {
        // Sides were found to be below 2^31 when the mask was made.
        let side = |of: fn(&Rle) -> u32| -> ArrayRef {
            let sides = predicted.iter().map(|mask| of(mask) as i32);
            Arc::new(Int32Array::from_iter_values(sides))
        };
        let counts = predicted.iter().map(|mask| mask.to_text()).collect();
        Ok(vec![
            ("height", side(|mask| mask.size().0)),
            ("width", side(|mask| mask.size().1)),
            ("counts", Arc::new(texts(counts, MOST_BYTES)?)),
        ])
    }
}

/// A column of text holds as many bytes as its offsets count.
const MOST_BYTES: u64 = i32::MAX as u64;

fn texts(texts: Vec<String>, limit: u64) -> Result<StringArray> {
    let needed: u64 = texts.iter().map(|text| text.len() as u64).sum();
    if needed > limit {
        return Err(Error::TooLarge {
            what: "the run lengths of a batch's masks, in bytes".into(),
            needed,
            limit,
            hint: "give fewer images at once".into(),
        });
    }
    Ok(StringArray::from_iter_values(texts))
}

/// The collector of instance segmentation; see [`InstanceCollector`] for its settings and
/// [`instance_columns`](crate::metrics::instance_columns) for its columns.
///
/// ```
/// use emberlens::metrics::{ImageInstances, InstanceSegmentation, MetricsCollector, Rle};
/// use emberlens::metrics::{PredictedInstance, TrueInstance};
/// let truth = Rle::from_mask(ndarray::arr2(&[[true, true], [true, false]]).view())?;
/// let seen = Rle::from_mask(ndarray::arr2(&[[true, true], [false, false]]).view())?;
/// let image = ImageInstances::new(
///     vec![TrueInstance::new(truth, 0)],
///     vec![PredictedInstance::new(seen, 0, 0.8)],
/// );
/// let columns = InstanceSegmentation::masks(1).collect(&(), &vec![image])?;
/// assert!(columns.get("masks_predicted").is_some());
/// # Ok::<(), emberlens::Error>(())
/// ```
pub type InstanceSegmentation<S = FromOutput> = InstanceCollector<InstanceMasks, S>;

impl InstanceSegmentation {
    /// Masks of `n_classes` classes.
    pub fn masks(n_classes: usize) -> Self {
        Self::with_options(InstanceMasks, InstanceOptions::new(n_classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_text_than_a_column_holds_is_an_error() {
        let two = || vec!["04".to_owned(), "13".to_owned()];
        assert_eq!(texts(two(), 4).unwrap().value(1), "13");
        assert!(matches!(
            texts(two(), 3),
            Err(Error::TooLarge { needed: 4, .. })
        ));
    }
}
