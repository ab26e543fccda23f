//! The instances of images as nested columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::Field;

use super::{CATEGORIES_KEY, Category, Instance, RawBox, Shape};
use crate::geometry::{AngleDirection, AngleUnit, BoxFormat, MaskEncoding, OrientedBox, Rle};
use crate::table::nested::{list_of, list_of_structs};
use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// A column of text holds as many bytes as its offsets count.
const MOST_BYTES: u64 = i32::MAX as u64;

/// Which columns of instances a table has.
#[derive(Clone, Debug, Default)]
pub(crate) struct InstanceLayout {
    /// The numbers of a box that are stored; those of the source, for none of them to change.
    pub(crate) boxes: Option<BoxFormat>,
    pub(crate) oriented: bool,
    pub(crate) masks: bool,
    pub(crate) keypoints: bool,
    /// Whether instances have an area, may be crowds and have ids, as COCO's do.
    pub(crate) annotated: bool,
    pub(crate) categories: Vec<Category>,
}

impl InstanceLayout {
    /// The fields with their roles.
    ///
    /// # Errors
    /// `Invalid` for class names that JSON cannot hold.
    pub(crate) fn fields(&self) -> Result<Vec<Field>> {
        let names = self.categories.iter().map(|category| category.name.clone());
        let names: Arc<[String]> = names.collect();
        let categories = Category::to_metadata(&self.categories)?;
        let arrays = self.arrays(&[], &[])?;
        let fields = arrays.into_iter().map(|(name, array)| {
            let names = names.clone();
            let role = match name {
                "boxes" => Role::Boxes {
                    format: self.boxes.unwrap_or(BoxFormat::Xyxy),
                    normalised: false,
                    names,
                },
                "oriented_boxes" => Role::OrientedBoxes {
                    normalised: false,
                    angle: AngleUnit::Radians,
                    direction: AngleDirection::Clockwise,
                    names,
                },
                "masks" => Role::Masks {
                    encoding: MaskEncoding::CocoRle,
                    names,
                },
                _ => Role::Keypoints {
                    normalised: false,
                    names,
                },
            };
            let field = schema::field(name, array.data_type().clone(), Some(&role))?;
            let mut metadata: HashMap<String, String> = field.metadata().clone();
            metadata.insert(CATEGORIES_KEY.to_owned(), categories.clone());
            Ok(field.with_metadata(metadata))
        });
        fields.collect()
    }

    /// The columns of some images, by name; `runs` holds the drawn mask of every instance that has one,
    /// image by image, where the layout has masks.
    ///
    /// # Errors
    /// `Invalid` for more values than a batch holds.
    pub(crate) fn arrays(
        &self,
        images: &[Vec<Instance>],
        runs: &[Vec<Option<Rle>>],
    ) -> Result<Vec<(&'static str, ArrayRef)>> {
        let all: Vec<&Instance> = images.iter().flatten().collect();
        let lengths: Vec<usize> = images.iter().map(Vec::len).collect();
        let column = |mut fields: Vec<(&'static str, ArrayRef)>, present: Vec<bool>| {
            fields.extend(self.facts(&all, &present));
            let is_whole = present.iter().all(|&there| there);
            let present = (!is_whole).then(|| NullBuffer::from(present));
            list_of_structs(fields, lengths.clone(), present)
        };
        let mut columns = Vec::new();
        if let Some(format) = self.boxes {
            let there = all.iter().map(|one| one.bbox.is_some()).collect();
            columns.push(("boxes", column(boxes(&all, format), there)?));
        }
        if self.oriented {
            let there = all.iter().map(|one| one.oriented.is_some()).collect();
            columns.push(("oriented_boxes", column(oriented(&all), there)?));
        }
        if self.masks {
            let runs: Vec<Option<&Rle>> = runs.iter().flatten().map(Option::as_ref).collect();
            let there = runs.iter().map(Option::is_some).collect();
            columns.push(("masks", column(masks(&all, &runs)?, there)?));
        }
        if self.keypoints {
            let there = all.iter().map(|one| one.keypoints.is_some()).collect();
            columns.push(("keypoints", column(keypoints(&all)?, there)?));
        }
        Ok(columns)
    }

