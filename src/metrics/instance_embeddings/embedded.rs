//! What is collected of the instances of one image.

use ndarray::Array2;

use crate::table::Columns;
use crate::{Error, Result};

/// The vectors of the instances of one image, and what else is known of each.
///
/// ```
/// use emberlens::metrics::EmbeddedInstances;
/// use emberlens::table::Columns;
/// let boxes = EmbeddedInstances::from_rows(&[vec![0.1, 0.9], vec![0.7, 0.2]])?
///     .columns(Columns::new().with("confidence", vec![0.8_f32, 0.6]))?;
/// assert_eq!(boxes.len(), 2);
/// let error = EmbeddedInstances::from_rows(&[vec![0.1, 0.9], vec![0.7]]);
/// assert!(error.is_err());
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EmbeddedInstances {
    pub(super) vectors: Array2<f32>,
    pub(super) numbers: Option<Vec<i64>>,
    pub(super) columns: Columns,
}

impl EmbeddedInstances {
    /// The vectors of an image, numbered 0, 1, ...
    ///
    /// # Shapes and units
    /// `[instances, width]`; no instances are fine.
    pub fn new(vectors: Array2<f32>) -> Self {
        Self {
            vectors,
            numbers: None,
            columns: Columns::new(),
        }
    }

    /// The same from a list of vectors.
    ///
    /// # Errors
    /// `Invalid` when they differ in width, naming the first that does.
    pub fn from_rows(rows: &[Vec<f32>]) -> Result<Self> {
        let width = rows.first().map_or(0, Vec::len);
        let mut vectors = Array2::zeros((rows.len(), width));
        for (number, row) in rows.iter().enumerate() {
            if row.len() != width {
                return Err(Error::invalid(
                    format!("vector of instance {number}"),
                    format!("{} values", row.len()),
                    format!("that of instance 0 has {width}"),
                    "give all instances vectors of one layer",
                ));
            }
            let target = vectors.row_mut(number);
            target
                .into_iter()
                .zip(row)
                .for_each(|(to, from)| *to = *from);
        }
        Ok(Self::new(vectors))
    }

    /// Numbers the instances otherwise, where some have no vector: their places in the list of all.
    ///
    /// # Errors
    /// `Invalid` for another count than that of the vectors, a negative number and one that is there twice.
    pub fn numbered(mut self, numbers: impl IntoIterator<Item = i64>) -> Result<Self> {
        let numbers: Vec<i64> = numbers.into_iter().collect();
        self.check_count("instances", numbers.len())?;
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
        let negative = sorted.first().filter(|number| **number < 0);
        if let Some(number) = negative.or(twice.map(|pair| &pair[0])) {
            return Err(Error::invalid(
                "instance",
                number,
                "instances of an image have numbers of their own, 0 or more",
                "number them by their places in the list of all",
            ));
        }
        self.numbers = Some(numbers);
        Ok(self)
    }

    /// Adds what else is known of each instance: label, confidence, IoU.
    ///
    /// # Errors
    /// `Invalid` for a column with another number of rows than there are vectors.
    pub fn columns(mut self, columns: Columns) -> Result<Self> {
        for (name, column) in columns.iter() {
            self.check_count(name, column.len())?;
        }
        self.columns.extend(columns);
        Ok(self)
    }

    /// Number of instances.
    pub fn len(&self) -> usize {
        self.vectors.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check_count(&self, column: &str, found: usize) -> Result<()> {
        if found == self.len() {
            return Ok(());
        }
        Err(Error::invalid(
            column,
            format!("{found} values"),
            format!("there are {} vectors", self.len()),
            "give one for each vector",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_differ_and_numbers_that_are_none_are_named() {
        let two = || EmbeddedInstances::new(Array2::zeros((2, 3)));
        let told = |result: Result<EmbeddedInstances>| result.unwrap_err().to_string();
        let one = Columns::new().with("iou", vec![0.5_f32]);
        assert!(told(two().columns(one)).contains("iou = 1 values: there are 2 vectors"));
        assert!(told(two().numbered([4])).contains("instances = 1 values"));
        assert!(told(two().numbered([4, 4])).contains("instance = 4"));
        assert!(told(two().numbered([4, -1])).contains("instance = -1"));
        assert_eq!(two().numbered([4, 1]).unwrap().numbers, Some(vec![4, 1]));
    }
}
