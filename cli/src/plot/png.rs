//! Pictures as PNG.

use ::png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, PixmapPaint,
    Point, Rect as SkiaRect, SpreadMode, Stroke, Transform,
};

use super::color::Rgb;
use super::error::PlotError;
use super::raster::{self, Raster};
use super::scene::{
    Anchor, Item, Mark, Rect, Scene, Shape, Text, corners, halo_width, rim_color, rim_width,
};
use super::text::Fonts;

/// Pixels for each metre at scale 1: 96 for each inch.
const DENSITY: f32 = 96.0 / 0.0254;

/// Draws and encodes a picture with `scale` pixels for each picture unit.
pub(super) fn encode(scene: &Scene, fonts: &Fonts, scale: f32) -> Result<Vec<u8>, PlotError> {
    let (width, height) = (pixels(scene.width, scale), pixels(scene.height, scale));
    let mut pixmap = Pixmap::new(width, height)
        .ok_or_else(|| PlotError::Encode(format!("{width} x {height} pixels are too many")))?;
    pixmap.fill(Color::WHITE);
    let mut brush = Brush {
        pixmap,
        fonts,
        scale,
    };
    for item in &scene.items {
        brush.draw(item);
    }
    // The paper is opaque, so alpha is left out.
    let rgb: Vec<u8> = brush
        .pixmap
        .pixels()
        .iter()
        .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
        .collect();
    let density = (DENSITY * scale).round() as u32;
    write(width, height, ColorType::Rgb, &rgb, Some(density))
}

/// Encodes a layer of points, with its transparency.
pub(super) fn encode_raster(raster: &Raster) -> Result<Vec<u8>, PlotError> {
    write(
        raster.width,
        raster.height,
        ColorType::Rgba,
        &raster.rgba,
        None,
    )
}

fn pixels(length: f32, scale: f32) -> u32 {
    (length * scale).round().max(1.0) as u32
}

fn write(
    width: u32,
    height: u32,
    color: ColorType,
    data: &[u8],
    density: Option<u32>,
) -> Result<Vec<u8>, PlotError> {
    let failed = |error: ::png::EncodingError| PlotError::Encode(error.to_string());
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(::png::Compression::High);
    encoder.set_pixel_dims(density.map(|density| PixelDimensions {
        xppu: density,
        yppu: density,
        unit: Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(data).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

struct Brush<'a> {
    pixmap: Pixmap,
    fonts: &'a Fonts,
    scale: f32,
}

impl Brush<'_> {
    fn draw(&mut self, item: &Item) {
        let place = Transform::from_scale(self.scale, self.scale);
        match item {
            Item::Frame { area, color } => {
                if let Some(rect) = skia(area) {
                    self.stroke(&PathBuilder::from_rect(rect), *color, 1.0, place);
                }
            }
            Item::Line { from, to, color } => {
                let mut path = PathBuilder::new();
                path.move_to(from.0, from.1);
                path.line_to(to.0, to.1);
                if let Some(path) = path.finish() {
                    self.stroke(&path, *color, 1.0, place);
                }
            }
            Item::Polygon { corners, fill } => {
                if let Some(path) = polygon(corners) {
                    self.fill(&path, *fill, place);
                }
            }
            Item::Mark { mark, rim } => self.mark(mark, *rim, place),
            Item::Text(text) => self.text(text),
            Item::Ramp { area, colors } => self.ramp(area, colors, place),
            Item::Points(points) => self.raster(&raster::draw(points, self.scale)),
        }
    }

    fn fill(&mut self, path: &Path, color: Rgb, place: Transform) {
        self.pixmap
            .fill_path(path, &paint(color), FillRule::Winding, place, None);
    }

    fn stroke(&mut self, path: &Path, color: Rgb, width: f32, place: Transform) {
        let stroke = Stroke {
            width,
            line_join: tiny_skia::LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap
            .stroke_path(path, &paint(color), &stroke, place, None);
    }

    fn mark(&mut self, mark: &Mark, rim: bool, place: Transform) {
        let path = match mark.shape {
            Shape::Circle => PathBuilder::from_circle(mark.x, mark.y, mark.radius),
            Shape::Diamond | Shape::Triangle => polygon(&corners(mark)),
        };
        if let Some(path) = path {
            self.fill(&path, mark.color, place);
            if rim {
                self.stroke(&path, rim_color(mark.color), rim_width(mark.radius), place);
            }
        }
    }

    fn text(&mut self, text: &Text) {
        let Some(path) = self.fonts.outline(&text.text, text.style) else {
            return;
        };
        let width = self.fonts.width(&text.text, text.style);
        let shift = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let turn = if text.upwards { -90.0 } else { 0.0 };
        let place = Transform::from_translate(shift, 0.0)
            .post_concat(Transform::from_rotate(turn))
            .post_translate(text.x, text.y)
            .post_scale(self.scale, self.scale);
        if text.halo {
            self.stroke(&path, Rgb::WHITE, halo_width(text.style), place);
        }
        self.fill(&path, text.color, place);
    }

    fn ramp(&mut self, area: &Rect, colors: &[Rgb], place: Transform) {
        let last = colors.len().saturating_sub(1).max(1) as f32;
        let stops = colors
            .iter()
            .enumerate()
            .map(|(index, color)| GradientStop::new(index as f32 / last, solid(*color)));
        let shader = LinearGradient::new(
            Point::from_xy(0.0, area.bottom()),
            Point::from_xy(0.0, area.y),
            stops.collect(),
            SpreadMode::Pad,
            Transform::identity(),
        );
        if let (Some(shader), Some(rect)) = (shader, skia(area)) {
            let paint = Paint {
                shader,
                ..Paint::default()
            };
            self.pixmap.fill_rect(rect, &paint, place, None);
        }
    }

    fn raster(&mut self, raster: &Raster) {
        let Some(mut layer) = Pixmap::new(raster.width, raster.height) else {
            return;
        };
        for (pixel, rgba) in layer
            .pixels_mut()
            .iter_mut()
            .zip(raster.rgba.chunks_exact(4))
        {
            if let [red, green, blue, alpha] = *rgba {
                *pixel = tiny_skia::ColorU8::from_rgba(red, green, blue, alpha).premultiply();
            }
        }
        let (paint, place) = (PixmapPaint::default(), Transform::identity());
        self.pixmap
            .draw_pixmap(raster.left, raster.top, layer.as_ref(), &paint, place, None);
    }
}

fn solid(color: Rgb) -> Color {
    Color::from_rgba8(color.0, color.1, color.2, 255)
}

fn paint(color: Rgb) -> Paint<'static> {
    let mut paint = Paint {
        anti_alias: true,
        ..Paint::default()
    };
    paint.set_color(solid(color));
    paint
}

fn skia(area: &Rect) -> Option<SkiaRect> {
    SkiaRect::from_xywh(area.x, area.y, area.width, area.height)
}

fn polygon(corners: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, &(x, y)) in corners.iter().enumerate() {
        if index == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    path.close();
    path.finish()
}