    /// What is known of an instance whatever its geometry; null where there is none of this column.
    fn facts(&self, all: &[&Instance], present: &[bool]) -> Vec<(&'static str, ArrayRef)> {
        let there = || {
            let pairs = all.iter().zip(present);
            pairs.map(|(&one, &there)| there.then_some(one))
        };
        // Labels are indices into the class names, of which there are fewer than 2^31.
        let labels = there().map(|one| one.map(|one| one.label as i32));
        let mut facts: Vec<(&'static str, ArrayRef)> =
            vec![("label", Arc::new(labels.collect::<Int32Array>()))];
        if self.annotated {
            let areas = there().map(|one| one.and_then(|one| one.area));
            let crowds = there().map(|one| one.map(|one| one.crowd));
            let ids = there().map(|one| one.and_then(|one| one.id));
            facts.push(("area", Arc::new(areas.collect::<Float64Array>())));
            facts.push(("crowd", Arc::new(crowds.collect::<BooleanArray>())));
            facts.push(("annotation_id", Arc::new(ids.collect::<Int64Array>())));
        }
        facts
    }
}

/// One array for each name, from the numbers of every instance.
fn floats<'a, const N: usize>(
    names: [&'static str; N],
    all: &[&'a Instance],
    of: impl Fn(&'a Instance) -> Option<[f64; N]>,
) -> Vec<(&'static str, ArrayRef)> {
    let values: Vec<Option<[f64; N]>> = all.iter().map(|one| of(one)).collect();
    let column = |(at, name)| {
        let numbers = values.iter().map(|values| values.map(|values| values[at]));
        let array: ArrayRef = Arc::new(numbers.collect::<Float64Array>());
        (name, array)
    };
    names.into_iter().enumerate().map(column).collect()
}

fn boxes(all: &[&Instance], format: BoxFormat) -> Vec<(&'static str, ArrayRef)> {
    floats(RawBox::fields(format), all, |one| {
        one.bbox.map(|bbox| bbox.values_as(format))
    })
}

fn oriented(all: &[&Instance]) -> Vec<(&'static str, ArrayRef)> {
    let of = |turned: OrientedBox| turned.values(AngleUnit::Radians, AngleDirection::Clockwise);
    floats(["cx", "cy", "width", "height", "angle"], all, |one| {
        one.oriented.map(of)
    })
}

fn masks(all: &[&Instance], runs: &[Option<&Rle>]) -> Result<Vec<(&'static str, ArrayRef)>> {
    let side = |of: fn(&Rle) -> u32| -> ArrayRef {
        // Sides were found to be below 2^31 when the mask was made.
        let sides = runs.iter().map(|runs| runs.map(|runs| of(runs) as i32));
        Arc::new(sides.collect::<Int32Array>())
    };
    let counts: Vec<Option<String>> = runs.iter().map(|runs| runs.map(Rle::to_text)).collect();
    let needed = counts.iter().flatten().map(|text| text.len() as u64).sum();
    if needed > MOST_BYTES {
        return Err(Error::TooLarge {
            what: "the run lengths of one batch, in bytes".into(),
            needed,
            limit: MOST_BYTES,
            hint: "leave masks out".into(),
        });
    }
    Ok(vec![
        ("height", side(|runs| runs.size().0)),
        ("width", side(|runs| runs.size().1)),
        ("counts", Arc::new(StringArray::from(counts))),
        ("polygons", polygons(all)?),
    ])
}

/// Lists of lists of coordinates; null for what was given as run lengths.
fn polygons(all: &[&Instance]) -> Result<ArrayRef> {
    let given = all
        .iter()
        .map(|one| one.shape.as_ref().and_then(Shape::polygons));
    let given: Vec<Option<&[Vec<f64>]>> = given.collect();
    let each = || given.iter().flatten().copied().flatten();
    let values = Float64Array::from_iter_values(each().flatten().copied());
    let inner = list_of(Arc::new(values), each().map(Vec::len).collect(), None)?;
    let lengths = given.iter().map(|one| one.map_or(0, <[_]>::len));
    let present: Vec<bool> = given.iter().map(Option::is_some).collect();
    list_of(inner, lengths.collect(), Some(NullBuffer::from(present)))
}

fn keypoints(all: &[&Instance]) -> Result<Vec<(&'static str, ArrayRef)>> {
    let points = || all.iter().flat_map(|one| one.keypoints.iter().flatten());
    let numbers = |axis: usize| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            points().map(|point| point[axis]),
        ))
    };
    // Visibilities were found to be 0, 1 or 2.
    let visibility = Int32Array::from_iter_values(points().map(|point| point[2] as i32));
    let fields: Vec<(&'static str, ArrayRef)> = vec![
        ("x", numbers(0)),
        ("y", numbers(1)),
        ("visibility", Arc::new(visibility)),
    ];
    let lengths = all
        .iter()
        .map(|one| one.keypoints.as_ref().map_or(0, Vec::len));
    Ok(vec![(
        "keypoints",
        list_of_structs(fields, lengths.collect(), None)?,
    )])
}
