//! Text set in the built-in font: widths, shortening, outlines.
//!
//! The font is a subset of Inter (Latin, Greek, Cyrillic; SIL Open Font License, `font/OFL.txt`)
//! inside the binary, so pictures do not depend on what fonts a machine has.

use harfrust::{Buffer, Direction, Font, ShapeOptions, ShaperFont};
use skrifa::{DrawMemory, PathSink, ScalerFont};
use tiny_skia::{Path, PathBuilder};

use super::error::PlotError;

static REGULAR: &[u8] = include_bytes!("font/Inter-Regular-subset.otf");
static SEMIBOLD: &[u8] = include_bytes!("font/Inter-SemiBold-subset.otf");

/// Size and weight of a line of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
}

impl Style {
    pub(super) const fn regular(size: f32) -> Self {
        Style { size, bold: false }
    }

    pub(super) const fn bold(size: f32) -> Self {
        Style { size, bold: true }
    }
}

/// The built-in fonts.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
}

struct Face {
    font: Font,
    scaler: ScalerFont,
    units_per_em: f32,
}

impl Face {
    fn load(bytes: &'static [u8]) -> Result<Self, PlotError> {
        let font = Font::new(bytes, 0)
            .ok_or_else(|| PlotError::Encode("the built-in font is not readable".into()))?;
        let scaler = ScalerFont::unhinted(font.clone(), None);
        let units_per_em = f32::from(font.metrics().units_per_em).max(1.0);
        Ok(Face {
            font,
            scaler,
            units_per_em,
        })
    }

    /// Characters that the font lacks are spelled as code points, as in `‹732B›`.
    fn spell_out(&self, text: &str) -> String {
        let map = self.font.charmap();
        let mut spelled = String::with_capacity(text.len());
        for character in text.chars() {
            if map.map_unicode(character).is_some() {
                spelled.push(character);
            } else {
                spelled.push_str(&format!("‹{:X}›", u32::from(character)));
            }
        }
        spelled
    }

    /// Calls `place` with each glyph and its position in font units; returns the width.
    fn set(&self, text: &str, mut place: impl FnMut(harfrust::GlyphId, f32, f32)) -> f32 {
        let mut buffer = Buffer::new();
        buffer.push_str(&self.spell_out(text));
        buffer.guess_segment_properties();
        buffer.set_direction(Direction::LeftToRight);
        let shaper = ShaperFont::new(&self.font);
        if harfrust::shape(&shaper, &mut buffer, ShapeOptions::new()).is_err() {
            return 0.0;
        }
        let mut pen = 0.0;
        for (glyph, position) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            let (x, y) = (position.x_offset as f32, position.y_offset as f32);
            place(harfrust::GlyphId::new(glyph.glyph_id), pen + x, y);
            pen += position.x_advance as f32;
        }
        pen
    }
}

impl Fonts {
    /// Reads the built-in fonts.
    pub(super) fn load() -> Result<Self, PlotError> {
        Ok(Fonts {
            regular: Face::load(REGULAR)?,
            bold: Face::load(SEMIBOLD)?,
        })
    }

    fn face(&self, style: Style) -> &Face {
        if style.bold {
            &self.bold
        } else {
            &self.regular
        }
    }

    /// Whether the font has every character of the text.
    pub(super) fn covers(&self, text: &str) -> bool {
        let map = self.regular.font.charmap();
        text.chars().all(|c| map.map_unicode(c).is_some())
    }

    /// Width of one line.
    pub(super) fn width(&self, text: &str, style: Style) -> f32 {
        let face = self.face(style);
        face.set(text, |_, _, _| ()) * style.size / face.units_per_em
    }

    /// The text, or as much of its beginning as fits with an ellipsis.
    pub(super) fn shorten(&self, text: &str, style: Style, width: f32) -> String {
        if self.width(text, style) <= width {
            return text.to_owned();
        }
        let ends: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
        let fitted = |end: usize| format!("{}…", text[..end].trim_end());
        // Widths grow with the length, up to kerning: the last that fits is found by halving.
        let count = ends.partition_point(|&end| self.width(&fitted(end), style) <= width);
        fitted(ends.get(count.saturating_sub(1)).copied().unwrap_or(0))
    }

    /// The outline of one line that starts at the origin on the baseline; `None` if it is blank.
    pub(super) fn outline(&self, text: &str, style: Style) -> Option<Path> {
        let face = self.face(style);
        let mut sink = Outline {
            path: PathBuilder::new(),
            scale: style.size / face.units_per_em,
            origin: (0.0, 0.0),
        };
        face.set(text, |glyph, x, y| {
            sink.origin = (x, y);
            if let Some(outline) = face.scaler.outline(glyph) {
                // A glyph that cannot be drawn leaves its gap; the built-in fonts have none.
                let _ = outline.draw(DrawMemory::Scratch, &mut sink);
            }
        });
        sink.path.finish()
    }
}

/// Replaces what XML cannot carry and what would break a line.
pub(super) fn clean(text: &str) -> String {
    let printable = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let replace = |c| if printable(c) { c } else { '\u{FFFD}' };
    text.chars().map(replace).collect()
}

struct Outline {
    path: PathBuilder,
    scale: f32,
    origin: (f32, f32),
}

impl Outline {
    /// Font units with y up to picture units with y down.
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (
            (self.origin.0 + x) * self.scale,
            -(self.origin.1 + y) * self.scale,
        )
    }
}

impl PathSink for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let ((cx, cy), (x, y)) = (self.at(cx, cy), self.at(x, y));
        self.path.quad_to(cx, cy, x, y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (first, second, end) = (self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y));
        self.path
            .cubic_to(first.0, first.1, second.0, second.1, end.0, end.1);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::regular(16.0);

    #[test]
    fn a_short_text_is_kept_and_a_long_one_ends_in_an_ellipsis_and_fits() {
        let fonts = Fonts::load().unwrap();
        assert_eq!(fonts.shorten("cat", STYLE, 100.0), "cat");
        let short = fonts.shorten("a name that is much too long for it", STYLE, 100.0);
        assert!(short.ends_with('…') && short.len() > 5, "{short}");
        assert!(fonts.width(&short, STYLE) <= 100.0);
    }

    #[test]
    fn kerning_pulls_pairs_together() {
        let fonts = Fonts::load().unwrap();
        let apart = fonts.width("A", STYLE) + fonts.width("V", STYLE);
        assert!(fonts.width("AV", STYLE) < apart);
    }

    #[test]
    fn characters_that_the_font_lacks_are_spelled_as_code_points() {
        let fonts = Fonts::load().unwrap();
        assert!(fonts.covers("Größe Ελλάδα Кошка"));
        assert!(!fonts.covers("猫"));
        assert_eq!(fonts.regular.spell_out("a猫"), "a‹732B›");
        assert!(fonts.outline("猫", STYLE).is_some());
    }

    #[test]
    fn blank_text_has_no_outline() {
        let fonts = Fonts::load().unwrap();
        assert!(fonts.outline(" ", STYLE).is_none());
        assert!(fonts.outline("", STYLE).is_none());
    }
}
