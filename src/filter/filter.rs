//! A filter: parsed, checked, ready to be evaluated.

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use sqlparser::ast::Expr;

use super::check::Checker;
use super::column::FilterColumn;
use super::evaluate::Batch;
use super::kernels::to_common;
use super::mark::Source;
use super::node::{Common, Node, Op};
use super::parse::parse;
use crate::{Error, Result};

/// A condition over columns; what it may hold and what it means is told by the [module](super).
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Float32Array, Int32Array};
/// use arrow_schema::DataType;
/// use emberlens::filter::{Filter, FilterColumn};
///
/// let columns = [
///     FilterColumn::new("metrics", "loss", DataType::Float32),
///     FilterColumn::new("pets", "label", DataType::Int32).classes(Arc::from(["cat".to_owned()])),
/// ];
/// let filter = Filter::parse("loss > 2 AND label = 'cat'", &columns)?;
/// let loss: ArrayRef = Arc::new(Float32Array::from(vec![Some(3.0), Some(0.1), None]));
/// let label: ArrayRef = Arc::new(Int32Array::from(vec![0, 0, 0]));
/// let found = filter.evaluate(&[Some(loss), Some(label)], 3)?;
/// assert_eq!(found.iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
///
/// let error = Filter::parse("los > 2", &columns).unwrap_err().to_string();
/// assert!(error.ends_with("los > 2\n^^^"), "{error}");
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    root: Node,
    columns: Vec<usize>,
}

impl Filter {
    /// Parses a condition and checks it against these columns. Of several columns of one name, the first
    /// is meant by the name alone.
    ///
    /// # Errors
    /// `Filter`, of the kind `Invalid`, with the place in the text: for what is no condition, a name that
    /// is no column or class, types that do not meet, a text with more than 256 operators; `Invalid` for
    /// one of more than 64 KiB. Operators lie within one another 32 deep at most; chains of AND and of OR count once.
    pub fn parse(text: &str, columns: &[FilterColumn]) -> Result<Self> {
        let source = Source(text);
        let parsed: Expr = parse(source)?;
        let checker = Checker {
            source,
            columns,
            depth: 0,
        };
        let root = checker.condition(&parsed)?;
        let mut used = Vec::new();
        columns_of(&root, &mut used);
        used.sort_unstable();
        used.dedup();
        Ok(Self {
            text: text.to_owned(),
            root,
            columns: used,
        })
    }

    /// The columns that it names, by their place among those that it was checked against.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The text that it was made from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true, false or unknown (null) of each row.
    ///
    /// # Shapes and units
    /// `columns` are those of [`Filter::parse`], in their order, each of `rows` values; those that the
    /// filter does not name may be `None`.
    ///
    /// # Errors
    /// `Invalid` for an array that is missing, or of another length or type than its column; `Filter` for
    /// integers that leave 64 bits.
    pub fn evaluate(&self, columns: &[Option<ArrayRef>], rows: usize) -> Result<BooleanArray> {
        for &place in &self.columns {
            let found = columns
                .get(place)
                .and_then(Option::as_ref)
                .map(|array| array.len());
            if found != Some(rows) {
                let found = found.map_or("no array".to_owned(), |found| format!("{found} values"));
                return Err(Error::invalid(
                    "columns",
                    place,
                    format!("there are {found} for {rows} rows"),
                    "give the columns that the filter was checked against",
                ));
            }
        }
        let source = Source(&self.text);
        let batch = Batch {
            source,
            columns,
            rows,
        };
        let failed = |error: arrow_schema::ArrowError| {
            let hint = "give the columns that the filter was checked against";
            source.error(self.root.span, error.to_string(), hint)
        };
        let found = to_common(&batch.values(&self.root)?, Common::Bool).map_err(failed)?;
        Ok(found.rows(rows).map_err(failed)?.as_boolean().clone())
    }
}

fn columns_of(node: &Node, found: &mut Vec<usize>) {
    match &node.op {
        Op::Column(place) => found.push(*place),
        Op::Bool(_) | Op::Integer(_) | Op::Float(_) | Op::Text(_) | Op::Null => {}
        Op::Date(_) | Op::Time(_) => {}
        Op::Not(inner)
        | Op::IsNull(inner)
        | Op::Is(inner, _)
        | Op::Like { text: inner, .. }
        | Op::Names(inner, _)
        | Op::Call(_, inner) => columns_of(inner, found),
        Op::And(parts) | Op::Or(parts) => {
            parts.iter().for_each(|part| columns_of(part, found));
        }
        Op::Compare(_, left, right, _) | Op::Arithmetic(_, left, right, _) => {
            columns_of(left, found);
            columns_of(right, found);
        }
        Op::Between(value, low, high, _) => {
            for part in [value, low, high] {
                columns_of(part, found);
            }
        }
        Op::In(value, list, _) => {
            columns_of(value, found);
            list.iter().for_each(|item| columns_of(item, found));
        }
    }
}
