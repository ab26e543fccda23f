//! Rows made ready for many queries.

use ndarray::ArrayView2;

use super::Neighbors;
use super::exact::{self, LeaveOut, STAGE};
use super::lists::{Aim, Lists};
use super::panels::Panels;
use super::rows::Rows;
use super::search::{Method, NeighborSearch};
use crate::Result;
use crate::reduce::Watch;

/// The share of all rows beyond which comparing with all of them is cheaper.
const WORTHWHILE: f64 = 0.4;

/// Rows that a query is compared with at most where that is less than what is worthwhile: the cost of a
/// search then grows as the rows do. Rows without any structure have found fewer neighbours by then than asked for.
const MOST_COMPARED: f64 = 65_536.0;

/// Rows that are searched for the neighbours of others, prepared once.
///
/// ```
/// use emberlens::reduce::{NeighborSearch, Watch};
/// use ndarray::arr2;
///
/// let x = arr2(&[[0.0_f32, 0.0], [1.0, 0.0], [0.0, 3.0]]);
/// let index = NeighborSearch::new(1).index(x.view(), &Watch::default())?;
/// let found = index.query(arr2(&[[0.9_f32, 0.1]]).view(), &Watch::default())?;
/// assert_eq!(found.indices(0), Some(&[1][..]));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Memory
/// A copy of the rows; [`NeighborIndex::into_owned`] makes another.
#[derive(Clone, Debug)]
pub struct NeighborIndex<'a> {
    search: NeighborSearch,
    rows: Rows<'a>,
    panels: Panels,
    lists: Option<Lists>,
}

impl<'a> NeighborIndex<'a> {
    /// Prepares rows for the search; runs on its threads.
    pub(super) fn of(search: &NeighborSearch, rows: Rows<'a>, watch: &Watch<'_>) -> Result<Self> {
        let k = search.k.min(rows.count().saturating_sub(1));
        if let Method::Lists { cells, probes } = search.choose(rows.count(), rows.width()) {
            let mut lists = Lists::learn(&rows, cells, search.seed, watch)?;
            let panels = lists.pack(&rows);
            let aim = match probes {
                Some(probes) => {
                    lists.set_probes(probes, watch)?;
                    None
                }
                None => {
                    let worthwhile = WORTHWHILE * rows.count() as f64;
                    Some(Aim {
                        recall: search.recall,
                        candidates: worthwhile.min(MOST_COMPARED),
                        or_less: worthwhile > MOST_COMPARED,
                    })
                }
            };
            if lists.tune(&rows, &panels, k, aim, search.seed, watch)? {
                return Ok(Self {
                    search: search.clone(),
                    rows,
                    panels,
                    lists: Some(lists),
                });
            }
        }
        Ok(Self {
            search: search.clone(),
            panels: Panels::of_all(&rows),
            rows,
            lists: None,
        })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.count()
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.rows.width()
    }

    /// The share of true neighbours that queries find; 1 where all rows are compared.
    pub fn recall(&self) -> f32 {
        self.lists.as_ref().map_or(1.0, Lists::recall)
    }

    /// Cells that the rows are sorted into and cells that a query looks into; `None` where all rows
    /// are compared.
    pub fn cells_and_probes(&self) -> Option<(usize, usize)> {
        self.lists
            .as_ref()
            .map(|lists| (lists.count(), lists.probes()))
    }

    /// The rows cell by cell, each row once; `None` where all rows are compared.
    pub(in crate::reduce) fn by_cell(&self) -> Option<&[u32]> {
        self.lists.as_ref().map(Lists::by_cell)
    }

    /// The same index, free of the matrix that it was made from.
    pub fn into_owned(self) -> NeighborIndex<'static> {
        NeighborIndex {
            search: self.search,
            rows: self.rows.into_owned(),
            panels: self.panels,
            lists: self.lists,
        }
    }

    /// The `min(k, rows - 1)` nearest of the other rows for every row.
    ///
    /// # Errors
    /// `Interrupted` when the flag was set.
    pub fn among_themselves(&self, watch: &Watch<'_>) -> Result<Neighbors> {
        let k = self.search.k.min(self.rows().saturating_sub(1));
        self.search
            .threads
            .run(|| self.find(&self.rows, k, LeaveOut::Itself, watch))?
    }

    /// Exact neighbours of some of the rows.
    pub(super) fn of_rows(&self, members: &[u32], watch: &Watch<'_>) -> Result<Neighbors> {
        let k = self.search.k.min(self.rows().saturating_sub(1));
        let (rows, panels) = (&self.rows, &self.panels);
        let found = self.search.threads.run(|| {
            watch.stage(STAGE, members.len() as u64, |watch| {
                exact::search(rows, panels, rows, members, k, LeaveOut::Itself, watch)
            })
        })??;
        Ok(Neighbors::new(members.len(), k, found, 1.0))
    }

    /// The `min(k, rows)` nearest rows for every row of `queries`.
    ///
    /// # Shapes and units
    /// `queries` `[any number, width]`. A query's answer does not depend on the queries beside it.
    ///
    /// # Errors
    /// `InvalidArgument` for another width, `NonFinite` naming row and column, `TooLarge` before
    /// memory beyond the limit is asked for, `Interrupted` when the flag was set.
    pub fn query(&self, queries: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Neighbors> {
        self.search
            .threads
            .run(|| self.query_here(queries, watch))?
    }

    /// [`NeighborIndex::query`] on the threads that this runs on.
    pub(in crate::reduce) fn query_here(
        &self,
        queries: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<Neighbors> {
        let k = self.search.k.min(self.rows());
        self.search.check_found(queries.nrows(), k, self.width())?;
        let queries = self.rows.alike(queries, "the queries")?;
        self.find(&queries, k, LeaveOut::Nothing, watch)
    }

    fn find(
        &self,
        queries: &Rows<'_>,
        k: usize,
        leave_out: LeaveOut,
        watch: &Watch<'_>,
    ) -> Result<Neighbors> {
        let (rows, panels) = (&self.rows, &self.panels);
        let found = watch.stage(STAGE, queries.count() as u64, |watch| match &self.lists {
            Some(lists) => {
                let cells = match leave_out {
                    LeaveOut::Itself => None,
                    LeaveOut::Nothing => Some(lists.assign(queries, watch)?),
                };
                let queries = (queries, cells.as_deref());
                lists.search(rows, panels, queries, k, leave_out, watch)
            }
            None => {
                let everyone: Vec<u32> = (0..queries.count() as u32).collect();
                exact::search(rows, panels, queries, &everyone, k, leave_out, watch)
            }
        })?;
        Ok(Neighbors::new(queries.count(), k, found, self.recall()))
    }
}
