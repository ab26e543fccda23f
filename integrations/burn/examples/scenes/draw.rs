//! Drawing a scene from its seed.

use emberlens::metrics::Rle;
use ndarray::Array2;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::shape::{Placed, normal};
use super::surface::Surface;
use super::{Object, SIDE, Scene, VOID};
use crate::program::Failure;

/// Less of an object than this is never visible.
const LEAST_VISIBLE: f32 = 0.45;
/// Pixels of which nobody has so much are mixed: they belong to no class.
const SOLE: f32 = 0.8;
const NOBODY: usize = usize::MAX;

/// The first `count` scenes of a seed.
pub fn generate(count: usize, seed: u64) -> Result<Vec<Scene>, Failure> {
    (0..count).map(|number| scene(number, seed)).collect()
}

fn scene(number: usize, seed: u64) -> Result<Scene, Failure> {
    let scramble = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = StdRng::seed_from_u64(seed ^ scramble);
    let mut canvas = Canvas::new(&mut random);
    // A few scenes are empty.
    let wanted = [0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4][random.random_range(0..12)];
    let tries = 6 * wanted;
    for _ in 0..tries {
        if canvas.objects.len() < wanted {
            canvas.try_object(&mut random);
        }
    }
    if random.random_bool(0.3) {
        canvas.try_beam(&mut random);
    }
    canvas.finish(&mut random)
}

/// A scene under way.
struct Canvas {
    grey: Vec<f32>,
    /// The object that has each pixel, and how much of it: the rest is somebody else's.
    owner: Vec<usize>,
    share: Vec<f32>,
    objects: Vec<Drawn>,
    background: f32,
}

/// An object and its pixels within the picture when nothing covers it.
struct Drawn {
    class: usize,
    pixels: f32,
}

impl Canvas {
    fn new(random: &mut StdRng) -> Self {
        let background = random.random_range(0.2..0.8);
        let surface = Surface::of(random, background, 0.06);
        let (down, right) = (
            random.random_range(-0.2..0.2),
            random.random_range(-0.2..0.2),
        );
        let at = |x: usize, y: usize| {
            let shade = (y as f32 * down + x as f32 * right) / SIDE as f32;
            surface.grey(x as f32, y as f32) + shade
        };
        let mut canvas = Self {
            grey: (0..SIDE * SIDE)
                .map(|pixel| at(pixel % SIDE, pixel / SIDE))
                .collect(),
            owner: vec![NOBODY; SIDE * SIDE],
            share: vec![1.0; SIDE * SIDE],
            objects: Vec::new(),
            background,
        };
        for _ in 0..random.random_range(0..6) {
            canvas.litter(random);
        }
        canvas
    }

    /// A short scratch that is no object.
    fn litter(&mut self, random: &mut StdRng) {
        let side = SIDE as f32;
        let (mut x, mut y) = (
            random.random_range(0.0..side),
            random.random_range(0.0..side),
        );
        let (dy, dx) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let tone = random.random_range(0.0..1.0);
        for _ in 0..random.random_range(2..9) {
            if (0.0..side).contains(&x) && (0.0..side).contains(&y) {
                let grey = &mut self.grey[y as usize * SIDE + x as usize];
                *grey += (tone - *grey) * 0.6;
            }
            (x, y) = (x + dx, y + dy);
        }
    }

    /// Draws an object unless it would hide another one too much.
    fn try_object(&mut self, random: &mut StdRng) {
        let placed = Placed::anywhere(random, SIDE as f32);
        let contrast = random.random_range(0.18..0.5_f32);
        let brighter = random.random_bool(f64::from(1.0 - self.background));
        let tone = self.background + if brighter { contrast } else { -contrast };
        let surface = Surface::of(random, tone, contrast * 0.4);
        let mut covered = Vec::new();
        for y in placed.reach(placed.y, SIDE) {
            for x in placed.reach(placed.x, SIDE) {
                let share = placed.coverage(x, y);
                if share > 0.0 {
                    let (u, v) = placed.turned(x as f32 + 0.5, y as f32 + 0.5);
                    let grey = surface.grey(u * placed.radius, v * placed.radius);
                    covered.push((y * SIDE + x, share, grey));
                }
            }
        }
        let pixels: f32 = covered.iter().map(|(_, share, _)| share).sum();
        if pixels > 0.0 && self.leaves_enough(&covered) {
            let class = placed.class;
            self.objects.push(Drawn { class, pixels });
            self.paint(&covered, self.objects.len() - 1);
        }
    }

