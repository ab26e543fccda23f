//! Candidates laid out for the kernel: panels of [`COLUMNS`] rows side by side.

use std::ops::Range;

use rayon::prelude::*;

use super::rows::Rows;

/// Candidates in a panel.
pub(super) const COLUMNS: usize = 48;

/// The value of a column that holds no candidate: no score comes near it.
const NOBODY: u32 = u32::MAX;

/// Groups of rows, each in panels of its own.
///
/// Panel `p` holds value `t` of its candidate `c` at `(p * width + t) * COLUMNS + c`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panels {
    width: usize,
    values: Vec<f32>,
    half_norms: Vec<[f32; COLUMNS]>,
    rows: Vec<[u32; COLUMNS]>,
    starts: Vec<usize>,
}

/// One panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel<'a> {
    /// `[width][COLUMNS]`
    pub(super) values: &'a [f32],
    /// Half the squared length of every candidate; infinite where there is none.
    pub(super) half_norms: &'a [f32; COLUMNS],
    /// Row number of every candidate.
    pub(super) rows: &'a [u32; COLUMNS],
}

impl Panels {
    /// Packs all rows as one group.
    pub(super) fn of_all(rows: &Rows<'_>) -> Self {
        let order: Vec<u32> = (0..rows.count() as u32).collect();
        Self::of_groups(rows, &order, &[0, order.len()])
    }

    /// Packs the rows `order[bounds[g]..bounds[g + 1]]` as group `g`.
    pub(super) fn of_groups(rows: &Rows<'_>, order: &[u32], bounds: &[usize]) -> Self {
        let width = rows.width();
        let mut starts = vec![0];
        let mut panels = 0;
        for pair in bounds.windows(2) {
            panels += (pair[1] - pair[0]).div_ceil(COLUMNS);
            starts.push(panels);
        }
        let mut packed = Self {
            width,
            values: vec![0.0; panels * width * COLUMNS],
            half_norms: vec![[f32::INFINITY; COLUMNS]; panels],
            rows: vec![[NOBODY; COLUMNS]; panels],
            starts,
        };
        let members: Vec<&[u32]> = bounds
            .windows(2)
            .flat_map(|pair| order[pair[0]..pair[1]].chunks(COLUMNS))
            .collect();
        if width == 0 {
            packed.half_norms.fill([0.0; COLUMNS]);
        }
        let sides = packed.half_norms.par_iter_mut().zip(&mut packed.rows);
        members
            .par_iter()
            .zip(sides)
            .for_each(|(members, (half_norms, names))| {
                names[..members.len()].copy_from_slice(members);
                half_norms[members.len()..].fill(f32::INFINITY);
            });
        packed
            .values
            .par_chunks_mut((width * COLUMNS).max(1))
            .zip(members.par_iter().zip(&mut packed.half_norms))
            .for_each_init(
                || vec![0.0; width],
                |row, (values, (members, half_norms))| {
                    for (column, &member) in members.iter().enumerate() {
                        rows.centred(member as usize, row);
                        let places = values.iter_mut().skip(column).step_by(COLUMNS);
                        for (place, &value) in places.zip(row.iter()) {
                            *place = value;
                        }
                    }
                    let mut sums = [0.0_f32; COLUMNS];
                    for line in values.as_chunks::<COLUMNS>().0 {
                        for (sum, &value) in sums.iter_mut().zip(line) {
                            *sum += value * value;
                        }
                    }
                    for (half, &sum) in half_norms.iter_mut().zip(&sums).take(members.len()) {
                        *half = rows.half_norm(sum);
                    }
                },
            );
        packed
    }

    /// The number of groups.
    pub(super) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The panels of a group.
    pub(super) fn group(&self, group: usize) -> impl Iterator<Item = Panel<'_>> {
        match (self.starts.get(group), self.starts.get(group + 1)) {
            (Some(&start), Some(&end)) => self.between(start..end),
            _ => self.between(0..0),
        }
    }

    /// The panels of all groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = Panel<'_>> {
        self.between(0..self.rows.len())
    }

    fn between(&self, range: Range<usize>) -> impl Iterator<Item = Panel<'_>> {
        let size = self.width * COLUMNS;
        range.map(move |panel| Panel {
            values: &self.values[panel * size..(panel + 1) * size],
            half_norms: &self.half_norms[panel],
            rows: &self.rows[panel],
        })
    }
}
