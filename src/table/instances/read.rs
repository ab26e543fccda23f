//! Instances read back from the columns of a table.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;

use super::{Instance, RawBox, Shape};
use crate::geometry::{BoxFormat, OrientedBox, Rle};
use crate::table::nested::Nested;
use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// The columns that hold instances, with their roles.
#[derive(Clone, Debug, Default)]
pub(crate) struct InstanceColumns {
    columns: Vec<(String, Role)>,
}

/// Whether a role is that of a kind of columns.
type IsOfKind = fn(&Role) -> bool;

/// The kinds of columns, by the name that imports give them.
const KINDS: [(&str, IsOfKind); 4] = [
    ("boxes", |role| matches!(role, Role::Boxes { .. })),
    ("oriented_boxes", |role| {
        matches!(role, Role::OrientedBoxes { .. })
    }),
    ("masks", |role| matches!(role, Role::Masks { .. })),
    ("keypoints", |role| matches!(role, Role::Keypoints { .. })),
];

impl InstanceColumns {
    /// Of each kind the column that imports would have named, or the only one with its role.
    ///
    /// # Errors
    /// `Invalid` where several columns of a kind have other names.
    pub(crate) fn of(schema: &Schema) -> Result<Self> {
        let mut columns = Vec::new();
        for (usual, is_of_kind) in KINDS {
            let fields = schema.fields().iter();
            let with_role = fields.filter_map(|field| Some((field.name(), schema::role(field)?)));
            let mut found: Vec<(&String, Role)> =
                with_role.filter(|(_, role)| is_of_kind(role)).collect();
            if let Some(at) = found.iter().position(|(name, _)| *name == usual) {
                found = vec![found.swap_remove(at)];
            }
            if found.len() > 1 {
                let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Error::invalid(
                    "table",
                    names.join(", "),
                    format!("several columns hold {usual}"),
                    format!("call the one that is meant `{usual}`"),
                ));
            }
            columns.extend(found.pop().map(|(name, role)| (name.clone(), role)));
        }
        Ok(Self { columns })
    }

    /// One column by its name, which must have a role of the kind that `usual` names.
    ///
    /// # Errors
    /// `MissingColumn`, and `Schema` for a column of another role.
    pub(crate) fn named(schema: &Schema, column: &str, usual: &str, place: &str) -> Result<Self> {
        let Some((_, field)) = schema.fields().find(column) else {
            return Err(Error::MissingColumn {
                column: column.to_owned(),
                place: place.to_owned(),
                available: schema::names(schema),
            });
        };
        let kind = KINDS.iter().find(|(name, _)| *name == usual);
        match schema::role(field) {
            Some(role) if kind.is_some_and(|(_, is_of_kind)| is_of_kind(&role)) => Ok(Self {
                columns: vec![(column.to_owned(), role)],
            }),
            _ => Err(Error::Schema {
                column: column.to_owned(),
                expected: format!("a column with the role of {usual}"),
                found: format!("a column of {} without it", field.data_type()),
                place: place.to_owned(),
                hint: "name another column, or give it the role when the table is made".into(),
            }),
        }
    }

    /// The columns of both.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The roles of the columns.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.columns.iter().map(|(_, role)| role)
    }

    /// The class names, of the first column that has some.
    pub(crate) fn class_names(&self) -> &[String] {
        let mut names = self.roles().filter_map(Role::class_names);
        names.find(|names| !names.is_empty()).unwrap_or(&[])
    }
}

/// Reads the instances of rows.
pub(crate) struct InstanceReader<'a> {
    columns: &'a InstanceColumns,
}

impl<'a> InstanceReader<'a> {
    pub(crate) fn new(columns: &'a InstanceColumns) -> Self {
        Self { columns }
    }

