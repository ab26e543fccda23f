//! The columns of an input table from a linfa dataset.

use emberlens::Result;
use emberlens::table::{Column, Columns, Role};
use linfa::dataset::{AsSingleTargets, DatasetBase, Label};
use linfa_ndarray::{ArrayBase, ArrayView2, Axis, Data, Ix2};

use crate::border::Value;
use crate::classes::Classes;

/// Up to this many features become a column each.
const MOST_COLUMNS: usize = 32;

/// The whole dataset: features, `label` as a category, and `weight` when it has weights.
///
/// Up to 32 features are [`feature_columns`], more are one [`feature_vectors`]. Row k of the table
/// is sample k of the dataset, so make it of the dataset before it is shuffled or split.
///
/// # Shapes and units
/// One row per sample; labels are class indices, i32.
///
/// # Errors
/// `Invalid` for a label outside the classes; `NonFinite` for an f64 that the vector cannot hold.
///
/// ```
/// use emberlens::run::Project;
/// use emberlens_linfa::{Classes, dataset_columns};
///
/// let iris = linfa_datasets::iris();
/// let classes = Classes::of(&iris).named(["setosa", "versicolor", "virginica"])?;
/// let table = Project::open("memory://", "flowers")?
///     .create_table("iris", dataset_columns(&iris, &classes)?)?;
/// assert_eq!(table.column::<f64>("petal_length")?[0], 1.4);
/// assert_eq!(table.category_names("label").unwrap()[2], "virginica");
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn dataset_columns<F, D, T, L>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    classes: &Classes<L>,
) -> Result<Columns>
where
    F: Value,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    let mut columns = match dataset.records.ncols() {
        ..=MOST_COLUMNS => feature_columns(dataset),
        _ => feature_vectors(dataset)?,
    };
    let labels = classes.indices("label of sample", dataset.targets.as_single_targets())?;
    let labels: Vec<i32> = labels.into_iter().map(|index| index as i32).collect();
    columns.push("label", Column::from(labels).role(classes.role()));
    if !dataset.weights.is_empty() {
        let weights = Column::from(dataset.weights.to_vec());
        columns.push("weight", weights.role(Role::Weight));
    }
    Ok(columns)
}

/// One column per feature, in the type of the records.
///
/// Columns have the dataset's feature names, with `_` for what tables refuse (spaces, `,;{}()=`);
/// without names they are `feature_0`, `feature_1`, ...
pub fn feature_columns<F, D, T>(dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Columns
where
    F: Value,
    D: Data<Elem = F>,
{
    let names = dataset.feature_names();
    let features = dataset.records.axis_iter(Axis(1)).enumerate();
    features.fold(Columns::new(), |columns, (index, values)| {
        let name = names.get(index).map(|name| column_name(name));
        let name = name.filter(|name| !name.is_empty());
        columns.with(
            name.unwrap_or_else(|| format!("feature_{index}")),
            F::column(values.to_vec()),
        )
    })
}

/// All features as the embedding column `features`, f32.
///
/// # Errors
/// `NonFinite` for an f64 that f32 cannot hold.
pub fn feature_vectors<F, D, T>(dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Columns>
where
    F: Value,
    D: Data<Elem = F>,
{
    Ok(Columns::new().with("features", embedding(dataset.records.view())?))
}

/// A matrix of linfa's as an embedding column, f32: features, or what a model makes of them.
///
/// # Shapes and units
/// `rows` `[batch, width]`.
///
/// # Errors
/// `NonFinite` for an f64 that f32 cannot hold.
pub fn embedding<F: Value>(rows: ArrayView2<'_, F>) -> Result<Column> {
    Ok(Column::embedding(F::enter(rows)?.view()))
}

fn column_name(feature: &str) -> String {
    let refused = |c: char| c.is_whitespace() || c.is_control() || ",;{}()=".contains(c);
    let parts: Vec<&str> = feature
        .split(refused)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}
