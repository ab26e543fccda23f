//! Reducing the embeddings of a run: in the run itself, or into a file that leaves it as it is.

use std::path::Path;

use emberlens::run::{PassRecord, Project, ProjectionInfo, Run, RunReader, Status};
use emberlens::{Error, Result};
use ndarray::{Array2, Axis};

use super::outcome::{self, OutFormat, Outcome};
use super::place::Watcher;
use super::source::{Source, finite, rows_of_pass};
use super::{COLUMN, Clock, Reduce, read_model};
use crate::output::{existing, name_force};
use crate::print::Report;

impl Reduce {
    pub(super) fn of_run(
        &self,
        reader: &RunReader,
        format: Option<OutFormat>,
        watcher: &Watcher<'_>,
    ) -> Result<Report> {
        let column = match self.column.as_slice() {
            [] => COLUMN,
            [one] => one.as_str(),
            several => {
                return Err(Error::invalid(
                    "--column",
                    several.join(","),
                    "one column of a run is reduced at a time",
                    "name one",
                ));
            }
        };
        match (&self.output, format) {
            (Some(path), Some(format)) => {
                let source = Source::find(reader, column, self.stream.as_deref())?;
                self.write_file(&source, path, format, watcher)
            }
            _ => self.in_run(reader, column, watcher),
        }
    }

    /// Writes the run's projections; its status is afterwards what it was.
    fn in_run(&self, reader: &RunReader, column: &str, watcher: &Watcher<'_>) -> Result<Report> {
        let mut clock = Clock::start();
        let before = match reader.status() {
            Status::Crashed => Status::Failed("its process ended without a word".into()),
            status if status.is_active() => return Err(is_written(reader)),
            status => status.clone(),
        };
        let project = reader.project_location();
        let root = project
            .parent()
            .ok_or_else(|| Error::user("a project lies in a folder"))?;
        let run = Project::at(root, &project.name())?.resume_run(reader.id())?;
        let reduced = self.reduce_run(&run, column, watcher);
        let ended = run.set_status(before);
        let info = reduced?;
        ended?;
        let seconds = clock.lap();
        let reader = run.reader()?;
        let mut outcome = Outcome::new(&self.input, "run", (info.rows as usize, 0));
        outcome.seconds.push(("reduce", seconds));
        outcome.fitted_rows = info.fitted_on().map(|fitted| fitted.rows as usize);
        if let Some(model) = info.models.first() {
            let model = reader.projection_model(model)?;
            outcome.shape.1 = model.width();
            outcome.projection(model.as_ref());
            self.keep(model.as_ref(), &mut outcome)?;
        }
        outcome.table = Some((
            info.name.clone(),
            reader.projection(&info.name).location().url(),
        ));
        if info.rows_without_embedding > 0 {
            let rows = info.rows_without_embedding;
            outcome.notes.push(format!(
                "{rows} rows have no embedding, and so no coordinates"
            ));
        }
        if info.rows_not_finite > 0 {
            let rows = info.rows_not_finite;
            let text = format!("{rows} rows hold NaN or infinities; their coordinates are null");
            outcome.notes.push(text);
        }
        if self.quality {
            self.measure_run(&reader, &info, watcher, &mut outcome)?;
        }
        Ok(outcome.report())
    }

    fn reduce_run(&self, run: &Run, column: &str, watcher: &Watcher<'_>) -> Result<ProjectionInfo> {
        let mut reduction = run
            .reduction(column)
            .sample_seed(self.seed)
            .progress(watcher.progress)
            .cancel(watcher.cancel);
        if let Some(stream) = &self.stream {
            reduction = reduction.stream(stream);
        }
        if let Some(rows) = self.fit_sample {
            reduction = reduction.fit_sample(rows);
        }
        match &self.with {
            Some(path) => reduction.apply(read_model(path)?.as_ref()),
            None => reduction.reduce(&self.settings().reducer()),
        }
    }

