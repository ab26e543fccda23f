//! Layouts through training: every epoch is laid out anew, held near the epoch before.

use std::collections::{BTreeSet, HashMap};

use arrow_array::{BooleanArray, RecordBatch};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::groups::Per;
use super::layer::{Key, Layer};
use super::place::{Counts, Stage};
use super::publish::{self, Finished, Target};
use super::reduction::{Reduction, nothing_to_do};
use super::source::Source;
use super::status::Reducing;
use crate::reduce::{Pacmap, PacmapParams, Projection, Reducer, Watch};
use crate::run::{FittedOn, PassRecord, ProjectionInfo, ProjectionModel, RunReader};
use crate::{Error, Result};

/// A method whose layout can start from given places and be held near them.
pub trait Follow: Reducer {
    /// Lays rows out as [`Reducer::fit_watched`] does, starting from `previous` and paying for the
    /// distance from it.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`; `previous` `[rows, dims]`, finite; `penalty` 0 or more, the price of a
    /// squared distance in the units of the method.
    ///
    /// # Errors
    /// Those of [`Reducer::fit_watched`].
    fn follow(
        &self,
        x: ArrayView2<'_, f32>,
        previous: ArrayView2<'_, f32>,
        penalty: f32,
        watch: &Watch<'_>,
    ) -> Result<(Self::Fitted, Array2<f32>)>;
}

impl Follow for PacmapParams {
    /// [`PacmapParams::follow`]: 100 iterations of the last phase, `penalty |y - previous|^2` added
    /// to the loss of every row.
    fn follow(
        &self,
        x: ArrayView2<'_, f32>,
        previous: ArrayView2<'_, f32>,
        penalty: f32,
        watch: &Watch<'_>,
    ) -> Result<(Pacmap, Array2<f32>)> {
        let params = self.clone().follow(previous.to_owned(), penalty);
        params.fit_watched(x, watch)
    }
}

/// What stays of the epochs that were laid out.
struct Course<M> {
    /// Where every sample was last.
    places: HashMap<Key, Vec<f32>>,
    /// The projection of the last epoch.
    last: Option<(M, FittedOn)>,
    stage: Option<(Target, Stage)>,
    /// Rows, all not finite, of epochs before the first layout.
    waiting: Vec<(RecordBatch, Vec<bool>)>,
    counts: Counts,
}

