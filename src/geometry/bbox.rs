//! An axis-aligned box, its conversions and the IoU of two.

use super::BoxFormat;

/// An axis-aligned box; y points down. Its unit is that of whoever made it.
///
/// Kept as COCO keeps it, by its top left corner and its size, so that overlaps are COCO's to the
/// last bit. A box may reach beyond its image and may have no area; such a box is alike to nothing.
///
/// ```
/// use emberlens::geometry::{BBox, BoxFormat};
/// let bbox = BBox::new([50.0, 40.0, 20.0, 10.0], BoxFormat::Cxcywh);
/// assert_eq!(bbox.values(BoxFormat::Xyxy), [40.0, 35.0, 60.0, 45.0]);
/// assert_eq!(bbox.to_normalised(200.0, 100.0).values(BoxFormat::Xywh), [0.2, 0.35, 0.1, 0.1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BBox {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl BBox {
    /// A box from four numbers, f32 or f64, that mean what `format` says. Nothing is checked here:
    /// whatever takes boxes names those that mean nothing.
    pub fn new(values: [impl Into<f64>; 4], format: BoxFormat) -> Self {
        let [a, b, c, d] = values.map(Into::into);
        match format {
            BoxFormat::Xywh => Self {
                x: a,
                y: b,
                width: c,
                height: d,
            },
            BoxFormat::Xyxy => Self {
                x: a,
                y: b,
                width: c - a,
                height: d - b,
            },
            BoxFormat::Cxcywh => Self {
                x: a - c / 2.0,
                y: b - d / 2.0,
                width: c,
                height: d,
            },
        }
    }

    /// The four numbers of a format.
    pub fn values(&self, format: BoxFormat) -> [f64; 4] {
        let Self {
            x,
            y,
            width,
            height,
        } = *self;
        match format {
            BoxFormat::Xywh => [x, y, width, height],
            BoxFormat::Xyxy => [x, y, x + width, y + height],
            BoxFormat::Cxcywh => [x + width / 2.0, y + height / 2.0, width, height],
        }
    }

    /// A box of pixels as fractions of an image of this size.
    pub fn to_normalised(&self, image_width: f64, image_height: f64) -> Self {
        Self {
            x: self.x / image_width,
            y: self.y / image_height,
            width: self.width / image_width,
            height: self.height / image_height,
        }
    }

    /// A box of fractions in the pixels of an image of this size.
    pub fn to_pixels(&self, image_width: f64, image_height: f64) -> Self {
        Self {
            x: self.x * image_width,
            y: self.y * image_height,
            width: self.width * image_width,
            height: self.height * image_height,
        }
    }

    /// Width times height.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Intersection over union, from 0 to 1; 0 where the boxes share no area.
    ///
    /// # Source
    /// `bbIou` of COCO's `maskApi.c`.
    pub fn iou(&self, other: &Self) -> f64 {
        let both = self.intersection(other);
        ratio(both, self.area() + other.area() - both)
    }

    /// The share of this box that lies in the other; what COCO takes for a crowd.
    pub fn share_in(&self, other: &Self) -> f64 {
        ratio(self.intersection(other), self.area())
    }

    fn intersection(&self, other: &Self) -> f64 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        if width <= 0.0 || height <= 0.0 {
            0.0
        } else {
            width * height
        }
    }

    /// The first of the four numbers that cannot be, with its name and the reason.
    pub(crate) fn defect(&self) -> Option<(&'static str, f64, &'static str)> {
        let position = [("x", self.x), ("y", self.y)];
        let size = [("width", self.width), ("height", self.height)];
        let not_finite = position
            .into_iter()
            .chain(size)
            .find(|(_, v)| !v.is_finite());
        if let Some((name, value)) = not_finite {
            return Some((name, value, "coordinates are finite"));
        }
        let negative = size.into_iter().find(|(_, v)| *v < 0.0);
        negative.map(|(name, value)| {
            let reason = "the right side is not left of the left one, nor the bottom above the top";
            (name, value, reason)
        })
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if part > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xyxy(values: [f64; 4]) -> BBox {
        BBox::new(values, BoxFormat::Xyxy)
    }

    #[test]
    fn formats_convert_into_each_other() {
        let bbox = xyxy([1.0, 2.0, 5.0, 10.0]);
        for format in [BoxFormat::Xyxy, BoxFormat::Xywh, BoxFormat::Cxcywh] {
            assert_eq!(BBox::new(bbox.values(format), format), bbox);
        }
        assert_eq!(bbox.values(BoxFormat::Cxcywh), [3.0, 6.0, 4.0, 8.0]);
        let same = bbox.to_normalised(8.0, 16.0).to_pixels(8.0, 16.0);
        assert_eq!(same, bbox);
    }

    #[test]
    fn the_iou_of_boxes_that_share_a_third_of_their_union() {
        let (a, b) = (xyxy([0.0, 0.0, 2.0, 1.0]), xyxy([1.0, 0.0, 3.0, 1.0]));
        assert_eq!(a.iou(&b), 1.0 / 3.0);
        assert_eq!(a.share_in(&b), 0.5);
    }

    #[test]
    fn boxes_without_area_are_alike_to_nothing() {
        let (line, bbox) = (xyxy([0.0, 0.0, 0.0, 1.0]), xyxy([0.0, 0.0, 2.0, 1.0]));
        assert_eq!(
            (line.iou(&bbox), line.iou(&line), bbox.iou(&line)),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(line.share_in(&bbox), 0.0);
    }
}
