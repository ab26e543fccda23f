//! Boxes on the detector's grid: what it should say of a picture, and what it says as boxes.
//!
//! # Source
//! Zhou, Wang and Krähenbühl, *Objects as Points* (2019): a heat map of centres for each class, and the
//! box of each centre.

use ndarray::{ArrayView1, ArrayView3, Axis};

use crate::sample::Object;
use crate::scenes::SIDE;

/// Pixels of the picture to one cell.
pub const STRIDE: usize = 4;
/// Cells along one edge.
pub const CELLS: usize = SIDE / STRIDE;
/// Numbers of a box: the centre's distance from the middle of its cell, in cells, and the logarithms of
/// width and height in terms of [`USUAL`].
pub const NUMBERS: usize = 4;
/// A common width or height, in pixels.
const USUAL: f32 = 14.0;
/// Boxes from it on are counted, and have a row of their own.
pub const CONFIDENT: f32 = 0.35;
/// Peaks below it are no boxes; average precision wants the doubtful ones too.
const LEAST_CONFIDENT: f32 = 0.05;
const MOST_BOXES: usize = 30;
/// What the detector should say of one picture.
pub struct Target {
    /// `[classes, cells, cells]`: 1 at centres, and less around them.
    pub heat: Vec<f32>,
    /// `[NUMBERS, cells, cells]`, 0 where no centre is.
    pub boxes: Vec<f32>,
}

/// A box that the detector sees.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its place among the boxes of its picture, the most confident first: also that in
    /// `boxes_predicted`, which begins with the same boxes in this order.
    pub place: usize,
    pub class: usize,
    pub confidence: f32,
    /// Left, top, right, bottom in pixels.
    pub bbox: [f32; 4],
    /// The cell of its centre: row, column.
    pub cell: (usize, usize),
}

impl Target {
    /// The target of these objects of so many classes; of two with one centre the later one has the box.
    pub fn of(objects: impl Iterator<Item = Object>, classes: usize) -> Self {
        let plane = CELLS * CELLS;
        let mut heat = vec![0.0_f32; classes * plane];
        let mut boxes = vec![0.0; NUMBERS * plane];
        for object in objects {
            let [left, top, right, bottom] = object.bbox;
            // Boxes without area have no logarithm.
            let (width, height) = ((right - left).max(0.5), (bottom - top).max(0.5));
            let (x, y) = (
                (left + right) / 2.0 / STRIDE as f32,
                (top + bottom) / 2.0 / STRIDE as f32,
            );
            let cell = |at: f32| (at as usize).min(CELLS - 1);
            let (row, column) = (cell(y), cell(x));
            let numbers = [
                x - (column as f32 + 0.5),
                y - (row as f32 + 0.5),
                (width / USUAL).ln(),
                (height / USUAL).ln(),
            ];
            for (number, value) in numbers.into_iter().enumerate() {
                boxes[number * plane + row * CELLS + column] = value;
            }
            // Cells around the centre are nearly right, and count less against the detector.
            let spread = (width.max(height) / STRIDE as f32 / 6.0).max(0.4);
            for (place, heat) in heat[object.class * plane..][..plane].iter_mut().enumerate() {
                let (dy, dx) = (
                    (place / CELLS) as f32 - row as f32,
                    (place % CELLS) as f32 - column as f32,
                );
                let near = (-(dx * dx + dy * dy) / (2.0 * spread * spread)).exp();
                *heat = heat.max(near);
            }
        }
        Self { heat, boxes }
    }
}

/// The peaks of one picture's heat maps as boxes, the most confident first.
///
/// Peaks of several classes over one object all stay. Average precision is taken class by class, in which
/// a second guess that is right still finds its object: with boxes suppressed across classes (soft NMS) the
/// same detector had a mAP@0.5 of 0.47 in place of 0.57. `tp_relaxed` counts an object once.
///
/// # Shapes and units
/// `heat` `[classes, cells, cells]` logits, `boxes` `[NUMBERS, cells, cells]`.
pub fn boxes(heat: ArrayView3<'_, f32>, boxes: ArrayView3<'_, f32>) -> Vec<Seen> {
    let mut peaks = Vec::new();
    for ((class, row, column), &logit) in heat.indexed_iter() {
        let confidence = 1.0 / (1.0 + (-logit).exp());
        let rows = row.saturating_sub(1)..(row + 2).min(CELLS);
        let columns = column.saturating_sub(1)..(column + 2).min(CELLS);
        let mut around = rows.flat_map(|y| columns.clone().map(move |x| [class, y, x]));
        let is_peak = around.all(|cell| heat[cell] <= logit);
        let numbers = boxes.index_axis(Axis(1), row);
        let bbox = unpack(numbers.index_axis(Axis(1), column), row, column);
        // A training that diverges says boxes that are none.
        let is_box = bbox.iter().all(|edge| edge.is_finite());
        if is_peak && is_box && confidence >= LEAST_CONFIDENT {
            let cell = (row, column);
            peaks.push(Seen {
                place: 0,
                class,
                confidence,
                bbox,
                cell,
            });
        }
    }
    peaks.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    peaks.truncate(MOST_BOXES);
    for (place, peak) in peaks.iter_mut().enumerate() {
        peak.place = place;
    }
    peaks
}

