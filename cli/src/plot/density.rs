//! Shading of many points: how strong a pixel's colour is says how many points are on it.
//!
//! A plain overlay saturates: beyond a few points per pixel, ten and ten thousand look the same.
//! A plain count hides the sparse parts. The logarithm of the count, scaled to its 99th
//! percentile, shows both.

use super::color::Rgb;
use super::palette::value_color;
use super::raster::Canvas;
use super::scene::Mark;

/// Strength of a pixel with one point: visible on white.
const LEAST: f32 = 0.42;

/// Colours are weighted means, taken in linear light.
pub(super) fn mixed(canvas: &mut Canvas, marks: &[Mark], scale: f32) {
    let mut counts = vec![0.0f32; canvas.pixels.len()];
    for mark in marks {
        let color = mark.color.linear();
        canvas.stamp(mark, scale, |place, pixel, cover, _| {
            counts[place] += cover;
            let share = mark.weight * cover;
            for (sum, channel) in pixel.iter_mut().zip(color) {
                *sum += channel * share;
            }
            pixel[3] += share;
        });
    }
    let full = full_count(&counts);
    for (pixel, count) in canvas.pixels.iter_mut().zip(counts) {
        let [red, green, blue, total] = *pixel;
        if total > 0.0 {
            let color = Rgb::encode([red / total, green / total, blue / total]);
            *pixel = shade(color, strength(count, full));
        }
    }
}

/// Colours are those of the mean value on a pixel. Not of the highest: that grows with the number
/// of points, so that dense parts would look high.
pub(super) fn mean(canvas: &mut Canvas, marks: &[Mark], scale: f32) {
    for mark in marks {
        canvas.stamp(mark, scale, |_, pixel, cover, _| {
            pixel[0] += mark.weight * cover;
            pixel[1] += cover;
        });
    }
    let counts: Vec<f32> = canvas.pixels.iter().map(|pixel| pixel[1]).collect();
    let full = full_count(&counts);
    for (pixel, count) in canvas.pixels.iter_mut().zip(counts) {
        if count > 0.0 {
            let color = value_color(pixel[0] / count).channels();
            *pixel = shade(color, strength(count, full));
        }
    }
}

/// The count at which the colour is full: the 99th percentile of the pixels with points.
fn full_count(counts: &[f32]) -> f32 {
    let mut filled: Vec<f32> = counts
        .iter()
        .copied()
        .filter(|&count| count > 0.0)
        .collect();
    if filled.is_empty() {
        return 1.0;
    }
    let place = ((filled.len() - 1) as f64 * 0.99).round() as usize;
    let (_, full, _) = filled.select_nth_unstable_by(place, f32::total_cmp);
    full.max(2.0)
}

fn strength(count: f32, full: f32) -> f32 {
    let rise = count.max(1.0).ln() / full.ln();
    (LEAST + (1.0 - LEAST) * rise.min(1.0)) * count.min(1.0)
}

fn shade(color: [f32; 3], alpha: f32) -> [f32; 4] {
    let [red, green, blue] = color.map(|channel| channel.clamp(0.0, 1.0) * alpha);
    [red, green, blue, alpha]
}