    /// A beam in front of everything, unless it would hide something too much.
    fn try_beam(&mut self, random: &mut StdRng) {
        let (sine, cosine) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let (offset, half) = (
            random.random_range(-14.0..14.0),
            random.random_range(0.8..2.2),
        );
        let tone = random.random_range(0.0..1.0);
        let surface = Surface::of(random, tone, 0.1);
        let middle = SIDE as f32 / 2.0;
        let mut covered = Vec::new();
        for pixel in 0..SIDE * SIDE {
            let (x, y) = ((pixel % SIDE) as f32, (pixel / SIDE) as f32);
            let away = ((x - middle) * cosine + (y - middle) * sine - offset).abs();
            let share = (half - away + 0.5).clamp(0.0, 1.0);
            if share > 0.0 {
                covered.push((pixel, share, surface.grey(x, y)));
            }
        }
        if self.leaves_enough(&covered) {
            self.paint(&covered, NOBODY);
        }
    }

    fn paint(&mut self, covered: &[(usize, f32, f32)], owner: usize) {
        for &(pixel, share, grey) in covered {
            self.grey[pixel] += (grey - self.grey[pixel]) * share;
            if owner == self.owner[pixel] {
                continue; // a beam before the background is background too
            }
            if share >= 0.5 {
                (self.owner[pixel], self.share[pixel]) = (owner, share);
            } else {
                self.share[pixel] = self.share[pixel].min(1.0 - share);
            }
        }
    }

    /// Whether enough of every object stays visible under these pixels.
    fn leaves_enough(&self, covered: &[(usize, f32, f32)]) -> bool {
        let mut left = self.visible();
        for &(pixel, share, _) in covered {
            if let Some(left) = left.get_mut(self.owner[pixel])
                && share >= 0.5
            {
                *left -= 1.0;
            }
        }
        let mut all = left.iter().zip(&self.objects);
        all.all(|(left, object)| *left >= LEAST_VISIBLE * object.pixels)
    }

    /// The visible pixels of each object.
    fn visible(&self) -> Vec<f32> {
        let mut visible = vec![0.0; self.objects.len()];
        for &owner in &self.owner {
            if let Some(count) = visible.get_mut(owner) {
                *count += 1.0;
            }
        }
        visible
    }

    /// Light, noise, and what can be seen.
    fn finish(self, random: &mut StdRng) -> Result<Scene, Failure> {
        let light = random.random_range(0.45..1.1_f32);
        let noise = random.random_range(1.0..14.0_f32);
        let (sine, cosine) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let fall = random.random_range(0.0..0.35);
        let mut pixels = Vec::with_capacity(self.grey.len());
        for (pixel, grey) in self.grey.iter().enumerate() {
            let (x, y) = ((pixel % SIDE) as f32, (pixel / SIDE) as f32);
            let along = ((x * cosine + y * sine) / SIDE as f32).clamp(-1.0, 1.0);
            let lit = grey * light * (1.0 - fall * along) * 255.0 + noise * normal(random);
            pixels.push(lit.round().clamp(0.0, 255.0) as u8);
        }
        let visible = self.visible();
        let mut boxes = vec![[SIDE, SIDE, 0, 0]; self.objects.len()];
        let mut mask = vec![0; SIDE * SIDE];
        for (pixel, &owner) in self.owner.iter().enumerate() {
            let (x, y) = (pixel % SIDE, pixel / SIDE);
            if let Some(bbox) = boxes.get_mut(owner) {
                let [left, top, right, bottom] = *bbox;
                *bbox = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
                mask[pixel] = self.objects[owner].class as u8 + 1;
            }
            if self.share[pixel] < SOLE {
                mask[pixel] = VOID;
            }
        }
        let seen = self.objects.iter().zip(boxes).zip(visible).enumerate();
        let objects = seen.map(|(number, ((object, bbox), visible))| {
            let is_its = |(y, x)| self.owner[y * SIDE + x] == number;
            Ok(Object {
                class: object.class,
                bbox: bbox.map(|edge| edge as f32),
                pixels: Rle::from_mask(Array2::from_shape_fn((SIDE, SIDE), is_its).view())?,
                visible: (visible / object.pixels).min(1.0),
            })
        });
        Ok(Scene {
            pixels,
            objects: objects.collect::<Result<_, Failure>>()?,
            mask,
            light,
            noise,
        })
    }
}

