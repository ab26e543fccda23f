//! Pictures as SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::color::Rgb;
use super::error::PlotError;
use super::scene::{
    Anchor, Item, Mark, Paint, Points, Rect, Scene, Shape, Text, corners, halo_width, rim_color,
    rim_width,
};
use super::text::Fonts;
use super::{png, raster};

/// Up to this many points are vectors; more are an embedded picture, to keep files small.
const VECTORS: usize = 10_000;
/// Pixels of that picture for each unit.
const EMBEDDED_SCALE: f32 = 2.0;
/// The built-in font first, then fonts of similar width.
const FAMILY: &str = "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

/// Writes a picture.
pub(super) fn encode(scene: &Scene, fonts: &Fonts) -> Result<String, PlotError> {
    let mut writer = Writer {
        fonts,
        text: String::new(),
        ramps: 0,
        layers: 0,
    };
    let (width, height) = (number(scene.width), number(scene.height));
    writer.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{FAMILY}\">"
    ));
    writer.line(format_args!("<title>{}</title>", escape(&scene.title)));
    writer.line(format_args!("<desc>{}</desc>", escape(&scene.description)));
    writer.line(format_args!(
        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    ));
    for item in &scene.items {
        writer.item(item)?;
    }
    writer.line(format_args!("</svg>"));
    Ok(writer.text)
}

struct Writer<'a> {
    fonts: &'a Fonts,
    text: String,
    ramps: usize,
    layers: usize,
}

