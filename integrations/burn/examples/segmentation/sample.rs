//! Pictures and the class of every pixel, as a table holds them.

use emberlens::metrics::class_mask_from_png;
use emberlens::table::{Role, Table, values};
use ndarray::Array2;

use crate::program::Failure;
use crate::scenes::{Picture, SIDE, pictures};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Sample {
    pub picture: Picture,
    /// `[SIDE, SIDE]`, class indices, or the void.
    pub mask: Array2<u16>,
}

/// What the values of a table's masks mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Names by value.
    pub names: Vec<String>,
    /// The value of pixels that belong to no class; one that no class has where the table names none.
    pub void: u16,
}

impl Classes {
    /// The classes of the column `mask`.
    pub fn of(table: &Table) -> Result<Self, Failure> {
        match table.role("mask") {
            Some(Role::ClassMask { names, void }) if !names.is_empty() => Ok(Self {
                void: void.unwrap_or(u16::MAX),
                names: names.to_vec(),
            }),
            _ => Err(format!("table `{}` has no masks of named classes", table.name()).into()),
        }
    }
}

/// The rows of a table with the columns `image` and `mask`, in their order.
pub fn samples(table: &Table, classes: &Classes) -> Result<Vec<Sample>, Failure> {
    let mut masks = Vec::new();
    for batch in table.snapshot().batches(Some(&["mask"]))? {
        for bytes in values::<Vec<u8>>(&batch?, "mask")? {
            let (row, mask) = (masks.len(), small(&class_mask_from_png(&bytes)?));
            let is_class = |class: u16| usize::from(class) < classes.names.len();
            let mut wrong = mask
                .iter()
                .filter(|&&class| !is_class(class) && class != classes.void);
            if let Some(class) = wrong.next() {
                let place = format!("row {row} of table `{}`", table.name());
                return Err(format!("{place}: {class} is none of {classes:?}").into());
            }
            masks.push(mask);
        }
    }
    let rows = pictures(table)?.into_iter().zip(masks);
    Ok(rows
        .map(|(picture, mask)| Sample { picture, mask })
        .collect())
}

/// A mask at the size of the network: the class in the middle of each of its pixels.
pub fn small(mask: &Array2<u16>) -> Array2<u16> {
    let (height, width) = mask.dim();
    let middle = |at: usize, side: usize| (2 * at + 1) * side / (2 * SIDE);
    Array2::from_shape_fn((SIDE, SIDE), |(y, x)| {
        mask[[middle(y, height), middle(x, width)]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_masks_have_the_class_of_the_middle() {
        let same = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| (y * SIDE + x) as u16);
        assert_eq!(small(&same), same);
        let threefold = Array2::from_shape_fn((3 * SIDE, 3 * SIDE), |(y, x)| {
            let is_middle = y % 3 == 1 && x % 3 == 1;
            if is_middle {
                same[[y / 3, x / 3]]
            } else {
                9999
            }
        });
        assert_eq!(small(&threefold), same);
        let flat = Array2::from_shape_fn((1, 2), |(_, x)| x as u16);
        let left = small(&flat).iter().filter(|&&class| class == 0).count();
        assert_eq!(left, SIDE * SIDE / 2);
    }
}
