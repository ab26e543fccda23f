//! Scenes as versioned tables: pictures, masks, and what makes a scene hard.

use std::io::Cursor;

use emberlens::ErrorKind;
use emberlens::metrics::class_mask_to_png;
use emberlens::run::Project;
use emberlens::table::{Column, Columns, ImageStorage, Role, Table};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use ndarray::Array2;

use super::{CLASSES, SIDE, Scene, VOID};
use crate::program::Failure;

/// The table of these scenes: created, or the one that an earlier run created.
pub fn open_or_create(project: &Project, name: &str, scenes: &[Scene]) -> Result<Table, Failure> {
    let found = match project.table(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match project.create_table(name, columns(scenes)?) {
                Ok(table) => return Ok(table),
                // Another run of this program, started at the same time, was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => project.table(name)?,
                Err(error) => return Err(error.into()),
            }
        }
        found => found?,
    };
    let light: Vec<f32> = scenes.iter().map(|scene| scene.light).collect();
    match found.column::<f32>("light")? == light {
        true => Ok(found),
        false => Err(format!(
            "table `{name}` holds other scenes; delete it or use another --root ({})",
            found.url()
        )
        .into()),
    }
}

fn columns(scenes: &[Scene]) -> Result<Columns, Failure> {
    let pictures = scenes.iter().map(picture).collect::<Result<Vec<_>, _>>()?;
    let masks = scenes.iter().map(|scene| {
        let mask = scene.mask.iter().map(|&class| u16::from(class)).collect();
        let mask = Array2::from_shape_vec((SIDE, SIDE), mask)?;
        Ok(class_mask_to_png(mask.view(), true)?)
    });
    let masks = masks.collect::<Result<Vec<_>, Failure>>()?;
    let counts: Vec<i32> = scenes
        .iter()
        .map(|scene| scene.objects.len() as i32)
        .collect();
    let numbers = |of: fn(&Scene) -> f32| -> Vec<f32> { scenes.iter().map(of).collect() };
    Ok(Columns::new()
        .with(
            "image",
            Column::from(pictures).role(Role::Image {
                storage: ImageStorage::Bytes,
            }),
        )
        .with(
            "mask",
            Column::from(masks).role(Role::ClassMask {
                names: mask_names().map(str::to_owned).collect(),
                void: Some(u16::from(VOID)),
            }),
        )
        .with("objects", counts)
        .with("contents", scenes.iter().map(contents).collect::<Vec<_>>())
        .with("light", numbers(|scene| scene.light))
        .with("noise", numbers(|scene| scene.noise))
        .with("least_visible", numbers(least_visible))
        .with("smallest", numbers(smallest)))
}

/// Names of the values of a mask: the background, then the classes.
pub fn mask_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("background").chain(CLASSES)
}

/// The classes of the objects, for people.
fn contents(scene: &Scene) -> String {
    let classes = scene.objects.iter().map(|object| CLASSES[object.class]);
    classes.collect::<Vec<_>>().join(", ")
}

/// The visible share of the object that is covered most; 1 without objects.
fn least_visible(scene: &Scene) -> f32 {
    let visible = scene.objects.iter().map(|object| object.visible);
    visible.fold(1.0, f32::min)
}

/// The shorter side of the smallest box, in pixels; 0 without objects.
fn smallest(scene: &Scene) -> f32 {
    let boxes = scene.objects.iter().map(|object| object.bbox);
    let sides = boxes.map(|[left, top, right, bottom]| (right - left).min(bottom - top));
    sides.reduce(f32::min).unwrap_or(0.0)
}

fn picture(scene: &Scene) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    let edge = u32::try_from(SIDE)?;
    PngEncoder::new(&mut bytes).write_image(&scene.pixels, edge, edge, ExtendedColorType::L8)?;
    Ok(bytes.into_inner())
}
