//! What a picture consists of, between layout and the two file formats.

use super::color::Rgb;
use super::text::Style;

/// A rectangle in picture units; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Rect {
    pub(super) fn right(&self) -> f32 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f32 {
        self.y + self.height
    }

    pub(super) fn center(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    pub(super) fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }
}

/// Which end of a text its position gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// One line of text on its baseline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) color: Rgb,
    pub(super) anchor: Anchor,
    /// Turned to read upwards.
    pub(super) upwards: bool,
    /// With a white rim, to be legible over points.
    pub(super) halo: bool,
}

/// Form of a mark; all forms have the same area at the same radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Shape {
    Circle,
    Diamond,
    Triangle,
}

/// One point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
    pub(super) shape: Shape,
    pub(super) color: Rgb,
    /// Its share of a mixed colour, or its value where means are drawn.
    pub(super) weight: f32,
}

/// How the points of a layer come together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Paint {
    /// Each over those before it.
    Over { alpha: f32, rim: bool },
    /// Pixels take the weighted mean colour of the points on them; more points, stronger colour.
    Mixed,
    /// Pixels take the colour of the mean of the weights (as values from 0 to 1) of the points on
    /// them; more points, stronger colour.
    Mean,
}

/// A layer of points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Points {
    /// What the layer may cover.
    pub(super) area: Rect,
    pub(super) marks: Vec<Mark>,
    pub(super) paint: Paint,
}

/// One part of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Frame {
        area: Rect,
        color: Rgb,
    },
    Line {
        from: (f32, f32),
        to: (f32, f32),
        color: Rgb,
    },
    Polygon {
        corners: Vec<(f32, f32)>,
        fill: Rgb,
    },
    Mark {
        mark: Mark,
        rim: bool,
    },
    Text(Text),
    /// Colours at equal distances from the bottom to the top.
    Ramp {
        area: Rect,
        colors: Vec<Rgb>,
    },
    Points(Points),
}

/// A whole picture on white paper, in drawing order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) width: f32,
    pub(super) height: f32,
    /// For readers that do not see the picture.
    pub(super) title: String,
    pub(super) description: String,
    pub(super) items: Vec<Item>,
}

/// Corners of a mark that is not a circle.
pub(super) fn corners(mark: &Mark) -> Vec<(f32, f32)> {
    let at = |dx: f32, dy: f32| (mark.x + dx * mark.radius, mark.y + dy * mark.radius);
    match mark.shape {
        Shape::Circle => Vec::new(),
        Shape::Diamond => {
            let d = DIAMOND;
            vec![at(0.0, -d), at(d, 0.0), at(0.0, d), at(-d, 0.0)]
        }
        Shape::Triangle => {
            let (side, base) = (TRIANGLE * 0.866_025_4, TRIANGLE * 0.5);
            vec![at(0.0, -TRIANGLE), at(side, base), at(-side, base)]
        }
    }
}

/// Half diagonal of the square with the area of the unit circle: the root of pi / 2.
pub(super) const DIAMOND: f32 = 1.253_314_1;
/// Circumradius of the equilateral triangle with the area of the unit circle.
pub(super) const TRIANGLE: f32 = 1.555_121_1;

/// The rim of a mark: a darker tone of its colour, which keeps pale colours visible on white.
pub(super) fn rim_color(color: Rgb) -> Rgb {
    color.mix(Rgb(0, 0, 0), 0.35)
}

/// Width of the rim of a mark.
pub(super) fn rim_width(radius: f32) -> f32 {
    (radius * 0.16).clamp(0.4, 0.9)
}

/// Width of the stroke behind a text over points: enough to read it, little enough to see them.
pub(super) fn halo_width(style: Style) -> f32 {
    style.size * 0.24
}
