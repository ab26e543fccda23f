//! One annotation as an instance.

use std::collections::HashSet;

use super::entry::Entry;
use super::lists::Lists;
use crate::Result;
use crate::geometry::{BoxFormat, Rle, check_polygon};
use crate::table::import::json::Json;
use crate::table::import::skipped::{Defect, Sieve, SkipReason};
use crate::table::instances::{Instance, RawBox, Shape};

/// The image that an annotation belongs to, by its place in the list, and the instance; `None` of one
/// that is skipped. `ids` are those before.
///
/// # Errors
/// Defects that the sieve does not skip.
pub(super) fn read(
    entry: &Entry<'_>,
    lists: &Lists,
    ids: &mut HashSet<i64>,
    sieve: &mut Sieve,
) -> Result<Option<(usize, Instance)>> {
    let Some((image, mut instance)) = sieve.pass(essentials(entry, lists, ids))? else {
        return Ok(None);
    };
    // A part that means nothing leaves the others as they are.
    let listed = &lists.images[image];
    let named = lists.categories[instance.label as usize].keypoints.len();
    instance.shape = sieve
        .pass(shape(entry, listed.height, listed.width))?
        .flatten();
    instance.keypoints = sieve.pass(keypoints(entry, named))?.flatten();
    instance.area = sieve.pass(area(entry))?.flatten();
    Ok(Some((image, instance)))
}

/// What an annotation is nothing without.
fn essentials(
    entry: &Entry<'_>,
    lists: &Lists,
    ids: &mut HashSet<i64>,
) -> Result<(usize, Instance), Defect> {
    let id = entry.integer("id")?;
    let image = lists.image(entry)?;
    let instance = Instance {
        label: lists.label(entry)? as i64,
        bbox: Some(bbox(entry)?),
        crowd: crowd(entry)?,
        id: Some(id),
        ..Instance::default()
    };
    match ids.insert(id) {
        true => Ok((image, instance)),
        false => Err(entry.defect(SkipReason::DuplicateId, "the id of an earlier annotation")),
    }
}

fn bbox(entry: &Entry<'_>) -> Result<RawBox, Defect> {
    let given = entry.field("bbox")?;
    let numbers = match given {
        Json::Numbers(numbers) => <[f64; 4]>::try_from(numbers.as_slice()).ok(),
        _ => None,
    };
    let wrong = |text: String| Err(entry.defect(SkipReason::Box, text));
    let Some([x, y, width, height]) = numbers else {
        return wrong(format!(
            "`bbox` is {given} where x, y, width and height are needed"
        ));
    };
    let all = [x, y, width, height];
    if !all.iter().all(|number| number.is_finite()) {
        return wrong(format!("`bbox` is not finite: {given}"));
    }
    // Some real ones have no area: nothing is like them, and they count as truths.
    if width < 0.0 || height < 0.0 {
        let text =
            format!("`bbox` is {given}: width {width} and height {height} have to be 0 or more");
        return wrong(text);
    }
    Ok(RawBox::new(all, BoxFormat::Xywh))
}

fn area(entry: &Entry<'_>) -> Result<Option<f64>, Defect> {
    let Some(given) = entry.find("area") else {
        return Ok(None);
    };
    match given.number() {
        Some(area) if area.is_finite() && area >= 0.0 => Ok(Some(area)),
        _ => Err(entry.mistyped("area", given, "a number of 0 or more")),
    }
}

fn crowd(entry: &Entry<'_>) -> Result<bool, Defect> {
    let given = match entry.find("iscrowd") {
        None => return Ok(false),
        Some(Json::Bool(given)) => return Ok(*given),
        Some(given) => given,
    };
    match given.integer() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(entry.mistyped("iscrowd", given, "0 or 1")),
    }
}