fn unpack(numbers: ArrayView1<'_, f32>, row: usize, column: usize) -> [f32; 4] {
    let x = (column as f32 + 0.5 + numbers[0]) * STRIDE as f32;
    let y = (row as f32 + 0.5 + numbers[1]) * STRIDE as f32;
    // A network that has learnt nothing yet may say anything.
    let half = |number: f32| USUAL * number.clamp(-2.0, 2.0).exp() / 2.0;
    let (half_width, half_height) = (half(numbers[2]), half(numbers[3]));
    [
        x - half_width,
        y - half_height,
        x + half_width,
        y + half_height,
    ]
}

#[cfg(test)]
mod tests {
    use emberlens::run::Project;
    use ndarray::Array3;

    use super::*;
    use crate::{sample, scenes};

    const CLASSES: usize = 5;

    /// What a detector sees that says exactly this; logits are 40 times the heat above 0.9.
    fn seen(target: Target) -> Vec<Seen> {
        let logits = target.heat.iter().map(|heat| 40.0 * (heat - 0.9)).collect();
        let shape = |channels| (channels, CELLS, CELLS);
        let heat = Array3::from_shape_vec(shape(CLASSES), logits).unwrap();
        let numbers = Array3::from_shape_vec(shape(NUMBERS), target.boxes).unwrap();
        boxes(heat.view(), numbers.view())
    }

    #[test]
    fn a_detector_that_says_the_target_sees_every_object() {
        let project = Project::open("memory://", "scenes").unwrap();
        let [scenes, _] = scenes::generated(&project, 80, 3).unwrap();
        let mut hidden = 0;
        for sample in sample::samples(&scenes, CLASSES).unwrap() {
            let seen = seen(Target::of(sample.objects(), CLASSES));
            for object in sample.objects() {
                let fits = |seen: &Seen| {
                    let edges = seen.bbox.iter().zip(object.bbox);
                    let near = edges
                        .map(|(edge, of)| (edge - of).abs())
                        .fold(0.0, f32::max);
                    seen.class == object.class && near < 1e-3
                };
                hidden += usize::from(!seen.iter().any(fits));
            }
            assert!(seen.is_sorted_by(|one, other| one.confidence >= other.confidence));
            assert!(seen.iter().map(|seen| seen.place).eq(0..seen.len()));
        }
        // Two objects of one class, or with one centre, cannot both be said.
        assert!(hidden <= 6, "{hidden}");
    }

    #[test]
    fn a_second_guess_of_an_object_comes_after_the_first() {
        let bbox = [8.0, 8.0, 22.0, 24.0];
        let mut target = Target::of([Object { class: 3, bbox }].into_iter(), CLASSES);
        let other = Target::of([Object { class: 1, bbox }].into_iter(), CLASSES);
        for (heat, other) in target.heat.iter_mut().zip(other.heat) {
            *heat = heat.max(0.95 * other); // nearly as sure of another class
        }
        let seen = seen(target);
        let said: Vec<(usize, usize)> = seen.iter().map(|seen| (seen.place, seen.class)).collect();
        assert_eq!(said, [(0, 3), (1, 1)]);
        assert_eq!(seen[0].bbox, seen[1].bbox);
    }

    #[test]
    fn numbers_that_are_none_are_no_boxes() {
        let heat = Array3::from_elem((CLASSES, CELLS, CELLS), 3.0);
        let broken = Array3::from_elem((NUMBERS, CELLS, CELLS), f32::NAN);
        assert!(boxes(heat.view(), broken.view()).is_empty());
        let heat = Array3::from_elem((CLASSES, CELLS, CELLS), f32::NAN);
        let whole = Array3::zeros((NUMBERS, CELLS, CELLS));
        assert!(boxes(heat.view(), whole.view()).is_empty());
    }
}
