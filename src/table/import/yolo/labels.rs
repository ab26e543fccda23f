//! A file of labels, line by line.

use std::path::Path;

use super::YoloTask;
use crate::geometry::{BBox, BoxFormat, OrientedBox};
use crate::table::import::malformed;
use crate::table::import::skipped::{Defect, SkipReason};
use crate::table::instances::{Instance, RawBox, Shape};
use crate::table::yolo_file::BEYOND;

/// The way out of all defects of one line.
const HINT: &str = "mend the file, or skip what is malformed by a lenient import";

/// What a line holds.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) instance: Instance,
    /// Whether a rotated box stands for corners that are those of no rectangle.
    pub(super) is_approximate: bool,
}

/// What lines are read for.
pub(super) struct LabelReader<'a> {
    pub(super) path: &'a Path,
    pub(super) task: YoloTask,
    pub(super) classes: usize,
    /// The image's size, pixels.
    pub(super) width: u32,
    pub(super) height: u32,
}

impl LabelReader<'_> {
    /// The instance of line `number`, which counts from 1; `None` of a blank one.
    pub(super) fn line(&self, number: usize, line: &str) -> Result<Option<Labelled>, Defect> {
        let mut fields = line.split_whitespace();
        let Some(class) = fields.next() else {
            return Ok(None);
        };
        let defect = |reason: SkipReason, text: String| {
            let error = malformed(self.path, text, format!("line {number}"), HINT);
            Defect::new(reason, error)
        };
        let label = self
            .label(class)
            .map_err(|(reason, text)| defect(reason, text))?;
        let mut numbers = Vec::new();
        for field in fields {
            let number: f64 = field.parse().map_err(|_| {
                let text = format!("{:?} is no number", short(field));
                defect(SkipReason::Line, text)
            })?;
            numbers.push(number);
        }
        self.check_count(numbers.len())
            .map_err(|text| defect(SkipReason::Line, text))?;
        let is_near = |number: &f64| (-BEYOND..=1.0 + BEYOND).contains(number);
        if let Some(outside) = numbers.iter().find(|number| !is_near(number)) {
            let text = format!(
                "{outside} lies outside 0 to 1, the fractions of the image, by more than {BEYOND}"
            );
            return Err(defect(SkipReason::Range, text));
        }
        let instance = Instance {
            label,
            ..Instance::default()
        };
        self.with_geometry(instance, &numbers)
            .map(Some)
            .map_err(|(reason, text)| defect(reason, text))
    }

    fn label(&self, field: &str) -> Result<i64, (SkipReason, String)> {
        // Some tools write all fields as floats.
        let class = field
            .parse::<f64>()
            .ok()
            .filter(|class| class.fract() == 0.0);
        match class {
            Some(class) if (0.0..self.classes as f64).contains(&class) => Ok(class as i64),
            Some(class) => {
                let text = format!("class {class} is none of the {} names", self.classes);
                Err((SkipReason::UnknownCategory, text))
            }
            None => {
                let text = format!("{:?} is no class", short(field));
                Err((SkipReason::Line, text))
            }
        }
    }

    /// Refuses another number of coordinates than the task has, and tells the task that has it.
    fn check_count(&self, count: usize) -> Result<(), String> {
        let is_polygon = count >= 6 && count.is_multiple_of(2);
        let (fits, needed) = match self.task {
            YoloTask::Boxes => (count == 4, "the class and 4 numbers"),
            YoloTask::Oriented => (
                count == 8,
                "the class and the 8 coordinates of four corners",
            ),
            YoloTask::Segments => (is_polygon, "the class and x and y of three points or more"),
        };
        if fits {
            return Ok(());
        }
        let other = match count {
            4 => "; it looks like a box",
            8 => "; it looks like a rotated box or a segment",
            _ if is_polygon => "; it looks like a segment",
            _ => "",
        };
        Err(format!(
            "{} fields where {needed} are needed{other}",
            count + 1
        ))
    }

    /// Fractions of the image as pixels.
    fn with_geometry(
        &self,
        mut instance: Instance,
        numbers: &[f64],
    ) -> Result<Labelled, (SkipReason, String)> {
        let mut is_approximate = false;
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        match (self.task, numbers) {
            (YoloTask::Boxes, &[cx, cy, w, h]) => {
                if w <= 0.0 || h <= 0.0 {
                    let text = format!("width {w} and height {h} have to be above 0");
                    return Err((SkipReason::Box, text));
                }
                let bbox = BBox::new([cx, cy, w, h], BoxFormat::Cxcywh).to_pixels(width, height);
                let corners = bbox.values(BoxFormat::Xyxy);
                instance.bbox = Some(RawBox::new(corners, BoxFormat::Xyxy));
            }
            (YoloTask::Oriented, &[ax, ay, bx, by, cx, cy, dx, dy]) => {
                let corners = [[ax, ay], [bx, by], [cx, cy], [dx, dy]];
                let corners = corners.map(|[x, y]| [x * width, y * height]);
                instance.oriented = OrientedBox::from_corners(corners);
                if instance.oriented.is_none() {
                    instance.oriented = OrientedBox::around_corners(corners);
                    is_approximate = true;
                }
                if instance.oriented.is_none() {
                    let text = format!("the corners {corners:?} (pixels) lie on one line");
                    return Err((SkipReason::Rectangle, text));
                }
            }
            _ => {
                let points = numbers.chunks_exact(2);
                let points = points.flat_map(|point| [point[0] * width, point[1] * height]);
                instance.shape = Some(Shape::Polygons(vec![points.collect()]));
            }
        }
        Ok(Labelled {
            instance,
            is_approximate,
        })
    }
}