    /// The instances of every row of a batch, in the unit that the roles name; `None` for one that is
    /// null in all of the columns.
    ///
    /// # Errors
    /// `Invalid` for columns that differ in their numbers of instances, an instance without a
    /// label, a null within it, or run lengths that are none; row and instance are named.
    pub(crate) fn read(
        &self,
        batch: &RecordBatch,
        first_row: u64,
    ) -> Result<Vec<Vec<Option<Instance>>>> {
        let mut images: Vec<Vec<Option<Instance>>> = vec![Vec::new(); batch.num_rows()];
        for (number, (name, role)) in self.columns.columns.iter().enumerate() {
            let nested = Nested::of(batch, name, first_row)?;
            let facts = Facts::read(&nested)?;
            let mut geometry = Geometry::read(&nested, role)?;
            for (row, image) in images.iter_mut().enumerate().take(nested.rows()) {
                let range = nested.range(row);
                if number == 0 {
                    image.resize(range.len(), None);
                } else if image.len() != range.len() {
                    let first = self.columns.names().next().unwrap_or_default();
                    return Err(Error::Value {
                        column: name.clone(),
                        row: nested.row(row),
                        found: format!("{} instances", range.len()),
                        expected: format!("the {} of column `{first}`", image.len()),
                        hint: "element k of every column is the same instance".into(),
                    });
                }
                for (instance, at) in range.enumerate() {
                    if !nested.is_there(at) {
                        continue;
                    }
                    let is_new = image[instance].is_none();
                    let known = image[instance].get_or_insert_with(Instance::default);
                    facts.fill(known, is_new, at, &nested, row, instance)?;
                    geometry.fill(known, at, &nested, row, instance)?;
                }
            }
        }
        Ok(images)
    }
}

/// What is known of instances whatever their geometry.
struct Facts {
    labels: Vec<Option<i64>>,
    areas: Vec<Option<f64>>,
    crowds: Vec<Option<bool>>,
    ids: Vec<Option<i64>>,
}

impl Facts {
    fn read(nested: &Nested<'_>) -> Result<Self> {
        Ok(Self {
            labels: nested.integers("label")?,
            areas: nested.floats("area")?,
            crowds: nested.flags("crowd")?,
            ids: nested.integers("annotation_id")?,
        })
    }

    fn fill(
        &self,
        known: &mut Instance,
        is_new: bool,
        at: usize,
        nested: &Nested<'_>,
        row: usize,
        instance: usize,
    ) -> Result<()> {
        let hint = "give every instance the label of its class";
        let Some(label) = self.labels[at] else {
            return Err(nested.wrong(row, instance, "no label", "a label", hint));
        };
        if !is_new && known.label != label {
            let (found, expected) = (format!("label {label}"), format!("label {}", known.label));
            return Err(nested.wrong(row, instance, found, expected, hint));
        }
        known.label = label;
        known.area = known.area.or(self.areas[at]);
        known.crowd |= self.crowds[at] == Some(true);
        known.id = known.id.or(self.ids[at]);
        Ok(())
    }
}

/// The geometry of the instances of one column.
enum Geometry {
    Boxes(BoxFormat, [Vec<Option<f64>>; 4]),
    Oriented(Role, [Vec<Option<f64>>; 5]),
    Masks {
        sides: [Vec<Option<i64>>; 2],
        counts: Vec<Option<String>>,
        polygons: Option<ArrayRef>,
    },
    Keypoints(Option<ArrayRef>),
}

impl Geometry {
    fn read(nested: &Nested<'_>, role: &Role) -> Result<Self> {
        Ok(match role {
            Role::Boxes { format, .. } => {
                Self::Boxes(*format, floats(nested, RawBox::fields(*format))?)
            }
            Role::OrientedBoxes { .. } => {
                let names = ["cx", "cy", "width", "height", "angle"];
                Self::Oriented(role.clone(), floats(nested, names)?)
            }
            Role::Masks { .. } => Self::Masks {
                sides: [nested.integers("height")?, nested.integers("width")?],
                counts: nested.texts("counts")?,
                polygons: nested.array("polygons").cloned(),
            },
            _ => Self::Keypoints(nested.array("keypoints").cloned()),
        })
    }

