//! Layers of points as pixels.

use super::color::Rgb;
use super::density;
use super::scene::{DIAMOND, Mark, Paint, Points, Shape, TRIANGLE, rim_color, rim_width};

/// Pixels with straight alpha; `left` and `top` are the picture's pixel at the first of them.
pub(super) struct Raster {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgba: Vec<u8>,
}

/// A canvas of `[red, green, blue, alpha]`, colours multiplied by alpha.
pub(super) struct Canvas {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[f32; 4]>,
}

impl Canvas {
    pub(super) fn blank(points: &Points, scale: f32) -> Self {
        let area = &points.area;
        let (left, top) = ((area.x * scale).floor(), (area.y * scale).floor());
        let width = ((area.right() * scale).ceil() - left).max(1.0) as usize;
        let height = ((area.bottom() * scale).ceil() - top).max(1.0) as usize;
        Canvas {
            left: left as i32,
            top: top as i32,
            width,
            height,
            pixels: vec![[0.0; 4]; width * height],
        }
    }

    /// Calls `touch` with the place in `pixels` of each pixel that the mark covers, the pixel, the
    /// share covered (0 to 1), and how far inside the mark the pixel's centre is, in pixels.
    pub(super) fn stamp(
        &mut self,
        mark: &Mark,
        scale: f32,
        mut touch: impl FnMut(usize, &mut [f32; 4], f32, f32),
    ) {
        let (x, y) = (
            mark.x * scale - self.left as f32,
            mark.y * scale - self.top as f32,
        );
        let radius = mark.radius * scale;
        let reach = radius
            * if mark.shape == Shape::Circle {
                1.0
            } else {
                TRIANGLE
            }
            + 1.0;
        let clamp = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
        let columns = clamp(x - reach, self.width)..clamp(x + reach + 1.0, self.width);
        for row in clamp(y - reach, self.height)..clamp(y + reach + 1.0, self.height) {
            let Some(line) = self
                .pixels
                .get_mut(row * self.width..(row + 1) * self.width)
            else {
                continue;
            };
            let dy = row as f32 + 0.5 - y;
            for (column, pixel) in columns.clone().zip(&mut line[columns.clone()]) {
                let inside = depth(mark.shape, column as f32 + 0.5 - x, dy, radius);
                // A mark thinner than a pixel covers as much as its area.
                let cover = (inside + 0.5).clamp(0.0, 1.0) * (2.0 * radius).min(1.0);
                if cover > 0.0 {
                    touch(row * self.width + column, pixel, cover, inside);
                }
            }
        }
    }
}

/// Distance inside the edge of a shape around the origin; negative outside.
fn depth(shape: Shape, dx: f32, dy: f32, radius: f32) -> f32 {
    match shape {
        Shape::Circle => radius - (dx * dx + dy * dy).sqrt(),
        Shape::Diamond => {
            (DIAMOND * radius - dx.abs() - dy.abs()) * std::f32::consts::FRAC_1_SQRT_2
        }
        Shape::Triangle => {
            let inner = 0.5 * TRIANGLE * radius;
            inner - dy.max(dx.abs() * 0.866_025_4 - 0.5 * dy)
        }
    }
}

/// Draws a layer at `scale` pixels for each picture unit.
pub(super) fn draw(points: &Points, scale: f32) -> Raster {
    let mut canvas = Canvas::blank(points, scale);
    match points.paint {
        Paint::Over { alpha, rim } => {
            for mark in &points.marks {
                over(&mut canvas, mark, scale, alpha, rim);
            }
        }
        Paint::Mixed => density::mixed(&mut canvas, &points.marks, scale),
        Paint::Mean => density::mean(&mut canvas, &points.marks, scale),
    }
    finish(canvas)
}

fn over(canvas: &mut Canvas, mark: &Mark, scale: f32, alpha: f32, rim: bool) {
    let (body, edge) = (mark.color.channels(), rim_color(mark.color).channels());
    let width = if rim {
        rim_width(mark.radius) * scale
    } else {
        0.0
    };
    canvas.stamp(mark, scale, |_, pixel, cover, inside| {
        let edged = if rim {
            (width - inside + 0.5).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let alpha = cover * alpha;
        for (channel, (body, edge)) in pixel.iter_mut().zip(body.iter().zip(edge)) {
            let color = body + (edge - body) * edged;
            *channel = *channel * (1.0 - alpha) + color * alpha;
        }
        pixel[3] = pixel[3] * (1.0 - alpha) + alpha;
    });
}

fn finish(canvas: Canvas) -> Raster {
    let mut rgba = Vec::with_capacity(canvas.pixels.len() * 4);
    for [red, green, blue, alpha] in canvas.pixels {
        if alpha <= 0.0 {
            rgba.extend([0; 4]);
            continue;
        }
        let Rgb(red, green, blue) = Rgb::from_channels([red / alpha, green / alpha, blue / alpha]);
        rgba.extend([red, green, blue, (alpha.min(1.0) * 255.0).round() as u8]);
    }
    Raster {
        left: canvas.left,
        top: canvas.top,
        width: canvas.width as u32,
        height: canvas.height as u32,
        rgba,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Rect;
    use super::*;

    const AREA: Rect = Rect {
        x: 0.0,
        y: 0.0,
        width: 40.0,
        height: 40.0,
    };

    fn layer(marks: Vec<Mark>, paint: Paint) -> Points {
        Points {
            area: AREA,
            marks,
            paint,
        }
    }

    fn mark(x: f32, y: f32, shape: Shape) -> Mark {
        Mark {
            x,
            y,
            radius: 8.0,
            shape,
            color: Rgb(200, 30, 30),
            weight: 1.0,
        }
    }

    #[test]
    fn every_shape_covers_the_area_of_its_circle() {
        for shape in [Shape::Circle, Shape::Diamond, Shape::Triangle] {
            let paint = Paint::Over {
                alpha: 1.0,
                rim: false,
            };
            let raster = draw(&layer(vec![mark(20.3, 19.8, shape)], paint), 2.0);
            let covered: f32 = raster
                .rgba
                .iter()
                .skip(3)
                .step_by(4)
                .map(|&a| f32::from(a) / 255.0)
                .sum();
            let area = std::f32::consts::PI * 16.0 * 16.0;
            assert!(
                (covered - area).abs() < 0.02 * area,
                "{shape:?}: {covered} of {area}"
            );
        }
    }

    #[test]
    fn marks_at_and_beyond_the_edge_are_cut_off() {
        for place in [-100.0, -8.0, 0.0, 40.0, 47.9, 1e9] {
            for paint in [
                Paint::Over {
                    alpha: 1.0,
                    rim: true,
                },
                Paint::Mixed,
                Paint::Mean,
            ] {
                let raster = draw(&layer(vec![mark(place, 20.0, Shape::Circle)], paint), 1.0);
                assert_eq!(raster.rgba.len(), 40 * 40 * 4);
            }
        }
    }
}
