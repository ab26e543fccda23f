//! The images of a table with their instances, as exports of data sets read them.

use std::collections::HashSet;

use arrow_array::RecordBatch;

use crate::geometry::BoxFormat;
use crate::table::import::Skipped;
use crate::table::instances::{Category, Instance, InstanceColumns, InstanceReader, RawBox};
use crate::table::values::{Place, find};
use crate::table::{ColumnValue, Role, Table};
use crate::{Error, Result};

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Images: the rows of the table.
    pub images: u64,
    /// Annotations, of all images.
    pub instances: u64,
    /// What a lenient export left out.
    pub skipped: Skipped,
}

/// One row.
pub(super) struct RowImage {
    pub(super) row: u64,
    pub(super) file_name: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) instances: Vec<Instance>,
}

/// A table of images, and which of its columns hold instances.
pub(super) struct ImageTable<'a> {
    pub(super) table: &'a Table,
    columns: InstanceColumns,
    pub(super) categories: Vec<Category>,
}

impl<'a> ImageTable<'a> {
    /// # Errors
    /// `Invalid` for a table without instances or without class names; `MissingColumn`.
    pub(super) fn new(table: &'a Table) -> Result<Self> {
        let schema = table.schema();
        let columns = InstanceColumns::of(schema)?;
        if columns.names().next().is_none() {
            return Err(Error::invalid(
                "table",
                table.name(),
                "no column has the role of boxes, oriented boxes, masks or keypoints",
                "export it as Parquet or CSV, or give its column the role when it is made",
            ));
        }
        let categories = match Category::of_schema(schema, &table.url())? {
            Some(categories) => categories,
            None => of_names(&columns),
        };
        if categories.is_empty() && table.row_count() > 0 {
            return Err(Error::invalid(
                "table",
                table.name(),
                "its columns of instances have no class names",
                "give the names in the role of the column when the table is made",
            ));
        }
        Ok(Self {
            table,
            columns,
            categories,
        })
    }

    /// The column of that kind, told by its role.
    pub(super) fn column(&self, is_of_kind: fn(&Role) -> bool) -> Option<&str> {
        let mut all = self.columns.names().zip(self.columns.roles());
        all.find_map(|(name, role)| is_of_kind(role).then_some(name))
    }

    /// Hands on every row; `extra` names further columns, which `take` finds in the batch.
    ///
    /// # Errors
    /// `Invalid`, naming column and row, for nulls, sizes that are none, labels that are no class and
    /// whatever [`InstanceReader`] refuses; errors of `take`.
    pub(super) fn each(
        &self,
        extra: &[&str],
        mut take: impl FnMut(RowImage, &RecordBatch, usize) -> Result<()>,
    ) -> Result<()> {
        let mut names = vec!["file_name", "width", "height"];
        names.extend(self.columns.names());
        names.extend(extra);
        let reader = InstanceReader::new(&self.columns);
        let mut first_row = 0;
        for batch in self.table.snapshot().batches(Some(&names))? {
            let batch = batch?;
            let files = read::<String>(&batch, "file_name", first_row)?;
            let sides = ["width", "height"].map(|name| read::<i64>(&batch, name, first_row));
            let [widths, heights] = sides;
            let (widths, heights) = (widths?, heights?);
            let instances = reader.read(&batch, first_row)?;
            for (at, (file_name, instances)) in files.into_iter().zip(instances).enumerate() {
                let row = first_row + at as u64;
                let image = RowImage {
                    row,
                    file_name,
                    width: side("width", widths[at], row)?,
                    height: side("height", heights[at], row)?,
                    instances: Vec::new(),
                };
                let instances = self.whole(&image, instances)?;
                take(RowImage { instances, ..image }, &batch, at)?;
            }
            first_row += batch.num_rows() as u64;
        }
        Ok(())
    }

    /// The instances in pixels, each with a label that is a class.
    fn whole(&self, image: &RowImage, instances: Vec<Option<Instance>>) -> Result<Vec<Instance>> {
        let column = self.columns.names().next().unwrap_or_default();
        let wrong = |number: usize, found: String, expected: String| Error::Value {
            column: column.to_owned(),
            row: image.row,
            found: format!("{found} in instance {number}"),
            expected,
            hint: "mend the row, or leave the instance out".into(),
        };
        let classes = self.categories.len();
        let whole = instances.into_iter().enumerate().map(|(number, given)| {
            let Some(mut instance) = given else {
                return Err(wrong(number, "null".into(), "an instance".into()));
            };
            if usize::try_from(instance.label).map_or(true, |label| label >= classes) {
                let found = format!("label {}", instance.label);
                return Err(wrong(number, found, format!("a label in 0..{classes}")));
            }
            self.to_pixels(&mut instance, image);
            Ok(instance)
        });
        whole.collect()
    }

    fn to_pixels(&self, instance: &mut Instance, image: &RowImage) {
        let (width, height) = (f64::from(image.width), f64::from(image.height));
        for role in self.columns.roles() {
            match role {
                Role::Boxes {
                    normalised: true, ..
                } => {
                    let to_pixels = |bbox: RawBox| {
                        let pixels = bbox.to_bbox().to_pixels(width, height);
                        RawBox::new(pixels.values(BoxFormat::Xyxy), BoxFormat::Xyxy)
                    };
                    instance.bbox = instance.bbox.map(to_pixels);
                }
                Role::Keypoints {
                    normalised: true, ..
                } => {
                    let points = instance.keypoints.iter_mut().flatten();
                    points.for_each(|point| {
                        point[0] *= width;
                        point[1] *= height;
                    });
                }
                _ => {}
            }
        }
    }
}

/// Numbered from 1, as COCO's ids are.
fn of_names(columns: &InstanceColumns) -> Vec<Category> {
    let names = columns.class_names().iter().zip(1..);
    let category = |(name, id): (&String, i64)| Category {
        id,
        name: name.clone(),
        ..Category::default()
    };
    names.map(category).collect()
}

fn side(column: &str, pixels: i64, row: u64) -> Result<u32> {
    match i32::try_from(pixels) {
        Ok(side) if side > 0 => Ok(side.unsigned_abs()),
        _ => Err(Error::Value {
            column: column.to_owned(),
            row,
            found: pixels.to_string(),
            expected: "a number of pixels".into(),
            hint: "mend the row".into(),
        }),
    }
}

/// A column of a batch, with rows of the table in errors.
pub(super) fn read<T: ColumnValue>(
    batch: &RecordBatch,
    column: &str,
    first_row: u64,
) -> Result<Vec<T>> {
    T::read(find(batch, column)?, Place { column, first_row })
}

/// Ids that were given, none of them twice.
#[derive(Default)]
pub(super) struct Ids(HashSet<i64>);

impl Ids {
    pub(super) fn add(&mut self, column: &str, id: i64, row: u64) -> Result<()> {
        if self.0.insert(id) {
            return Ok(());
        }
        Err(Error::Value {
            column: column.to_owned(),
            row,
            found: format!("{id}, which stands before"),
            expected: "an id of its own".into(),
            hint: "give every image and instance another id".into(),
        })
    }
}
