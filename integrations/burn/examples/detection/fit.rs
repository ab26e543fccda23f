//! How a seen box fits the true ones of its image.

use emberlens::metrics::{BBox, TrueInstance};

/// A box that fits no object so well shows none.
const TOUCHES: f64 = 0.1;

/// How well a box fits, and what it shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// IoU with the nearest object, 0 where there is none; that of `boxes_predicted`.
    pub iou: f32,
    /// The class of the object that it shows.
    pub label: Option<i32>,
    /// The share of that object's box that the box of one other object covers at most.
    pub overlap: Option<f32>,
}

impl Fit {
    /// Of a box in an image with these objects; boxes around crowds are none.
    pub fn of(bbox: &BBox, truth: &[TrueInstance<BBox>]) -> Self {
        let objects: Vec<_> = truth.iter().filter(|one| !one.crowd).collect();
        let fits = objects.iter().map(|object| bbox.iou(&object.geometry));
        let nearest = fits.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let shown = nearest.filter(|(_, iou)| *iou >= TOUCHES).map(|(at, _)| at);
        Self {
            iou: nearest.map_or(0.0, |(_, iou)| iou as f32),
            label: shown.map(|at| objects[at].label as i32),
            overlap: shown.map(|at| {
                let own = &objects[at].geometry;
                let others = objects.iter().enumerate();
                let others = others.filter(|(other, _)| *other != at);
                let shares = others.map(|(_, other)| own.share_in(&other.geometry));
                shares.fold(0.0, f64::max) as f32
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use emberlens::table::BoxFormat;

    use super::*;

    fn bbox(left: f64, right: f64) -> BBox {
        BBox::new([left, 0.0, right, 10.0], BoxFormat::Xyxy)
    }

    #[test]
    fn a_box_shows_the_nearest_object() {
        let truth = [
            TrueInstance::new(bbox(0.0, 10.0), 3),
            TrueInstance::new(bbox(8.0, 18.0), 4),
        ];
        let fit = Fit {
            iou: 1.0,
            label: Some(4),
            overlap: Some(0.2),
        };
        assert_eq!(Fit::of(&bbox(8.0, 18.0), &truth), fit);
        let none = Fit {
            iou: 0.0,
            label: None,
            overlap: None,
        };
        assert_eq!(Fit::of(&bbox(30.0, 40.0), &truth), none);
        assert_eq!(Fit::of(&bbox(0.0, 10.0), &[]), none);
    }

    #[test]
    fn a_crowd_is_no_object() {
        let alone = [TrueInstance::new(bbox(0.0, 10.0), 3)];
        let crowds = [
            TrueInstance::new(bbox(0.0, 9.0), 4).crowd(true),
            TrueInstance::new(bbox(20.0, 30.0), 4).crowd(true),
        ];
        let among = [&crowds[..], &alone].concat();
        // The first box fits a crowd better than the object, the second nothing else.
        for seen in [bbox(0.0, 9.0), bbox(20.0, 30.0)] {
            assert_eq!(Fit::of(&seen, &among), Fit::of(&seen, &alone));
        }
        assert_eq!(Fit::of(&bbox(0.0, 9.0), &among).overlap, Some(0.0));
    }
}