/// Polygons or run lengths; an empty list is none.
fn shape(entry: &Entry<'_>, height: u32, width: u32) -> Result<Option<Shape>, Defect> {
    let wrong = |text: String| Err(entry.defect(SkipReason::Polygon, text));
    match entry.find("segmentation") {
        None => Ok(None),
        Some(Json::Numbers(numbers)) if numbers.is_empty() => Ok(None),
        Some(Json::List(parts)) => {
            let mut polygons = Vec::with_capacity(parts.len());
            for (number, part) in parts.iter().enumerate() {
                let Json::Numbers(points) = part else {
                    return wrong(format!(
                        "polygon {number} is {part} where numbers are needed"
                    ));
                };
                if let Err(error) = check_polygon(points) {
                    return wrong(format!("polygon {number} of the segmentation: {error}"));
                }
                polygons.push(points.clone());
            }
            Ok(Some(Shape::Polygons(polygons)))
        }
        Some(given @ Json::Object(_)) => runs(entry, given, height, width).map(Some),
        Some(other) => wrong(format!(
            "`segmentation` is {other} where a list of polygons or an object of run lengths is needed"
        )),
    }
}

fn runs(entry: &Entry<'_>, given: &Json, height: u32, width: u32) -> Result<Shape, Defect> {
    let wrong = |text: String| Err(entry.defect(SkipReason::RunLengths, text));
    let shown = |field: Option<&Json>| field.map_or_else(|| "missing".to_owned(), Json::to_string);
    let size = given.get("size");
    match size {
        Some(Json::Numbers(sides)) if *sides == [f64::from(height), f64::from(width)] => {}
        other => {
            return wrong(format!(
                "the size of the run lengths is {} where the image has [{height}, {width}] (height, width)",
                shown(other)
            ));
        }
    }
    let made = match given.get("counts") {
        Some(Json::Text(text)) => Rle::from_text(height, width, text),
        Some(Json::Numbers(counts)) => {
            let is_count =
                |count: &f64| count.fract() == 0.0 && (0.0..4294967296.0).contains(count);
            if let Some(odd) = counts.iter().find(|count| !is_count(count)) {
                return wrong(format!("`counts` holds {odd}, which is no length of a run"));
            }
            let counts = counts.iter().map(|&count| count as u32).collect();
            Rle::from_counts(height, width, counts)
        }
        other => {
            return wrong(format!(
                "`counts` is {} where text or a list of lengths is needed",
                shown(other)
            ));
        }
    };
    match made {
        Ok(runs) => Ok(Shape::Runs(runs)),
        Err(error) => wrong(format!("run lengths of the segmentation: {error}")),
    }
}

/// Keypoints of a category that names `named` of them; an empty list is none.
fn keypoints(entry: &Entry<'_>, named: usize) -> Result<Option<Vec<[f64; 3]>>, Defect> {
    let wrong = |text: String| Err(entry.defect(SkipReason::Keypoints, text));
    let numbers = match entry.find("keypoints") {
        None => return Ok(None),
        Some(Json::Numbers(numbers)) if numbers.is_empty() => return Ok(None),
        Some(Json::Numbers(numbers)) => numbers,
        Some(other) => return wrong(format!("`keypoints` is {other} where numbers are needed")),
    };
    let needed = 3 * named;
    if numbers.len() % 3 != 0 || (named > 0 && numbers.len() != needed) {
        let of = match named {
            0 => "three for each keypoint".to_owned(),
            named => format!("three for each of the category's {named} keypoints"),
        };
        return wrong(format!(
            "`keypoints` has {} numbers where {of} are needed",
            numbers.len()
        ));
    }
    let points: Vec<[f64; 3]> = numbers
        .chunks_exact(3)
        .map(|point| [point[0], point[1], point[2]])
        .collect();
    for (number, [x, y, seen]) in points.iter().enumerate() {
        if !(x.is_finite() && y.is_finite()) {
            return wrong(format!("keypoint {number} is not finite: {x}, {y}"));
        }
        if ![0.0, 1.0, 2.0].contains(seen) {
            return wrong(format!(
                "the visibility of keypoint {number} is {seen} where 0, 1 or 2 is needed"
            ));
        }
    }
    Ok(Some(points))
}