    fn fill(
        &mut self,
        known: &mut Instance,
        at: usize,
        nested: &Nested<'_>,
        row: usize,
        instance: usize,
    ) -> Result<()> {
        let null = |what: &str| {
            let hint = "an instance has all of its numbers, or is null as a whole";
            nested.wrong(row, instance, format!("null for {what}"), "a value", hint)
        };
        match self {
            Self::Boxes(format, numbers) => {
                let values = numbers.each_ref().map(|numbers| numbers[at]);
                let [Some(a), Some(b), Some(c), Some(d)] = values else {
                    return Err(null("a coordinate"));
                };
                known.bbox = Some(RawBox::new([a, b, c, d], *format));
            }
            Self::Oriented(role, numbers) => {
                let values = numbers.each_ref().map(|numbers| numbers[at]);
                let [Some(cx), Some(cy), Some(width), Some(height), Some(turn)] = values else {
                    return Err(null("a coordinate"));
                };
                if let Role::OrientedBoxes {
                    angle, direction, ..
                } = role
                {
                    let values = [cx, cy, width, height, turn];
                    known.oriented = Some(OrientedBox::new(values, *angle, *direction));
                }
            }
            Self::Masks {
                sides,
                counts,
                polygons,
            } => {
                let side = |side: usize| sides[side][at].and_then(|side| u32::try_from(side).ok());
                let (Some(height), Some(width), Some(text)) = (side(0), side(1), &counts[at])
                else {
                    return Err(null("height, width or counts"));
                };
                let runs = Rle::from_text(height, width, text).map_err(|error| {
                    let hint = "write the mask anew";
                    nested.wrong(row, instance, error.to_string(), "run lengths", hint)
                })?;
                let given = polygons.as_ref().and_then(|lists| polygons_at(lists, at));
                known.shape = Some(match given {
                    Some(polygons) => Shape::Drawn(runs, polygons),
                    None => Shape::Runs(runs),
                });
            }
            Self::Keypoints(lists) => {
                let lists = lists.as_ref().and_then(|lists| keypoints_at(lists, at));
                known.keypoints = Some(lists.ok_or_else(|| null("a keypoint"))?);
            }
        }
        Ok(())
    }
}

fn floats<const N: usize>(nested: &Nested<'_>, names: [&str; N]) -> Result<[Vec<Option<f64>>; N]> {
    let mut all = [const { Vec::new() }; N];
    for (numbers, name) in all.iter_mut().zip(names) {
        *numbers = nested.floats(name)?;
    }
    Ok(all)
}

/// The polygons of an instance; `None` where they are null, or of another type than imports write.
fn polygons_at(lists: &ArrayRef, at: usize) -> Option<Vec<Vec<f64>>> {
    let lists = lists
        .as_list_opt::<i32>()
        .filter(|lists| lists.is_valid(at))?;
    let polygons = lists.value(at);
    let polygons = polygons.as_list_opt::<i32>()?;
    let points = |polygon: Option<ArrayRef>| {
        let values = polygon?;
        let values = values.as_primitive_opt::<Float64Type>()?;
        (values.null_count() == 0).then(|| values.values().to_vec())
    };
    polygons.iter().map(points).collect()
}

/// The keypoints of an instance; `None` where one of them is null or they lack a field.
fn keypoints_at(lists: &ArrayRef, at: usize) -> Option<Vec<[f64; 3]>> {
    let lists = lists
        .as_list_opt::<i32>()
        .filter(|lists| lists.is_valid(at))?;
    let points = lists.value(at);
    let points = points.as_struct_opt()?;
    let number = |name: &str| {
        let cast = arrow_cast::cast(
            points.column_by_name(name)?,
            &arrow_schema::DataType::Float64,
        );
        let array = cast.ok().filter(|array| array.null_count() == 0)?;
        Some(array.as_primitive::<Float64Type>().values().to_vec())
    };
    let (x, y, seen) = (number("x")?, number("y")?, number("visibility")?);
    let points = x.into_iter().zip(y).zip(seen);
    Some(points.map(|((x, y), seen)| [x, y, seen]).collect())
}
