//! Pictures and their true boxes, as a table holds them.

use emberlens::metrics::{AxisAlignedBoxes, BBox, TrueInstance};
use emberlens::table::{BoxFormat, CoordinateUnit, Table};

use crate::program::Failure;
use crate::scenes::{Picture, SIDE, pictures};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Sample {
    pub picture: Picture,
    /// In pixels of the table's image.
    pub truth: Vec<TrueInstance<BBox>>,
}

/// What the detector should find.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    pub class: usize,
    /// Left, top, right, bottom in pixels of the network's picture.
    pub bbox: [f32; 4],
}

/// The rows of a table with the columns `image` and `boxes`, in their order; boxes are of so many
/// classes.
pub fn samples(table: &Table, classes: usize) -> Result<Vec<Sample>, Failure> {
    let boxes = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let truths = boxes.truths(table, "boxes")?;
    for (row, truth) in truths.iter().enumerate() {
        let mut labels = truth.iter().map(|truth| truth.label);
        if let Some(label) = labels.find(|label| !(0..classes as i64).contains(label)) {
            let place = format!("row {row} of table `{}`", table.name());
            return Err(format!("{place}: label {label} is none of {classes} classes").into());
        }
    }
    let rows = pictures(table)?.into_iter().zip(truths);
    Ok(rows
        .map(|(picture, truth)| Sample { picture, truth })
        .collect())
}

impl Sample {
    /// The objects; boxes around crowds are none.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        let [across, down] = self.scale();
        let single = self.truth.iter().filter(|truth| !truth.crowd);
        single.map(move |truth| {
            let [left, top, right, bottom] = truth.geometry.values(BoxFormat::Xyxy);
            let bbox = [left / across, top / down, right / across, bottom / down];
            Object {
                class: truth.label as usize, // `samples` refuses those that are no class
                bbox: bbox.map(|edge| edge as f32),
            }
        })
    }

    /// A box of the network's picture as one of the table's image.
    pub fn to_image(&self, [left, top, right, bottom]: [f32; 4]) -> BBox {
        let [across, down] = self.scale();
        let (left, right) = (f64::from(left) * across, f64::from(right) * across);
        let (top, bottom) = (f64::from(top) * down, f64::from(bottom) * down);
        BBox::new([left, top, right, bottom], BoxFormat::Xyxy)
    }

    /// Pixels of the image to one of the network's picture, across and down.
    fn scale(&self) -> [f64; 2] {
        self.picture
            .size
            .map(|pixels| f64::from(pixels) / SIDE as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_large_images_are_brought_to_the_network_and_back() {
        let bbox = BBox::new([100.0, 30.0, 200.0, 90.0], BoxFormat::Xyxy);
        let crowd = TrueInstance::new(bbox, 0).crowd(true);
        let sample = Sample {
            picture: Picture {
                grey: vec![0; SIDE * SIDE],
                size: [10 * SIDE as u32, 3 * SIDE as u32],
            },
            truth: vec![crowd, TrueInstance::new(bbox, 2)],
        };
        let objects: Vec<Object> = sample.objects().collect();
        assert_eq!(objects.len(), 1, "a crowd is no object");
        assert_eq!(
            (objects[0].class, objects[0].bbox),
            (2, [10.0, 10.0, 20.0, 30.0])
        );
        assert_eq!(sample.to_image(objects[0].bbox), bbox);
    }
}