    /// Measures the pass that was fitted, or the last one.
    fn measure_run(
        &self,
        reader: &RunReader,
        info: &ProjectionInfo,
        watcher: &Watcher<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let source = Source::find(reader, &info.column, Some(&info.stream))?;
        let fitted = info.fitted_on();
        let passes = reader.passes(&info.stream);
        let of = |pass: &&PassRecord| fitted.is_some_and(|fitted| fitted.pass_id == pass.pass_id);
        let Some(pass) = passes.iter().find(of).or(passes.last()) else {
            return Ok(());
        };
        let (x, _) = finite(source.read(source.of_pass(pass), watcher)?.matrix);
        let placed = reader
            .projection(&info.name)
            .split(&pass.split)
            .epoch(pass.epoch);
        let (y, _) = finite(placed.matrix()?);
        self.measure(x.view(), y.view(), watcher, outcome)
    }

    /// Writes coordinates with their keys to a file; the run stays as it is.
    ///
    /// # Memory
    /// The embeddings of the pass that is fitted, one batch of the others, all coordinates.
    fn write_file(
        &self,
        source: &Source<'_>,
        path: &Path,
        format: OutFormat,
        watcher: &Watcher<'_>,
    ) -> Result<Report> {
        let mut clock = Clock::start();
        let mut outcome = Outcome::new(&self.input, "run", (0, 0));
        let (model, fitted) = match &self.with {
            Some(path) => (read_model(path)?, None),
            None => {
                let pass = source.pass_to_fit()?;
                let (x, _) = finite(source.read(source.of_pass(&pass), watcher)?.matrix);
                let (model, coordinates) = self.fit(x.view(), watcher, &mut outcome)?;
                if self.quality {
                    self.measure(x.view(), coordinates.view(), watcher, &mut outcome)?;
                }
                (model, Some((pass.pass_id, coordinates)))
            }
        };
        let (mut keys, mut pieces) = (Vec::new(), Vec::new());
        let mut fitted_rows = 0..fitted.as_ref().map_or(0, |(_, own)| own.nrows());
        for rows in source.batches(source.metrics())? {
            watcher.check("placing rows")?;
            let rows = rows?;
            if rows.matrix.is_empty() {
                continue; // no row of this batch has a vector
            }
            let mut piece = Array2::from_elem((rows.matrix.nrows(), model.dims()), f32::NAN);
            let of_pass = match &fitted {
                Some((pass, _)) => rows_of_pass(&rows.keys, pass),
                None => Vec::new(),
            };
            let (x, numbers) = finite(rows.matrix);
            let placed = model.transform_watched(x.view(), &watcher.quiet())?;
            for (&row, place) in numbers.iter().zip(placed.outer_iter()) {
                // Methods that optimise coordinates place a fitted row elsewhere than they left it.
                let own = match of_pass.get(row) {
                    Some(true) => fitted_rows.next(),
                    _ => None,
                };
                match (own, &fitted) {
                    (Some(own), Some((_, fitted))) => piece.row_mut(row).assign(&fitted.row(own)),
                    _ => piece.row_mut(row).assign(&place),
                }
            }
            pieces.push(piece);
            keys.extend(rows.keys);
        }
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
        let coordinates = match pieces.is_empty() {
            true => Array2::zeros((0, model.dims())),
            false => ndarray::concatenate(Axis(0), &pieces)
                .map_err(|error| Error::storage("joining rows", &*source.place, error))?,
        };
        outcome.shape = (coordinates.nrows(), model.width());
        outcome.projection(model.as_ref());
        outcome.seconds.push(("reduce", clock.lap()));
        let existing = existing(self.force);
        outcome::write(path, format, &keys, coordinates.view(), existing).map_err(name_force)?;
        self.keep(model.as_ref(), &mut outcome)?;
        outcome.output = Some(path.to_owned());
        outcome.seconds.push(("write", clock.lap()));
        Ok(outcome.report())
    }
}

fn is_written(reader: &RunReader) -> Error {
    Error::AlreadyExists {
        what: "run",
        name: reader.id().to_owned(),
        hint: "another process is writing it: wait until it ends, or leave the run as it is and \
               write a file with -o"
            .into(),
        place: reader.url(),
    }
}