impl Reduction<'_> {
    /// Lays out every epoch anew, each starting from the one before and held near it, so that an
    /// animation through the epochs is smooth.
    ///
    /// A single fit ([`Reduction::reduce`]) shows early epochs as the last one would see them; this
    /// shows each as it was. All splits of an epoch are laid out together. A sample starts where it
    /// last was, a new one where the projection of the epoch before puts it.
    ///
    /// Writes the table `projections/<column>-<method>-aligned` and, as its model, the projection of
    /// the last epoch, which places later passes. Passes without an epoch are left out.
    /// [`Run::movement`](crate::run::Run::movement) tells how far samples move.
    ///
    /// # Shapes and units
    /// `penalty` 0 or more: the price of a squared distance from the last place, in the units of
    /// the method; 0 only starts from there.
    ///
    /// # Memory
    /// The embeddings of one epoch, and one place per sample.
    ///
    /// # Errors
    /// Those of [`Reduction::reduce`]; `InvalidArgument` for a penalty that is negative or not
    /// finite, and together with [`Reduction::per`].
    pub fn reduce_aligned(self, method: &impl Follow, penalty: f32) -> Result<ProjectionInfo> {
        self.check_aligned(penalty)?;
        let status = Reducing::begin(self.run)?;
        let reader = self.run.reader()?;
        let source = Source::find(&reader, self.column, self.stream)?;
        let mut passes = self.passes(&source);
        passes.retain(|pass| pass.epoch.is_some());
        let finished = self.follow_epochs((&reader, &source), &passes, method, penalty)?;
        let info = self.conclude(&source, vec![finished], &passes)?.pop();
        status.end()?;
        info.ok_or_else(nothing_to_do)
    }

    fn check_aligned(&self, penalty: f32) -> Result<()> {
        if !(penalty.is_finite() && penalty >= 0.0) {
            return Err(Error::invalid(
                "penalty",
                penalty,
                "it is the price of a distance",
                "give 0 or more",
            ));
        }
        if self.per != Per::Run {
            return Err(Error::invalid(
                "per",
                format!("{:?}", self.per),
                "the splits of an epoch are laid out together",
                "name one split or table, and reduce once for each",
            ));
        }
        Ok(())
    }

    fn follow_epochs<F: Follow>(
        &self,
        (reader, source): (&RunReader, &Source<'_>),
        passes: &[PassRecord],
        method: &F,
        penalty: f32,
    ) -> Result<Finished> {
        let epochs: BTreeSet<i64> = passes.iter().filter_map(|pass| pass.epoch).collect();
        if epochs.is_empty() {
            source.candidates(&[], self.fit_on)?; // the error that there is nothing
        }
        let mut course = Course {
            places: HashMap::new(),
            last: None,
            stage: None,
            waiting: Vec::new(),
            counts: Counts::default(),
        };
        let mut problem = None;
        for epoch in epochs {
            self.check_cancelled()?;
            let mut of_epoch = passes.to_vec();
            of_epoch.retain(|pass| pass.epoch == Some(epoch));
            let what = format!("`{}` of epoch {epoch}", self.column);
            let batches = source.of_epoch(self.filter.split.as_deref(), epoch)?;
            let mut layer = Layer::read(batches, &of_epoch, &what)?;
            problem = problem.or(layer.not_finite.take());
            let coordinates = match layer.keys.is_empty() {
                true => None,
                false => Some(self.lay_out(&mut course, &layer, &of_epoch, method, penalty)?),
            };
            self.write_layer((reader, source), &mut course, layer, coordinates)?;
        }
        let nothing = || problem.unwrap_or_else(|| no_rows(self.column));
        let (Some((model, fitted_on)), Some((target, stage))) = (course.last, course.stage) else {
            return Err(nothing());
        };
        let (method, dims) = (model.method(), model.dims());
        let mut info = publish::info(&target, source, method, dims, passes.len(), course.counts);
        info.aligned = true;
        info.models.push(ProjectionModel {
            fitted_on: Some(fitted_on),
            ..ProjectionModel::default()
        });
        let files = vec![Some(model.to_bytes()?)];
        let staged = stage.finish()?.ok_or_else(|| no_rows(self.column))?;
        Ok(Finished {
            target,
            info,
            files,
            staged,
        })
    }

    /// The coordinates of the finite rows of an epoch.
    fn lay_out<F: Follow>(
        &self,
        course: &mut Course<F::Fitted>,
        layer: &Layer,
        passes: &[PassRecord],
        method: &F,
        penalty: f32,
    ) -> Result<Array2<f32>> {
        let chosen = layer.chosen(self.bound()?);
        let sampled = chosen.len() < layer.keys.len();
        let sample = sampled.then(|| layer.embeddings.select(Axis(0), &chosen));
        let x = sample.as_ref().unwrap_or(&layer.embeddings);
        let (model, fitted) = match &course.last {
            None => method.fit_watched(x.view(), &self.watch())?,
            Some((before, _)) => {
                let previous = previous(&course.places, before, layer, &chosen)?;
                method.follow(x.view(), previous.view(), penalty, &self.watch())?
            }
        };
        let mut coordinates = fitted;
        if sampled {
            let fitted = coordinates;
            coordinates =
                model.transform_watched(layer.embeddings.view(), &self.watch().quiet())?;
            for (&row, place) in chosen.iter().zip(fitted.outer_iter()) {
                coordinates.row_mut(row).assign(&place);
            }
        }
        for (key, place) in layer.keys.iter().zip(coordinates.outer_iter()) {
            course.places.insert(key.clone(), place.to_vec());
        }
        let (pass_id, split) = match passes {
            [one] => (one.pass_id.clone(), one.split.clone()),
            _ => Default::default(),
        };
        let fitted_on = FittedOn {
            pass_id,
            split,
            epoch: passes.first().and_then(|pass| pass.epoch),
            rows: chosen.len() as u64,
        };
        course.last = Some((model, fitted_on));
        Ok(coordinates)
    }

    /// Writes the rows of an epoch, and those that waited for the first layout.
    fn write_layer<M: Projection>(
        &self,
        (reader, source): (&RunReader, &Source<'_>),
        course: &mut Course<M>,
        layer: Layer,
        coordinates: Option<Array2<f32>>,
    ) -> Result<()> {
        course.counts.add(layer.counts);
        course.waiting.extend(layer.batches);
        let Some((model, _)) = &course.last else {
            return Ok(());
        };
        if course.stage.is_none() {
            let part = match &self.name {
                Some(name) => name.clone(),
                None => format!("{}-aligned", model.method()),
            };
            let target = Target::new(reader, source, &part)?;
            let stage = target.stage(self.run, model.dims());
            course.stage = Some((target, stage));
        }
        let Some((_, stage)) = &mut course.stage else {
            return Ok(());
        };
        let mut next = coordinates.iter().flat_map(|placed| placed.outer_iter());
        for (keys, finite) in course.waiting.drain(..) {
            let mut places = Array2::zeros((finite.len(), model.dims()));
            for (mut place, _) in places.outer_iter_mut().zip(&finite).filter(|(_, f)| **f) {
                if let Some(known) = next.next() {
                    place.assign(&known);
                }
            }
            let all = BooleanArray::from(vec![true; finite.len()]);
            stage.write_rows(&keys, &finite, &all, &places)?;
        }
        Ok(())
    }
}

/// Where rows were last; one that is new lies where the projection of the last epoch puts it.
fn previous(
    places: &HashMap<Key, Vec<f32>>,
    before: &impl Projection,
    layer: &Layer,
    chosen: &[usize],
) -> Result<Array2<f32>> {
    let mut previous = Array2::zeros((chosen.len(), before.dims()));
    let mut new = Vec::new();
    for (index, &row) in chosen.iter().enumerate() {
        match places.get(&layer.keys[row]) {
            Some(known) => previous.row_mut(index).assign(&ArrayView1::from(known)),
            None => new.push((index, row)),
        }
    }
    if !new.is_empty() {
        let rows: Vec<usize> = new.iter().map(|&(_, row)| row).collect();
        let placed = before.transform(layer.embeddings.select(Axis(0), &rows).view())?;
        for (&(index, _), place) in new.iter().zip(placed.outer_iter()) {
            previous.row_mut(index).assign(&place);
        }
    }
    Ok(previous)
}

fn no_rows(column: &str) -> Error {
    Error::invalid(
        "column",
        column,
        "no row has an embedding",
        "collect a pass with embeddings first; their vectors may have been dropped",
    )
}
