//! From coordinates to places in the panel, in two and in three dimensions.

use super::figure::{Coordinates, View};
use super::scene::Rect;
use super::window::Window;

/// Where the points are in the picture.
pub(super) struct Places {
    /// Place of each point; those outside the window too.
    pub(super) at: Vec<(f32, f32)>,
    /// Nearness of each point, from 0 (far) to 1; empty in two dimensions.
    pub(super) nearness: Vec<f32>,
    /// Points outside the window, in order.
    pub(super) outside: Vec<usize>,
    /// The box around three-dimensional points.
    pub(super) cage: Option<Cage>,
}

/// The visible inside of a box: its edges away from the reader, and where its axes are named.
pub(super) struct Cage {
    pub(super) edges: Vec<[(f32, f32); 2]>,
    /// The middle of an edge of each axis, and the direction away from the box there.
    pub(super) axes: [((f32, f32), (f32, f32)); 3],
}

/// Places all points inside `panel`, with `margin` around them and one scale for all axes.
pub(super) fn place(coordinates: &Coordinates, panel: &Rect, margin: f32) -> Places {
    match coordinates {
        Coordinates::Plane(points) => {
            let window = Window::around(points);
            let ends = [window.low, window.high];
            let fit = Fit::of(ends.into_iter(), panel, margin);
            Places {
                at: points
                    .iter()
                    .map(|point| fit.at(point.map(f64::from)))
                    .collect(),
                nearness: Vec::new(),
                outside: outside(points, &window),
                cage: None,
            }
        }
        Coordinates::Space(points, view) => {
            let window = Window::around(points);
            let camera = Camera::new(*view, &window);
            let corners: [[f64; 3]; 8] = std::array::from_fn(|corner| {
                std::array::from_fn(|axis| {
                    if corner >> axis & 1 == 1 {
                        window.high[axis]
                    } else {
                        window.low[axis]
                    }
                })
            });
            let seen = corners.map(|corner| camera.look(corner));
            let flat = |[x, y, _]: [f64; 3]| [x, y];
            let fit = Fit::of(seen.into_iter().map(flat), panel, margin);
            let depths = seen.map(|[_, _, depth]| depth);
            let near = depths.into_iter().fold(f64::NEG_INFINITY, f64::max);
            let far = depths.into_iter().fold(f64::INFINITY, f64::min);
            let mut places = Places {
                at: Vec::with_capacity(points.len()),
                nearness: Vec::with_capacity(points.len()),
                outside: outside(points, &window),
                cage: Some(cage(&seen, &fit)),
            };
            for point in points {
                let [x, y, depth] = camera.look(point.map(f64::from));
                places.at.push(fit.at([x, y]));
                let nearness = if near > far {
                    (depth - far) / (near - far)
                } else {
                    1.0
                };
                places.nearness.push(nearness.clamp(0.0, 1.0) as f32);
            }
            places
        }
    }
}

fn outside<const D: usize>(points: &[[f32; D]], window: &Window<D>) -> Vec<usize> {
    let all = points.iter().enumerate();
    all.filter(|(_, point)| !window.contains(point))
        .map(|(row, _)| row)
        .collect()
}

/// One scale and a shift from coordinates (y up) to the picture (y down).
struct Fit {
    scale: f64,
    from: [f64; 2],
    to: (f64, f64),
}

impl Fit {
    fn of(ends: impl Iterator<Item = [f64; 2]>, panel: &Rect, margin: f32) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for end in ends {
            for axis in 0..2 {
                low[axis] = low[axis].min(end[axis]);
                high[axis] = high[axis].max(end[axis]);
            }
        }
        let room = |length: f32| f64::from((length - 2.0 * margin).max(1.0));
        let rooms = [room(panel.width), room(panel.height)];
        let scale = (0..2)
            .map(|axis| rooms[axis] / (high[axis] - low[axis]))
            .fold(f64::INFINITY, f64::min);
        let center = panel.center();
        Fit {
            // Points that are all equal are drawn in the middle at any scale.
            scale: if scale.is_finite() { scale } else { 0.0 },
            from: [0, 1].map(|axis| low[axis] / 2.0 + high[axis] / 2.0),
            to: (f64::from(center.0), f64::from(center.1)),
        }
    }

    fn at(&self, point: [f64; 2]) -> (f32, f32) {
        let x = self.to.0 + (point[0] - self.from[0]) * self.scale;
        let y = self.to.1 - (point[1] - self.from[1]) * self.scale;
        (x as f32, y as f32)
    }
}

/// A view without perspective.
struct Camera {
    center: [f64; 3],
    right: [f64; 3],
    up: [f64; 3],
    toward: [f64; 3],
}

impl Camera {
    fn new(view: View, window: &Window<3>) -> Self {
        let (sin_a, cos_a) = f64::from(view.azimuth).to_radians().sin_cos();
        let (sin_e, cos_e) = f64::from(view.elevation).to_radians().sin_cos();
        Camera {
            center: window.center(),
            right: [-sin_a, cos_a, 0.0],
            up: [-sin_e * cos_a, -sin_e * sin_a, cos_e],
            toward: [cos_e * cos_a, cos_e * sin_a, sin_e],
        }
    }

    /// To the right, up, and towards the reader.
    fn look(&self, point: [f64; 3]) -> [f64; 3] {
        let along = |direction: &[f64; 3]| -> f64 {
            (0..3)
                .map(|axis| (point[axis] - self.center[axis]) * direction[axis])
                .sum()
        };
        [along(&self.right), along(&self.up), along(&self.toward)]
    }
}

/// Edges that do not touch the nearest corner, which would lie before the points.
fn cage(corners: &[[f64; 3]; 8], fit: &Fit) -> Cage {
    let at = |corner: usize| fit.at([corners[corner][0], corners[corner][1]]);
    let nearest = (0..8)
        .max_by(|&a, &b| corners[a][2].total_cmp(&corners[b][2]))
        .unwrap_or(0);
    // The edges of one axis, each from a corner without that axis' bit.
    let edges_of = |axis: usize| {
        (0..8usize)
            .filter(move |corner| corner >> axis & 1 == 0)
            .map(move |c| (c, c | 1 << axis))
    };
    let edges = (0..3)
        .flat_map(edges_of)
        .filter(|&(from, to)| from != nearest && to != nearest)
        .map(|(from, to)| [at(from), at(to)])
        .collect();
    let (x, y) = (fit.to.0 as f32, fit.to.1 as f32);
    let axes = std::array::from_fn(|axis| {
        let middles = edges_of(axis).map(|(from, to)| {
            let (from, to) = (at(from), at(to));
            ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0)
        });
        // The first two axes are named below the box, the third on its left.
        let outward = |middle: &(f32, f32)| {
            if axis == 2 {
                x - middle.0
            } else {
                middle.1 - y
            }
        };
        let edge = middles
            .max_by(|a, b| outward(a).total_cmp(&outward(b)))
            .unwrap_or((x, y));
        let (dx, dy) = (edge.0 - x, edge.1 - y);
        let length = (dx * dx + dy * dy).sqrt().max(1.0);
        (edge, (dx / length, dy / length))
    });
    Cage { edges, axes }
}
