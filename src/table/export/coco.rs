//! A table as COCO's file of annotations.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::Existing;
use super::images::{Exported, Ids, ImageTable, RowImage, read};
use super::target::Target;
use crate::geometry::{BBox, BoxFormat, Rle};
use crate::table::instances::{Instance, RawBox, Shape};
use crate::table::{Role, Table};
use crate::{BoxError, Error, Result};

/// Writes a table of images and their instances as a COCO file, which pycocotools loads.
///
/// Of the table the columns `file_name`, `width`, `height`, `image_id` (else images are numbered
/// from 1) and those of instances are taken: `boxes`, `masks` and `keypoints`, or other names where
/// their role tells which they are. Ids of annotations and categories are those of the import, else
/// numbers from one on. Masks are written as the polygons that they came as, else as compressed run
/// lengths. An area that is not known is that of the mask, or of the box, as an import has it; a box
/// that is not there is that around the polygons, or the mask.
///
/// # Shapes and units
/// Pixels, x, y, width, height: a file that was imported has its own numbers again. Of boxes that
/// the table has as corners, widths and heights are the shortest decimals that give the corners back.
///
/// # Memory and durability
/// One batch of rows at a time, and the ids. The file appears whole and synced, or not at all. The
/// table is read twice.
///
/// # Errors
/// `AlreadyExists` when the file is there and `existing` is [`Existing::Refuse`]; `Invalid`, naming
/// column and row, for a table without boxes, masks or keypoints, without class names, with labels
/// that are no class, sizes that are none, ids twice, instances without box and mask, boxes of a
/// negative width or height, masks of another size than their image; `Storage`. In every case the file is as it was
/// before.
///
/// ```
/// use emberlens::{storage::Location, table::import::{CocoOptions, coco}};
/// use emberlens::table::export::{self, Existing};
/// # let dir = tempfile::tempdir()?;
/// let file = dir.path().join("annotations.json");
/// # std::fs::write(&file, r#"{"images": [{"id": 9, "file_name": "a", "width": 64, "height": 48}],
/// #   "categories": [{"id": 3, "name": "car"}],
/// #   "annotations": [{"id": 1, "image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4]}]}"#)?;
/// let table = coco(&Location::open("memory://")?, "cars", &file, &CocoOptions::new())?.table;
/// let written = export::coco(&table, &dir.path().join("again.json"), Existing::Refuse)?;
/// assert_eq!((written.images, written.instances), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// COCO's data format, <https://cocodataset.org/#format-data>.
pub fn coco(table: &Table, path: &Path, existing: Existing) -> Result<Exported> {
    let images = ImageTable::new(table)?;
    let expressible = |role: &Role| !matches!(role, Role::OrientedBoxes { .. });
    if images.column(expressible).is_none() {
        return Err(Error::invalid(
            "table",
            table.name(),
            "COCO has no rotated boxes, and the table no others",
            "export it as YOLO",
        ));
    }
    let target = Target::create(path, existing)?;
    let mut file = Writer {
        path,
        file: BufWriter::new(target.file()),
        is_first: true,
    };
    let ids = ids(&images)?;
    file.begin("{\"info\":{},\"images\":[")?;
    let mut exported = Exported::default();
    let mut image_ids = Ids::default();
    images.each(ids.columns, |image, batch, at| {
        exported.images += 1;
        let id = ids.image(&image, batch, at)?;
        image_ids.add("image_id", id, image.row)?;
        file.element(&OutImage {
            id,
            file_name: &image.file_name,
            width: image.width,
            height: image.height,
        })
    })?;
    file.begin("],\"annotations\":[")?;
    let mut annotation_ids = Ids::default();
    let mut is_numbered = None;
    images.each(ids.columns, |image, batch, at| {
        let image_id = ids.image(&image, batch, at)?;
        for (number, instance) in image.instances.iter().enumerate() {
            exported.instances += 1;
            // Either all have ids or none has.
            let is_numbered = *is_numbered.get_or_insert(instance.id.is_none());
            let id = match (instance.id, is_numbered) {
                (None, true) => exported.instances as i64,
                (Some(id), false) => id,
                _ => {
                    return Err(wrong(
                        &image,
                        number,
                        "an id here and none there",
                        "ids for all",
                    ));
                }
            };
            annotation_ids.add("annotation_id", id, image.row)?;
            let category_id = images.categories[instance.label as usize].id;
            file.element(&annotation(
                &image,
                number,
                instance,
                [id, image_id, category_id],
            )?)?;
        }
        Ok(())
    })?;
    file.begin("],\"categories\":[")?;
    for category in &images.categories {
        file.element(category)?;
    }
    file.begin("]}\n")?;
    file.finish()?;
    target.publish()?;
    Ok(exported)
}