impl Writer<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    fn item(&mut self, item: &Item) -> Result<(), PlotError> {
        match item {
            Item::Frame { area, color } => {
                let (place, color) = (place(area), color.css());
                self.line(format_args!(
                    "<rect {place} fill=\"none\" stroke=\"{color}\"/>"
                ));
            }
            Item::Line { from, to, color } => {
                let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
                let color = color.css();
                self.line(format_args!(
                    "<path d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"{color}\"/>"
                ));
            }
            Item::Polygon { corners, fill } => {
                let (path, fill) = (outline(corners), fill.css());
                self.line(format_args!("<path d=\"{path}\" fill=\"{fill}\"/>"));
            }
            Item::Mark { mark, rim } => {
                let form = form(mark, *rim);
                self.line(format_args!("{form}"));
            }
            Item::Text(text) => self.text(text),
            Item::Ramp { area, colors } => self.ramp(area, colors),
            Item::Points(points) => match points.paint {
                Paint::Over { alpha, rim } if points.marks.len() <= VECTORS => {
                    self.vectors(points, alpha, rim);
                }
                _ => self.embed(points)?,
            },
        }
        Ok(())
    }

    fn text(&mut self, text: &Text) {
        let [x, y, size] = [text.x, text.y, text.style.size].map(number);
        let mut more = String::new();
        if text.style.bold {
            more.push_str(" font-weight=\"600\"");
        }
        match text.anchor {
            Anchor::Start => {}
            Anchor::Middle => more.push_str(" text-anchor=\"middle\""),
            Anchor::End => more.push_str(" text-anchor=\"end\""),
        }
        if text.halo {
            let width = number(halo_width(text.style));
            more.push_str(&format!(
                " paint-order=\"stroke\" stroke=\"#fff\" stroke-linejoin=\"round\" \
                 stroke-width=\"{width}\""
            ));
        }
        if text.upwards {
            more.push_str(&format!(" transform=\"rotate(-90 {x} {y})\""));
        }
        // Keeps the layout with another font; unknown for characters that this font lacks.
        if self.fonts.covers(&text.text) && text.text.chars().count() > 1 {
            let width = number(self.fonts.width(&text.text, text.style));
            more.push_str(&format!(
                " textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\""
            ));
        }
        let (fill, content) = (text.color.css(), escape(&text.text));
        self.line(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{fill}\"{more}>{content}</text>"
        ));
    }

    fn ramp(&mut self, area: &Rect, colors: &[Rgb]) {
        self.ramps += 1;
        let id = self.ramps;
        let last = colors.len().saturating_sub(1).max(1) as f32;
        let mut stops = String::new();
        for (index, color) in colors.iter().enumerate() {
            let (at, color) = (number(index as f32 / last), color.css());
            stops.push_str(&format!("<stop offset=\"{at}\" stop-color=\"{color}\"/>"));
        }
        self.line(format_args!(
            "<linearGradient id=\"ramp{id}\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">{stops}\
             </linearGradient>"
        ));
        let place = place(area);
        self.line(format_args!("<rect {place} fill=\"url(#ramp{id})\"/>"));
    }

    /// Marks of one form, size and colour share a symbol.
    fn vectors(&mut self, points: &Points, alpha: f32, rim: bool) {
        self.layers += 1;
        let layer = self.layers;
        let mut symbols = BTreeMap::new();
        let mut uses = String::new();
        for mark in &points.marks {
            let next = symbols.len();
            let symbol = *symbols
                .entry((mark.shape, mark.radius.to_bits(), mark.color))
                .or_insert(next);
            if symbol == next {
                let form = form(
                    &Mark {
                        x: 0.0,
                        y: 0.0,
                        ..*mark
                    },
                    rim,
                );
                uses.push_str(&format!(
                    "<defs><g id=\"p{layer}-{symbol}\">{form}</g></defs>\n"
                ));
            }
            let (x, y) = (number(mark.x), number(mark.y));
            uses.push_str(&format!(
                "<use href=\"#p{layer}-{symbol}\" x=\"{x}\" y=\"{y}\"/>\n"
            ));
        }
        let (id, place) = (format!("area{layer}"), place(&points.area));
        self.line(format_args!(
            "<clipPath id=\"{id}\"><rect {place}/></clipPath>"
        ));
        // Opacity is that of each point, so it is inherited rather than that of the group.
        let alpha = number(alpha);
        self.line(format_args!(
            "<g clip-path=\"url(#{id})\" fill-opacity=\"{alpha}\" stroke-opacity=\"{alpha}\">"
        ));
        self.text.push_str(&uses);
        self.line(format_args!("</g>"));
    }

    fn embed(&mut self, points: &Points) -> Result<(), PlotError> {
        let raster = raster::draw(points, EMBEDDED_SCALE);
        let data = STANDARD.encode(png::encode_raster(&raster)?);
        let place = place(&Rect {
            x: raster.left as f32 / EMBEDDED_SCALE,
            y: raster.top as f32 / EMBEDDED_SCALE,
            width: raster.width as f32 / EMBEDDED_SCALE,
            height: raster.height as f32 / EMBEDDED_SCALE,
        });
        self.line(format_args!(
            "<image {place} href=\"data:image/png;base64,{data}\"/>"
        ));
        Ok(())
    }
}

fn form(mark: &Mark, rim: bool) -> String {
    let fill = mark.color.css();
    let stroke = if rim {
        let (color, width) = (rim_color(mark.color).css(), number(rim_width(mark.radius)));
        format!(" stroke=\"{color}\" stroke-width=\"{width}\"")
    } else {
        String::new()
    };
    // The rim lies inside the mark, as it does in pixels.
    let radius = mark.radius
        - if rim {
            rim_width(mark.radius) / 2.0
        } else {
            0.0
        };
    match mark.shape {
        Shape::Circle => {
            let [x, y, radius] = [mark.x, mark.y, radius].map(number);
            format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\"{stroke}/>")
        }
        Shape::Diamond | Shape::Triangle => {
            let path = outline(&corners(&Mark { radius, ..*mark }));
            format!("<path d=\"{path}\" fill=\"{fill}\"{stroke}/>")
        }
    }
}

fn outline(corners: &[(f32, f32)]) -> String {
    let mut path = String::new();
    for (index, &(x, y)) in corners.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        path.push_str(&format!("{command}{} {}", number(x), number(y)));
    }
    path.push('Z');
    path
}

fn place(area: &Rect) -> String {
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(number);
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

/// Hundredths of a unit are finer than any screen shows.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
