//! Scenes as columns: pictures, boxes and masks of the objects, the class of every pixel, and what
//! makes a scene hard.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, Float64Array, Int32Array, ListArray, StringArray, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{Field, Fields};
use emberlens::metrics::{Rle, class_mask_to_png};
use emberlens::table::{BoxFormat, Column, Columns, ImageStorage, MaskEncoding, Role};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use ndarray::Array2;

use super::{CLASSES, Object, SIDE, Scene, VOID};
use crate::program::Failure;

/// Columns with the names and roles that `emberlens export` and the metrics look for.
pub fn columns(scenes: &[Scene]) -> Result<Columns, Failure> {
    let pictures = scenes.iter().map(picture).collect::<Result<Vec<_>, _>>()?;
    let masks = scenes
        .iter()
        .map(class_mask)
        .collect::<Result<Vec<_>, _>>()?;
    let files = (0..scenes.len()).map(|row| format!("scene-{row:05}.png"));
    let counts = scenes.iter().map(|scene| scene.objects.len() as i32);
    let numbers = |of: fn(&Scene) -> f32| -> Vec<f32> { scenes.iter().map(of).collect() };
    let names: Arc<[String]> = CLASSES.map(str::to_owned).into();
    Ok(Columns::new()
        .with(
            "image",
            Column::from(pictures).role(Role::Image {
                storage: ImageStorage::Bytes,
            }),
        )
        .with("file_name", files.collect::<Vec<_>>())
        .with("width", vec![SIDE as i32; scenes.len()])
        .with("height", vec![SIDE as i32; scenes.len()])
        .with(
            "boxes",
            of_objects(scenes, boxes(scenes))?.role(Role::Boxes {
                format: BoxFormat::Xyxy,
                normalised: false,
                names: names.clone(),
            }),
        )
        .with(
            "masks",
            of_objects(scenes, pixels(scenes))?.role(Role::Masks {
                encoding: MaskEncoding::CocoRle,
                names,
            }),
        )
        .with(
            "mask",
            Column::from(masks).role(Role::ClassMask {
                names: std::iter::once("background")
                    .chain(CLASSES)
                    .map(str::to_owned)
                    .collect(),
                void: Some(u16::from(VOID)),
            }),
        )
        .with("objects", counts.collect::<Vec<_>>())
        .with("contents", scenes.iter().map(contents).collect::<Vec<_>>())
        .with("light", numbers(|scene| scene.light))
        .with("noise", numbers(|scene| scene.noise))
        .with("least_visible", numbers(least_visible))
        .with("smallest", numbers(smallest)))
}

/// A field of every object.
type Objects = Vec<(&'static str, ArrayRef)>;

/// Corners in pixels, the visible area in square pixels, and its share of the whole object.
fn boxes(scenes: &[Scene]) -> Objects {
    let mut fields = Objects::new();
    for (at, name) in ["x0", "y0", "x1", "y1"].into_iter().enumerate() {
        let edges = objects(scenes).map(|object| f64::from(object.bbox[at]));
        fields.push((name, Arc::new(Float64Array::from_iter_values(edges))));
    }
    let areas = objects(scenes).map(|object| object.pixels.area() as f64);
    let visible = objects(scenes).map(|object| object.visible);
    fields.push(("label", labels(scenes)));
    fields.push(("area", Arc::new(Float64Array::from_iter_values(areas))));
    fields.push(("visible", Arc::new(Float32Array::from_iter_values(visible))));
    fields
}

/// The visible pixels as COCO's run lengths.
fn pixels(scenes: &[Scene]) -> Objects {
    let sides = |of: fn(&Rle) -> u32| -> ArrayRef {
        let sides = objects(scenes).map(|object| of(&object.pixels) as i32);
        Arc::new(Int32Array::from_iter_values(sides))
    };
    let counts = objects(scenes).map(|object| object.pixels.to_text());
    let counts = StringArray::from(counts.collect::<Vec<_>>());
    vec![
        ("height", sides(|pixels| pixels.size().0)),
        ("width", sides(|pixels| pixels.size().1)),
        ("counts", Arc::new(counts)),
        ("label", labels(scenes)),
    ]
}

fn labels(scenes: &[Scene]) -> ArrayRef {
    let labels = objects(scenes).map(|object| object.class as i32);
    Arc::new(Int32Array::from_iter_values(labels))
}

fn objects(scenes: &[Scene]) -> impl Iterator<Item = &Object> {
    scenes.iter().flat_map(|scene| &scene.objects)
}

/// A list of structs for each scene, one struct for each object.
fn of_objects(scenes: &[Scene], fields: Objects) -> Result<Column, Failure> {
    let (names, arrays): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let typed = names.into_iter().zip(&arrays);
    let typed: Fields = typed
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .collect();
    let structs = Arc::new(StructArray::try_new(typed.clone(), arrays, None)?);
    let element = Field::new_struct("element", typed, true);
    let lengths = OffsetBuffer::from_lengths(scenes.iter().map(|scene| scene.objects.len()));
    let lists = ListArray::try_new(Arc::new(element), lengths, structs, None)?;
    Ok(Column::from_array(Arc::new(lists)))
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

fn class_mask(scene: &Scene) -> Result<Vec<u8>, Failure> {
    let mask = scene.mask.iter().map(|&class| u16::from(class)).collect();
    let mask = Array2::from_shape_vec((SIDE, SIDE), mask)?;
    Ok(class_mask_to_png(mask.view(), true)?)
}

fn picture(scene: &Scene) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    let edge = u32::try_from(SIDE)?;
    PngEncoder::new(&mut bytes).write_image(&scene.pixels, edge, edge, ExtendedColorType::L8)?;
    Ok(bytes.into_inner())
}