#[cfg(test)]
mod tests {
    use emberlens::table::BoxFormat;

    use super::super::CLASSES;
    use super::*;

    #[test]
    fn a_scene_depends_on_seed_and_number_alone() {
        let (few, many) = (generate(3, 5).unwrap(), generate(6, 5).unwrap());
        for (one, other) in few.iter().zip(&many) {
            assert_eq!((&one.pixels, &one.mask), (&other.pixels, &other.mask));
        }
        assert_ne!(generate(1, 6).unwrap()[0].pixels, few[0].pixels);
    }

    #[test]
    fn boxes_hold_the_pixels_of_their_class_and_no_more() {
        for (number, scene) in generate(60, 1).unwrap().into_iter().enumerate() {
            for object in &scene.objects {
                let [left, top, right, bottom] = object.bbox.map(|edge| edge as usize);
                assert!(left < right && right <= SIDE && top < bottom && bottom <= SIDE);
                let inside = (top..bottom).flat_map(|y| (left..right).map(move |x| y * SIDE + x));
                let of_class = |pixel: usize| scene.mask[pixel] == object.class as u8 + 1;
                assert!(
                    inside.filter(|&pixel| of_class(pixel)).count() > 0,
                    "{number}"
                );
                assert!(object.visible >= LEAST_VISIBLE && object.visible <= 1.0);
                let around = object.pixels.bounding_box().values(BoxFormat::Xyxy);
                assert_eq!(around, object.bbox.map(f64::from));
                let mask = object.pixels.to_mask().unwrap();
                let mut own = mask.iter().zip(&scene.mask).filter(|(inside, _)| **inside);
                assert!(own.all(|(_, &class)| [object.class as u8 + 1, VOID].contains(&class)));
            }
            let in_a_box = |pixel: usize| {
                let (x, y) = ((pixel % SIDE) as f32, (pixel / SIDE) as f32);
                let mut boxes = scene.objects.iter().map(|object| object.bbox);
                boxes.any(|[left, top, right, bottom]| {
                    (left..right).contains(&x) && (top..bottom).contains(&y)
                })
            };
            let classes = (0..SIDE * SIDE).filter(|&pixel| (1..VOID).contains(&scene.mask[pixel]));
            assert!(classes.into_iter().all(in_a_box), "{}", number);
        }
    }

    #[test]
    fn scenes_vary() {
        let scenes = generate(300, 2).unwrap();
        let count = |test: fn(&Scene) -> bool| scenes.iter().filter(|scene| test(scene)).count();
        assert!(count(|scene| scene.objects.is_empty()) > 10);
        assert!(count(|scene| scene.objects.len() > 2) > 50);
        assert!(count(|scene| scene.objects.iter().any(|one| one.visible < 0.8)) > 40);
        let mean = |scene: &Scene| {
            scene
                .pixels
                .iter()
                .map(|&grey| f64::from(grey))
                .sum::<f64>()
        };
        let means: Vec<f64> = scenes
            .iter()
            .map(|scene| mean(scene) / (SIDE * SIDE) as f64)
            .collect();
        let spread = |bound: fn(f64, f64) -> f64| means.iter().copied().fold(means[0], bound);
        assert!(spread(f64::max) > 3.0 * spread(f64::min));
        for (class, name) in CLASSES.iter().enumerate() {
            let of_class = scenes.iter().flat_map(|scene| &scene.objects);
            let share = of_class.filter(|object| object.class == class).count();
            assert!(share > 60, "{share} of {name}");
        }
    }
}
