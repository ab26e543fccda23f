//! Tables from Burn's datasets.

use arrow_schema::{Field, Schema};
use burn::data::dataset::Dataset;
use emberlens::storage::Location;
use emberlens::table::{Role, Table, field};
use emberlens::{Error, Result};
use serde::Serialize;

use crate::items::Items;

/// Creates a table from a Burn dataset whose items serde can serialise, in `folder` (the `tables` folder
/// of a project); roles by column say how columns are shown and used.
///
/// Every field of an item is a column; an item without fields (a number, a string, a list) is the column
/// `item`, a tuple of different types has the columns `0`, `1`, ... Numbers keep their type and every bit.
/// Datasets of every kind do: in memory, [`SqliteDataset`](https://docs.rs/burn/0.22/burn/data/dataset/struct.SqliteDataset.html)
/// with Burn's feature `sqlite`, transformed ones.
///
/// | item | column |
/// |---|---|
/// | signed integers, `f32`, `f64`, `bool`, strings | the same |
/// | `u8`, `u16`, `u32`; `u64` | the next wider signed integer; `i64` where every value fits |
/// | `Option` | null for `None` |
/// | `Vec`, arrays; tuples and tuple structs of one type | list |
/// | structs, maps with text as keys, other tuples | struct; at the top, columns |
/// | enums without data | string |
/// | bytes (`serde_bytes`) | binary; a plain `Vec<u8>` is a list of numbers |
/// | `char` | its number, `i64` |
///
/// # Shapes and units
/// Row k of the table is item k of the dataset: give it before shuffling and sampling.
///
/// # Memory
/// Batches of at most 8,192 items, and about 32 MiB where items are about equally large. Every item is
/// read twice: for its type and to be written.
///
/// # Errors
/// `UserCode` with the index when an item cannot be read; `Invalid` for an empty dataset, items of
/// different types, enums with data, integers that `i64` does not hold, a role for a column that is not
/// there or that it does not fit;
/// `AlreadyExists` for a table of that name. After an error there is no table.
///
/// ```
/// use burn::data::dataset::InMemDataset;
/// use emberlens::{storage::Location, table::Role};
/// use emberlens_burn::table_from_dataset;
/// #[derive(Clone, serde::Serialize)]
/// struct Flower { petals: Vec<f32>, species: i32, seen: Option<u16> }
/// let flowers = InMemDataset::new(vec![
///     Flower { petals: vec![1.4, 0.2], species: 0, seen: None },
///     Flower { petals: vec![5.1, 1.9], species: 1, seen: Some(3) },
/// ]);
/// let roles = [
///     ("species", Role::category(["setosa", "virginica"])),
///     ("petals", Role::Embedding { width: 2 }),
/// ];
/// let folder = Location::open("memory://")?.join("tables");
/// let table = table_from_dataset(&folder, "flowers", &flowers, roles)?;
/// assert_eq!(table.rows_where("species = 'virginica'")?, [1]);
/// assert_eq!(table.embedding("petals")?[[1, 0]], 5.1);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn table_from_dataset<I, E, D>(
    folder: &Location,
    name: &str,
    dataset: &D,
    roles: impl IntoIterator<Item = (&'static str, Role)>,
) -> Result<Table>
where
    I: Serialize,
    E: std::error::Error + Send + Sync + 'static,
    D: Dataset<I, E> + ?Sized,
{
    let items = Items {
        name,
        len: dataset.len(),
        get: |index| dataset.get(index).map_err(Error::user),
    };
    if items.len == 0 {
        return Err(Error::invalid(
            "dataset",
            name,
            "a dataset without items tells no columns",
            "give at least one item",
        ));
    }
    let shape = items.shape()?;
    let schema = with_roles(shape.schema(), roles, name)?;
    Table::create_from_batches(folder, name, &schema, items.batches(&shape))
}

fn with_roles(
    schema: &Schema,
    roles: impl IntoIterator<Item = (&'static str, Role)>,
    name: &str,
) -> Result<Schema> {
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), true))
        .collect();
    for (column, role) in roles {
        let known = fields.iter_mut().find(|field| field.name() == column);
        let Some(known) = known else {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            return Err(Error::MissingColumn {
                column: column.to_owned(),
                place: format!("dataset `{name}`"),
                available: names.collect::<Vec<_>>().join(", "),
            });
        };
        *known = field(column, known.data_type().clone(), Some(&role))?;
    }
    Ok(Schema::new(fields))
}