/// Where the ids of images come from.
struct ImageIds {
    columns: &'static [&'static str],
}

fn ids(images: &ImageTable<'_>) -> Result<ImageIds> {
    let is_there = images.table.schema().index_of("image_id").is_ok();
    Ok(ImageIds {
        columns: if is_there { &["image_id"] } else { &[] },
    })
}

impl ImageIds {
    fn image(&self, image: &RowImage, batch: &arrow_array::RecordBatch, at: usize) -> Result<i64> {
        match self.columns {
            [] => Ok(image.row as i64 + 1),
            _ => Ok(read::<i64>(&batch.slice(at, 1), "image_id", image.row)?[0]),
        }
    }
}

#[derive(Serialize)]
struct OutImage<'a> {
    id: i64,
    file_name: &'a str,
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct OutAnnotation<'a> {
    id: i64,
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    area: f64,
    iscrowd: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    segmentation: Option<OutMask<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_keypoints: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keypoints: Option<Vec<f64>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutMask<'a> {
    Polygons(&'a [Vec<f64>]),
    Runs { size: [u32; 2], counts: String },
}

fn annotation<'a>(
    image: &RowImage,
    number: usize,
    instance: &'a Instance,
    [id, image_id, category_id]: [i64; 3],
) -> Result<OutAnnotation<'a>> {
    let (height, width) = (image.height, image.width);
    let runs = match &instance.shape {
        Some(shape) => shape.runs(height, width)?,
        None => None,
    };
    if let Some(runs) = runs.as_ref().filter(|runs| runs.size() != (height, width)) {
        let found = format!("a mask of {} x {}", runs.size().0, runs.size().1);
        return Err(wrong(
            image,
            number,
            found,
            format!("{height} x {width}, as the image"),
        ));
    }
    let drawn = || {
        let polygons = instance.shape.as_ref().and_then(Shape::polygons);
        let pixels = || runs.as_ref().map(Rle::bounding_box);
        let bbox = polygons.and_then(around).or_else(pixels)?;
        Some(RawBox::new(bbox.values(BoxFormat::Xyxy), BoxFormat::Xyxy))
    };
    let Some(raw) = instance.bbox.or_else(drawn) else {
        return Err(wrong(image, number, "neither box nor mask", "one of them"));
    };
    let bbox = xywh(raw);
    if !(bbox.iter().all(|side| side.is_finite()) && bbox[2] >= 0.0 && bbox[3] >= 0.0) {
        let expected = "a finite box, its width and height 0 or more";
        return Err(wrong(
            image,
            number,
            format!("the box {:?}", raw.values),
            expected,
        ));
    }
    let area = match (instance.area, &runs) {
        (Some(area), _) => area,
        (None, Some(runs)) => runs.area() as f64,
        (None, None) => bbox[2] * bbox[3],
    };
    let labelled = |points: &Vec<[f64; 3]>| points.iter().filter(|point| point[2] > 0.0).count();
    let points = instance.keypoints.as_ref();
    Ok(OutAnnotation {
        id,
        image_id,
        category_id,
        bbox,
        area,
        iscrowd: u8::from(instance.crowd),
        segmentation: instance
            .shape
            .as_ref()
            .map(|shape| match (shape, shape.polygons()) {
                (_, Some(polygons)) => OutMask::Polygons(polygons),
                (Shape::Runs(runs) | Shape::Drawn(runs, _), None) => OutMask::Runs {
                    size: [runs.size().0, runs.size().1],
                    counts: runs.to_text(),
                },
                (Shape::Polygons(polygons), None) => OutMask::Polygons(polygons),
            }),
        num_keypoints: points.map(labelled),
        keypoints: points.map(|points| points.iter().flatten().copied().collect()),
    })
}

