//! A column as colours see it: classes with names, or numbers.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use emberlens::table::{Role, role};

/// Whole numbers of no role count as classes up to so many different ones.
const MAX_CLASSES: usize = 20;

/// The values of a column, one for each row.
pub enum Values {
    /// Names, and the place among them of each row.
    Classes(Vec<String>, Vec<Option<u32>>),
    /// NaN where there is none.
    Numbers(Vec<f32>),
}

impl Values {
    /// Reads a column; `None` for one that has neither classes nor numbers.
    pub fn of(batch: &RecordBatch, column: &str) -> Result<Option<Self>, ArrowError> {
        let Ok(index) = batch.schema_ref().index_of(column) else {
            return Ok(None);
        };
        let array = batch.column(index);
        let names = match role(batch.schema_ref().field(index)) {
            Some(Role::Category { names }) => Some(names.to_vec()),
            _ => None,
        };
        let of = array.data_type();
        Ok(match of {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Boolean => Some(text(array)?),
            of if of.is_integer() => Some(integers(array, names)?),
            of if of.is_floating() => {
                let array = arrow_cast::cast(array, &DataType::Float32)?;
                let values = array.as_primitive::<Float32Type>().iter();
                Some(Self::Numbers(
                    values.map(|value| value.unwrap_or(f32::NAN)).collect(),
                ))
            }
            _ => None,
        })
    }
}

/// Whether a column of this type can give colours.
pub fn is_usable(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Boolean)
        || of.is_integer()
        || of.is_floating()
}

fn text(array: &ArrayRef) -> Result<Values, ArrowError> {
    let array = arrow_cast::cast(array, &DataType::Utf8)?;
    let values = array.as_string::<i32>();
    let names: BTreeSet<&str> = values.iter().flatten().collect();
    let names: Vec<&str> = names.into_iter().collect();
    let code = |value: &str| names.binary_search(&value).ok().map(|code| code as u32);
    let codes = values.iter().map(|value| code(value?)).collect();
    Ok(Values::Classes(
        names.iter().map(|&name| name.to_owned()).collect(),
        codes,
    ))
}

fn integers(array: &ArrayRef, names: Option<Vec<String>>) -> Result<Values, ArrowError> {
    let array = arrow_cast::cast(array, &DataType::Int64)?;
    let values = array.as_primitive::<Int64Type>();
    let is_named = |value: i64| {
        names
            .as_ref()
            .is_some_and(|names| (value as u64) < names.len() as u64)
    };
    let others: BTreeSet<i64> = values
        .iter()
        .flatten()
        .filter(|value| !is_named(*value))
        .collect();
    if names.is_none() && others.len() > MAX_CLASSES {
        let values = values
            .iter()
            .map(|value| value.map_or(f32::NAN, |value| value as f32));
        return Ok(Values::Numbers(values.collect()));
    }
    let others: Vec<i64> = others.into_iter().collect();
    let mut names = names.unwrap_or_default();
    let named = names.len();
    names.extend(others.iter().map(i64::to_string));
    let code = |value: i64| match others.binary_search(&value) {
        Ok(place) => (named + place) as u32,
        Err(_) => value as u32,
    };
    let codes = values.iter().map(|value| value.map(code)).collect();
    Ok(Values::Classes(names, codes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlens::table::{Column, Columns};

    fn classes(column: Column) -> (Vec<String>, Vec<Option<u32>>) {
        let batch = Columns::new().with("c", column).into_batch("test").unwrap();
        match Values::of(&batch, "c").unwrap().unwrap() {
            Values::Classes(names, codes) => (names, codes),
            Values::Numbers(numbers) => panic!("{numbers:?}"),
        }
    }

    #[test]
    fn classes_keep_the_names_of_their_role_and_a_missing_one_has_none() {
        let column = Column::from(vec![Some(1_i32), None, Some(0), Some(7), Some(-1)]);
        let (names, codes) = classes(column.role(Role::category(["cat", "dog"])));
        assert_eq!(names, ["cat", "dog", "-1", "7"]);
        assert_eq!(codes, [Some(1), None, Some(0), Some(3), Some(2)]);
    }

    #[test]
    fn text_and_few_whole_numbers_are_classes_in_order() {
        let (names, codes) = classes(Column::from(vec!["b", "a", "b"]));
        assert_eq!(
            (names, codes),
            (
                vec!["a".into(), "b".into()],
                vec![Some(1), Some(0), Some(1)]
            )
        );
        let (names, codes) = classes(Column::from(vec![10_i64, 9, 10]));
        assert_eq!(
            (names, codes),
            (
                vec!["9".into(), "10".into()],
                vec![Some(1), Some(0), Some(1)]
            )
        );
    }

    #[test]
    fn floats_and_many_whole_numbers_are_numbers() {
        let many: Vec<i64> = (0..30).collect();
        let batch = Columns::new()
            .with("many", many)
            .with("loss", vec![0.5_f32; 30])
            .into_batch("test")
            .unwrap();
        for column in ["many", "loss"] {
            let values = Values::of(&batch, column).unwrap();
            assert!(matches!(values, Some(Values::Numbers(_))), "{column}");
        }
    }
}
