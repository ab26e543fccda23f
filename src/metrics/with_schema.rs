//! A closure that says beforehand what it returns.

use std::borrow::Cow;

use arrow_schema::Schema;

use super::MetricsCollector;
use crate::table::{Column, Columns, Role, role};
use crate::{Error, Result};

/// A closure as a collector that declares its columns.
///
/// A pass over an empty dataset then has these columns, and each batch is held to them: names, types and
/// roles. Columns that come without a role get that of the schema. [`Columns::schema`] makes a schema
/// of columns without rows. Write the closure's argument types out.
///
/// ```
/// use emberlens::metrics::{MetricsCollector, with_schema};
/// use emberlens::table::{Column, Columns, Role};
/// let kind = Column::from(Vec::<i32>::new()).role(Role::category(["short", "long"]));
/// let schema = Columns::new().with("kind", kind).schema()?;
/// let lengths = with_schema(schema, |batch: &Vec<String>, _output: &()| {
///     let kind: Vec<i32> = batch.iter().map(|text| i32::from(text.len() > 80)).collect();
///     Ok(Columns::new().with("kind", kind))
/// });
/// let columns = lengths.collect(&vec!["see you".into()], &())?;
/// assert_eq!(columns.get("kind").and_then(Column::get_role), Some(&Role::category(["short", "long"])));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Errors
/// `collect` returns errors of the closure, and `Schema` for a column of another type or role than
/// declared, naming both; a pass refuses columns that are missing or not declared.
pub fn with_schema<B, O, F>(schema: Schema, collect: F) -> WithSchema<F>
where
    F: Fn(&B, &O) -> Result<Columns>,
{
    WithSchema {
        schema,
        collect,
        name: "with_schema".into(),
        compute_aggregates: true,
    }
}

/// A closure with the schema of what it returns; made by [`with_schema`].
#[derive(Clone, Debug)]
pub struct WithSchema<F> {
    schema: Schema,
    collect: F,
    name: String,
    compute_aggregates: bool,
}

impl<F> WithSchema<F> {
    /// Whether the pass aggregates the columns (default: yes).
    pub fn compute_aggregates(mut self, yes: bool) -> Self {
        self.compute_aggregates = yes;
        self
    }

    /// The name shown in errors (default: `with_schema`).
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<B, O, F: Fn(&B, &O) -> Result<Columns>> MetricsCollector<B, O> for WithSchema<F> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        let mut columns = Columns::new();
        for (name, column) in (self.collect)(batch, output)?.iter() {
            columns.push(name, self.held_to_schema(name, column.clone())?);
        }
        Ok(columns)
    }

    fn schema(&self) -> Option<Schema> {
        Some(self.schema.clone())
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }
}

impl<F> WithSchema<F> {
    /// The column with its declared role; columns that are not declared are left to the pass.
    fn held_to_schema(&self, name: &str, column: Column) -> Result<Column> {
        let Ok(field) = self.schema.field_with_name(name) else {
            return Ok(column);
        };
        let found = column.values().data_type();
        let declared = role(field);
        let other_role = column.get_role().is_some() && column.get_role() != declared.as_ref();
        if !found.equals_datatype(field.data_type()) || other_role {
            return Err(Error::Schema {
                column: name.to_owned(),
                expected: told(field.data_type(), declared.as_ref()),
                found: told(found, column.get_role()),
                place: format!("the schema of `{}`", self.name),
                hint: "return what the schema says, or declare what is returned".into(),
            });
        }
        Ok(match declared {
            Some(role) => column.role(role),
            None => column,
        })
    }
}

fn told(data_type: &arrow_schema::DataType, role: Option<&Role>) -> String {
    match role {
        Some(Role::Embedding { width }) => format!("{data_type}, an embedding of width {width}"),
        Some(role) => format!("{data_type} ({role:?})"),
        None => data_type.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_type_or_width_is_named_with_both() {
        let vectors = |rows, width| Column::embedding(ndarray::Array2::zeros((rows, width)).view());
        let schema = Columns::new()
            .with("loss", Vec::<f32>::new())
            .with("vector", vectors(0, 3))
            .schema()
            .unwrap();
        let told = |columns: Columns| {
            let collector = with_schema(schema.clone(), move |_: &(), _: &()| Ok(columns.clone()));
            collector.collect(&(), &()).unwrap_err().to_string()
        };
        let text = told(Columns::new().with("loss", vec![1.0_f64]));
        assert!(text.contains("`loss`"), "{text}");
        assert!(
            text.contains("Float64") && text.contains("Float32"),
            "{text}"
        );
        let text = told(Columns::new().with("vector", vectors(1, 4)));
        assert!(
            text.contains("width 4") && text.contains("width 3"),
            "{text}"
        );
    }
}
