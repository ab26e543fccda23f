//! Making a reduction visible: models, tables of coordinates, then the run's records.

use ulid::Ulid;

use super::place::{Counts, Stage, Staged};
use super::source::Source;
use crate::run::{ProjectionInfo, ProjectionModel, Run, RunReader, now_us, projection_location};
use crate::storage::{Location, names};
use crate::{Error, Result};

/// Where the result of one parameter set goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `<column>-<part>`, the folder's name.
    pub(super) name: String,
    /// The method, or the name that the reduction was given.
    pub(super) part: String,
}

/// A reduction that is whole and that nobody sees yet.
pub(super) struct Finished {
    pub(super) target: Target,
    /// All but the version, and the addresses of new models.
    pub(super) info: ProjectionInfo,
    /// The new models as files, by their place in `info.models`; `None` for one that has an address.
    pub(super) files: Vec<Option<Vec<u8>>>,
    pub(super) staged: Staged,
}

impl Target {
    /// # Errors
    /// `InvalidArgument` when another column or stream has the folder.
    pub(super) fn new(reader: &RunReader, source: &Source<'_>, part: &str) -> Result<Self> {
        let name = format!("{}-{}", names::slug(source.column())?, names::slug(part)?);
        let taken = reader.projections().iter().find(|known| {
            known.name == name
                && (known.column != source.column() || known.stream != source.stream())
        });
        match taken {
            None => Ok(Self {
                name,
                part: part.to_owned(),
            }),
            Some(other) => Err(Error::invalid(
                "name",
                part,
                format!(
                    "the folder `{name}` holds the coordinates of `{}` of stream `{}`",
                    other.column, other.stream
                ),
                "give this reduction another name with `named`",
            )),
        }
    }

    pub(super) fn stage(&self, run: &Run, dims: usize) -> Stage {
        Stage::new(projection_location(run.location(), &self.name), dims)
    }
}

/// The record of a reduction without its models.
pub(super) fn info(
    target: &Target,
    source: &Source<'_>,
    method: &str,
    dims: usize,
    passes: usize,
    counts: Counts,
) -> ProjectionInfo {
    ProjectionInfo {
        name: target.name.clone(),
        column: source.column().to_owned(),
        stream: source.stream().to_owned(),
        method: method.to_owned(),
        dims,
        version: 0,
        passes: passes as u64,
        rows: counts.rows,
        rows_not_finite: counts.not_finite,
        rows_without_embedding: counts.without,
        instances: source.kind().has_instances(),
        aligned: false,
        models: Vec::new(),
        finished_us: now_us(),
    }
}

/// Publishes all: every model, then every table in one commit each, then the records.
pub(super) fn publish(run: &Run, mut all: Vec<Finished>) -> Result<Vec<ProjectionInfo>> {
    for finished in &mut all {
        create_models(run, finished)?;
    }
    for finished in &mut all {
        finished.info.version = commit(run, finished)?;
        finished.info.finished_us = now_us();
    }
    for finished in &all {
        record(run, finished)?;
    }
    Ok(all.into_iter().map(|finished| finished.info).collect())
}

fn create_models(run: &Run, finished: &mut Finished) -> Result<()> {
    let models = finished.info.models.iter_mut();
    for (model, file) in models.zip(&mut finished.files) {
        if let Some(bytes) = file.take() {
            let id = Ulid::new().to_string().to_ascii_lowercase();
            let name = format!("{}-{id}.bin", finished.target.name);
            let place = run.location().join("models").join(&name);
            create(&place, bytes)?;
            model.url = run.project().relative(&place.url());
        }
    }
    Ok(())
}

fn create(place: &Location, bytes: Vec<u8>) -> Result<()> {
    if place.create(bytes)? {
        return Ok(());
    }
    Err(Error::AlreadyExists {
        what: "model",
        name: place.name(),
        hint: "reduce again".into(),
        place: place.url(),
    })
}

/// Makes the coordinates the content of the table, in one commit; its version.
///
/// A process whose run another one has taken up is refused.
fn commit(run: &Run, finished: &mut Finished) -> Result<u64> {
    let table = run.projection_table(&finished.target.name);
    let staged = &mut finished.staged;
    let table = table.open_or_create(&staged.schema)?;
    let id = Ulid::new().to_string().to_ascii_lowercase();
    let committed = table.replace_all(&id, &staged.files, &staged.schema);
    // Of a commit that was refused nothing is there, and after another error its outcome is unknown:
    // then the files must stay.
    if !matches!(committed, Err(Error::Fenced { .. })) {
        staged.files.clear();
    }
    committed
}

fn record(run: &Run, finished: &Finished) -> Result<()> {
    let (info, part) = (&finished.info, &finished.target.part);
    if info.rows_not_finite > 0 {
        tracing::warn!(
            run = run.id(),
            projection = info.name,
            rows = info.rows_not_finite,
            "embeddings that are not finite have no coordinates"
        );
    }
    run.add_projection(info)?;
    let table = &finished.staged.folder;
    run.add_output(
        &format!("projections of {} by {part}", info.column),
        &table.url(),
    )?;
    let own = format!("{}/", run.project().relative(&run.url()));
    for model in info
        .models
        .iter()
        .filter(|model| model.url.starts_with(&own))
    {
        run.add_output(&model_output(info, part, model), &model.url)?;
    }
    Ok(())
}

fn model_output(info: &ProjectionInfo, part: &str, model: &ProjectionModel) -> String {
    let of = match (&model.split, &model.table) {
        (Some(split), _) => format!(" for split {split}"),
        (None, Some(table)) if table.is_empty() => " for no table".to_owned(),
        (None, Some(table)) => format!(" for {table}"),
        (None, None) => String::new(),
    };
    format!("model of {} by {part}{of}", info.column)
}