/// The beginning of a field, for an error.
fn short(field: &str) -> String {
    field.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(task: YoloTask, line: &str) -> Result<Option<Labelled>, String> {
        let reader = LabelReader {
            path: Path::new("a.txt"),
            task,
            classes: 3,
            width: 200,
            height: 100,
        };
        reader
            .line(7, line)
            .map_err(|defect| defect.into_error().to_string())
    }

    #[test]
    fn fractions_become_pixels() {
        let bbox = read(YoloTask::Boxes, " 2\t0.5 0.5 0.25 0.5 ")
            .unwrap()
            .unwrap()
            .instance;
        assert_eq!(bbox.label, 2);
        assert_eq!(
            bbox.bbox.unwrap().values_as(BoxFormat::Xyxy),
            [75.0, 25.0, 125.0, 75.0]
        );
        let turned = read(YoloTask::Oriented, "0 0.5 0.1 0.55 0.2 0.5 0.3 0.45 0.2").unwrap();
        let turned = turned.unwrap();
        assert!(!turned.is_approximate);
        assert!((turned.instance.oriented.unwrap().area() - 200.0).abs() < 1e-9);
        let shape = read(YoloTask::Segments, "1.0 0 0 1 0 1 1")
            .unwrap()
            .unwrap()
            .instance
            .shape;
        let expected = vec![vec![0.0, 0.0, 200.0, 0.0, 200.0, 100.0]];
        assert_eq!(shape, Some(Shape::Polygons(expected)));
        assert!(read(YoloTask::Boxes, " \r").unwrap().is_none());
    }

    #[test]
    fn four_corners_of_no_rectangle_get_the_smallest_box_around_them() {
        let line = "0 0 0 0.5 0.1 0.5 0.9 0 0.8";
        let found = read(YoloTask::Oriented, line).unwrap().unwrap();
        assert!(found.is_approximate);
        // The corners are a parallelogram of 100 x 80 pixels.
        assert!(found.instance.oriented.unwrap().area() >= 8_000.0);
    }

    #[test]
    fn a_coordinate_just_beyond_the_image_keeps_its_number() {
        let found = read(YoloTask::Segments, "0 -0.01 0 1.01 0 1 1").unwrap();
        let expected = vec![vec![-2.0, 0.0, 202.0, 0.0, 200.0, 100.0]];
        let shape = found.unwrap().instance.shape;
        assert_eq!(shape, Some(Shape::Polygons(expected)));
    }

    #[test]
    fn lines_that_are_wrong_are_told_with_their_number() {
        use YoloTask::{Boxes, Oriented, Segments};
        for (task, line, part) in [
            (Boxes, "0 0.1 0.2 0.3", "4 fields"),
            (Boxes, "0 0 0 1 0 1 1 0 1", "looks like a rotated box"),
            (Boxes, "0 0 0 1 0 1 1", "looks like a segment"),
            (Oriented, "0 0.1 0.2 0.3 0.4", "looks like a box"),
            (Segments, "0 0.1 0.2 0.3 0.4", "three points or more"),
            (Segments, "0 0 0 1 0 1 1 1", "8 fields"),
            (Boxes, "0 0.1 0.2 0.3 x", "\"x\" is no number"),
            (Boxes, "cat 0.1 0.2 0.3 0.1", "\"cat\" is no class"),
            (Boxes, "1.5 0.1 0.2 0.3 0.1", "\"1.5\" is no class"),
            (Boxes, "3 0.1 0.2 0.3 0.1", "class 3 is none of the 3 names"),
            (Boxes, "-1 0.1 0.2 0.3 0.1", "class -1"),
            (Boxes, "inf 0.1 0.2 0.3 0.1", "no class"),
            (Boxes, "0 1.2 0.2 0.3 0.1", "1.2 lies outside"),
            (Boxes, "0 NaN 0.2 0.3 0.1", "NaN lies outside"),
            (Boxes, "0 -0.1 0.2 0.3 0.1", "-0.1 lies outside"),
            (Boxes, "0 1.02 0.2 0.3 0.1", "1.02 lies outside"),
            (Boxes, "0 0.1 0.2 0 0.1", "width 0"),
            (Boxes, "0 0.1 0.2 -0.005 0.1", "width -0.005"),
            (Oriented, "0 0 0 1 0 1 0 0.5 0", "lie on one line"),
        ] {
            let error = read(task, line).unwrap_err();
            assert!(
                error.contains(part) && error.contains("line 7"),
                "{line}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "[-0-9.eE+ naif]{0,60}") {
            for task in [YoloTask::Boxes, YoloTask::Oriented, YoloTask::Segments] {
                let _ = read(task, &line);
            }
        }
    }
}
