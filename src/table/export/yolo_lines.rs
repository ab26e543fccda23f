//! An instance as a line of labels.

use crate::geometry::BoxFormat;
use crate::table::import::{SkipReason, YoloTask};
use crate::table::instances::Instance;
use crate::table::yolo_file::BEYOND;

/// The line, without its end.
///
/// # Errors
/// Why there is none.
pub(super) fn line(
    task: YoloTask,
    instance: &Instance,
    width: u32,
    height: u32,
) -> Result<String, (SkipReason, String)> {
    let missing = |text: &str| Err((SkipReason::Inexpressible, text.to_owned()));
    if instance.crowd {
        return missing("a crowd");
    }
    let size = [f64::from(width), f64::from(height)];
    let numbers: Vec<f64> = match task {
        YoloTask::Boxes => {
            let Some(bbox) = instance.bbox else {
                return missing("no box");
            };
            if bbox.to_bbox().area() <= 0.0 {
                return Err((SkipReason::Box, "a box without area".to_owned()));
            }
            let fractions = bbox.to_bbox().to_normalised(size[0], size[1]);
            fractions.values(BoxFormat::Cxcywh).to_vec()
        }
        YoloTask::Oriented => {
            let Some(turned) = instance.oriented else {
                return missing("no rotated box");
            };
            turned.corners().iter().flatten().copied().collect()
        }
        YoloTask::Segments => {
            let Some(shape) = &instance.shape else {
                return missing("no mask");
            };
            match shape.polygons() {
                Some([polygon]) => polygon.clone(),
                Some(polygons) => {
                    let text = format!("a mask of {} polygons", polygons.len());
                    return Err((SkipReason::Inexpressible, text));
                }
                None => return missing("a mask without a polygon"),
            }
        }
    };
    let is_normalised = task == YoloTask::Boxes;
    let mut text = instance.label.to_string();
    for (at, number) in numbers.into_iter().enumerate() {
        let fraction = if is_normalised {
            number
        } else {
            number / size[at % 2]
        };
        let decimals = decimals(fraction);
        let is_near = decimals
            .parse()
            .is_ok_and(|read: f64| (-BEYOND..=1.0 + BEYOND).contains(&read));
        if !is_near {
            let corner = match task {
                YoloTask::Boxes => "a coordinate",
                YoloTask::Oriented => "a corner",
                YoloTask::Segments => "a point",
            };
            let text = format!(
                "{corner} at {decimals} of the image's size, where YOLO reads -{BEYOND} to {}",
                1.0 + BEYOND
            );
            return Err((SkipReason::Range, text));
        }
        text.push(' ');
        text.push_str(&decimals);
    }
    Ok(text)
}

/// At most 12 decimals: what a rounding leaves beyond 1 is 1 again.
fn decimals(fraction: f64) -> String {
    let text = format!("{fraction:.12}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    match text {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{AngleDirection, AngleUnit, OrientedBox};
    use crate::table::instances::RawBox;

    #[test]
    fn fractions_are_short_and_never_beyond_one_by_rounding() {
        for (fraction, text) in [
            (0.5, "0.5"),
            (1.0 + 1e-15, "1"),
            (-1e-14, "0"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333333333"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(decimals(fraction), text);
        }
    }

    #[test]
    fn what_cannot_be_said_is_told() {
        let nothing = Instance::default();
        for task in [YoloTask::Boxes, YoloTask::Oriented, YoloTask::Segments] {
            assert_eq!(
                line(task, &nothing, 4, 4).unwrap_err().0,
                SkipReason::Inexpressible
            );
        }
        let crowd = Instance {
            crowd: true,
            ..Instance::default()
        };
        assert!(
            line(YoloTask::Boxes, &crowd, 4, 4)
                .unwrap_err()
                .1
                .contains("crowd")
        );
        let flat = |height: f64| Instance {
            bbox: Some(RawBox::new([1.0, 1.0, 2.0, height], BoxFormat::Xywh)),
            ..Instance::default()
        };
        assert!(line(YoloTask::Boxes, &flat(1.0), 4, 4).is_ok());
        assert_eq!(
            line(YoloTask::Boxes, &flat(0.0), 4, 4).unwrap_err().0,
            SkipReason::Box
        );
    }

    #[test]
    fn a_rotated_box_at_the_edge_of_its_image_is_said_and_one_beyond_is_not() {
        let turned = |cx: f64| Instance {
            oriented: Some(OrientedBox::new(
                [cx, 50.0, 20.0, 10.0, 0.0],
                AngleUnit::Radians,
                AngleDirection::Clockwise,
            )),
            ..Instance::default()
        };
        let at_edge = line(YoloTask::Oriented, &turned(9.5), 100, 100).unwrap();
        assert!(at_edge.starts_with("0 -0.005 "), "{at_edge}");
        let beyond = line(YoloTask::Oriented, &turned(8.5), 100, 100).unwrap_err();
        assert_eq!(beyond.0, SkipReason::Range);
    }
}
