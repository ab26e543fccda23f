//! The course of a reduction: fit every group, place every row, publish.

use std::collections::HashSet;

use super::fit::ParameterSet;
use super::groups::{Group, groups};
use super::place::{Counts, Placement, Stage};
use super::publish::{self, Finished, Target, publish};
use super::reduction::{Reduction, nothing_to_do};
use super::source::Source;
use super::status::Reducing;
use super::vectors;
use crate::reduce::Projection;
use crate::run::{FittedOn, PassRecord, ProjectionInfo, ProjectionModel, RunReader};
use crate::{Error, Result};

impl Reduction<'_> {
    /// Fits and places; the run shows as reducing meanwhile.
    pub(super) fn work(&self, sets: &[ParameterSet<'_>]) -> Result<Vec<ProjectionInfo>> {
        if sets.is_empty() {
            return Err(nothing_to_do());
        }
        let status = Reducing::begin(self.run)?;
        let reader = self.run.reader()?;
        let source = Source::find(&reader, self.column, self.stream)?;
        for (name, _) in sets {
            if let Some(name) = name {
                Target::new(&reader, &source, name)?;
            }
        }
        let mut placements = Vec::new();
        for group in self.groups(&source)? {
            self.check_cancelled()?;
            let (models, fitted) = self.fit_group(&source, &group, sets)?;
            placements.push(Placement {
                group,
                models,
                fitted: Some(fitted),
            });
        }
        let names: Vec<Option<String>> = sets.iter().map(|(name, _)| name.clone()).collect();
        let finished = self.finish(&reader, &source, &placements, &names, None)?;
        let infos = self.conclude(&source, finished, &self.passes(&source))?;
        status.end()?;
        Ok(infos)
    }

    /// The passes that the filter leaves, by the projection they share.
    fn groups(&self, source: &Source<'_>) -> Result<Vec<Group>> {
        let groups = groups(self.per, self.passes(source));
        if groups.is_empty() {
            source.candidates(&[], self.fit_on)?; // the error that there is nothing
        }
        Ok(groups)
    }

    /// The complete passes that the filter leaves.
    pub(super) fn passes(&self, source: &Source<'_>) -> Vec<PassRecord> {
        let mut passes = source.passes();
        passes.retain(|pass| self.filter.holds(pass));
        passes
    }

    /// Places all rows by all parameter sets; `url` is the address of a model that has one.
    pub(super) fn finish(
        &self,
        reader: &RunReader,
        source: &Source<'_>,
        placements: &[Placement],
        names: &[Option<String>],
        url: Option<&str>,
    ) -> Result<Vec<Finished>> {
        let first = placements.first().ok_or_else(nothing_to_do)?;
        let mut targets: Vec<Target> = Vec::new();
        let mut stages = Vec::new();
        for (model, name) in first.models.iter().zip(names) {
            let part = name.as_deref().unwrap_or(model.method());
            let target = Target::new(reader, source, part)?;
            if targets.iter().any(|known| known.name == target.name) {
                return Err(Error::invalid(
                    "name",
                    part,
                    "two results have it, or one that makes the same folder",
                    "give every set of parameters a name of its own",
                ));
            }
            stages.push(target.stage(self.run, model.dims()));
            targets.push(target);
        }
        for placement in placements {
            check_dims(first, placement)?;
        }
        let counts = self.place(source, placements, &mut stages)?;
        let sets = targets.into_iter().zip(stages).enumerate();
        sets.map(|(set, (target, stage))| {
            self.finish_set(source, placements, (set, target, stage), counts, url)
        })
        .collect()
    }

    fn finish_set(
        &self,
        source: &Source<'_>,
        placements: &[Placement],
        (set, target, stage): (usize, Target, Stage),
        counts: Counts,
        url: Option<&str>,
    ) -> Result<Finished> {
        let first = placements.first().and_then(|first| first.models.get(set));
        let first = first.ok_or_else(nothing_to_do)?;
        let passes = placements
            .iter()
            .map(|placement| placement.group.passes.len());
        let (method, dims) = (first.method(), first.dims());
        let mut info = publish::info(&target, source, method, dims, passes.sum(), counts);
        let mut files = Vec::new();
        for placement in placements {
            if let Some(model) = placement.models.get(set) {
                info.models.push(described(placement, model.as_ref(), url));
                files.push(match url {
                    Some(_) => None,
                    None => Some(model.to_bytes()?),
                });
            }
        }
        let staged = stage.finish()?.ok_or_else(|| {
            Error::invalid(
                "column",
                self.column,
                "no row has an embedding",
                "collect a pass with embeddings first; their vectors may have been dropped",
            )
        })?;
        Ok(Finished {
            target,
            info,
            files,
            staged,
        })
    }

    /// Publishes, then lets go of the vectors where that is asked for.
    pub(super) fn conclude(
        &self,
        source: &Source<'_>,
        finished: Vec<Finished>,
        placed: &[PassRecord],
    ) -> Result<Vec<ProjectionInfo>> {
        let infos = publish(self.run, finished)?;
        if !self.keep_vectors {
            let ids = placed.iter().flat_map(PassRecord::stored);
            let placed: HashSet<String> = ids.map(|(id, _)| id.to_owned()).collect();
            vectors::drop_vectors(self.run, source, &placed)?;
        }
        Ok(infos)
    }
}

/// All groups of a table of coordinates have the same axes.
fn check_dims(first: &Placement, other: &Placement) -> Result<()> {
    for (one, two) in first.models.iter().zip(&other.models) {
        if one.dims() != two.dims() {
            return Err(Error::invalid(
                "dims",
                two.dims(),
                format!("the projection of another group has {}", one.dims()),
                "reduce the groups one by one, under different names",
            ));
        }
    }
    Ok(())
}

fn described(placement: &Placement, model: &dyn Projection, url: Option<&str>) -> ProjectionModel {
    ProjectionModel {
        url: url.unwrap_or_default().to_owned(),
        split: placement.group.split.clone(),
        table: placement.group.table.clone(),
        fitted_on: placement.fitted.as_ref().map(|fitted| FittedOn {
            pass_id: fitted.pass.pass_id.clone(),
            split: fitted.pass.split.clone(),
            epoch: fitted.pass.epoch,
            rows: fitted.ordinals.len() as u64,
        }),
        explained_variance_ratio: model.explained_variance_ratio().map(<[f64]>::to_vec),
    }
}