fn wrong(
    image: &RowImage,
    number: usize,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> Error {
    Error::Value {
        column: "boxes, masks, keypoints".into(),
        row: image.row,
        found: format!("{} in instance {number}", found.into()),
        expected: expected.into(),
        hint: "mend the row, or leave the instance out".into(),
    }
}

/// The box around polygons, which may draw no pixel; `None` without a point.
fn around(polygons: &[Vec<f64>]) -> Option<BBox> {
    let points = polygons.iter().flat_map(|polygon| polygon.chunks_exact(2));
    let corners = points.fold(None, |corners: Option<[f64; 4]>, point| {
        let [x0, y0, x1, y1] = corners.unwrap_or([point[0], point[1], point[0], point[1]]);
        let (x, y) = (point[0], point[1]);
        Some([x0.min(x), y0.min(y), x1.max(x), y1.max(y)])
    });
    corners.map(|corners| BBox::new(corners, BoxFormat::Xyxy))
}

fn xywh(raw: RawBox) -> [f64; 4] {
    match raw.format {
        BoxFormat::Xywh => raw.values,
        _ => {
            let [x0, y0, x1, y1] = raw.values_as(BoxFormat::Xyxy);
            [x0, y0, extent(x0, x1), extent(y0, y1)]
        }
    }
}

/// The shortest decimal that added to `from` gives `to` exactly; else their difference.
fn extent(from: f64, to: f64) -> f64 {
    let plain = to - from;
    let shorter = (0..=17).filter_map(|digits| format!("{plain:.digits$}").parse().ok());
    let mut near = shorter.chain([plain, plain.next_up(), plain.next_down()]);
    near.find(|&extent: &f64| extent > 0.0 && from + extent == to)
        .unwrap_or(plain)
}

/// Elements of JSON lists, with commas between them.
struct Writer<'a, W: Write> {
    path: &'a Path,
    file: BufWriter<W>,
    is_first: bool,
}

impl<W: Write> Writer<'_, W> {
    fn begin(&mut self, text: &str) -> Result<()> {
        self.is_first = true;
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| self.failed(error.into()))
    }

    fn element(&mut self, element: &impl Serialize) -> Result<()> {
        let comma: &[u8] = if self.is_first { b"\n" } else { b",\n" };
        self.is_first = false;
        self.file
            .write_all(comma)
            .map_err(BoxError::from)
            .and_then(|()| serde_json::to_writer(&mut self.file, element).map_err(BoxError::from))
            .map_err(|error| self.failed(error))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| self.failed(error.into()))
    }

    fn failed(&self, error: BoxError) -> Error {
        Error::storage("exporting annotations", self.path.to_string_lossy(), error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn widths_come_back_as_they_were_written() {
        for (x, width) in [
            (473.07, 38.65),
            (0.1, 0.2),
            (-3.3, 640.01),
            (1e-3, 1e6),
            (100.0, 0.01),
        ] {
            assert_eq!(extent(x, x + width), width);
        }
    }

    proptest! {
        #[test]
        fn a_corner_comes_back_to_the_last_bit(x in -1e4..1e4_f64, width in 1e-3..1e4_f64) {
            let right = x + width;
            prop_assert_eq!(x + extent(x, right), right);
        }

        #[test]
        fn two_decimals_stay_two_decimals(x in 0_u32..200_000, width in 1_u32..200_000) {
            let (x, width) = (f64::from(x) / 100.0, f64::from(width) / 100.0);
            prop_assert_eq!(extent(x, x + width), width);
        }
    }
}
