//! Reducing the embeddings of a run: in the run itself, or into a file that leaves it as it is.

use std::path::Path;

use emberlens::embedding::FitOn;
use emberlens::run::{PassRecord, Project, ProjectionInfo, Run, RunReader, Status};
use emberlens::{Error, Result};
use ndarray::CowArray;

use super::outcome::{self, OutFormat, Outcome};
use super::place::Watcher;
use super::source::{self, Learnt, finite, finite_of_pass};
use super::{COLUMN, Clock, Reduce, labels, read_model};
use crate::output::existing;
use crate::print::Report;

impl Reduce {
    pub(super) fn of_run(
        &self,
        reader: &RunReader,
        format: Option<OutFormat>,
        watcher: &Watcher<'_>,
    ) -> Result<Report> {
        if let Some(labels) = &self.labels {
            return Err(Error::invalid(
                "--labels",
                labels,
                "the classes of a run are those of the table it joins",
                "leave it out",
            ));
        }
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
            (Some(path), Some(format)) => self.write_file(reader, column, (path, format), watcher),
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
            Some(path) => reduction.apply(read_model(path, self.threads())?.as_ref()),
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
        let column = reader.embedding_column(&info.column, Some(&info.stream))?;
        let fitted = info.fitted_on().map(|fitted| fitted.pass_id.as_str());
        let Some(pass) = pass_to_measure(reader, &info.stream, fitted) else {
            return Ok(());
        };
        let (x, ids) = finite_of_pass(&column.cancel(watcher.cancel), &pass)?;
        let placed = reader
            .projection(&info.name)
            .split(&pass.split)
            .epoch(pass.epoch);
        let y = finite(placed.matrix()?);
        let labels = labels::of_examples(reader, &pass, &ids, &mut outcome.notes);
        self.measure(
            (x.view(), y.view()),
            labels.as_deref(),
            true,
            watcher,
            outcome,
        )
    }

    /// Writes coordinates with their keys to a file; the run stays as it is.
    ///
    /// # Memory
    /// The embeddings of the pass that is fitted, one batch of the others, all coordinates and keys.
    fn write_file(
        &self,
        reader: &RunReader,
        column: &str,
        (path, format): (&Path, OutFormat),
        watcher: &Watcher<'_>,
    ) -> Result<Report> {
        let mut clock = Clock::start();
        let mut outcome = Outcome::new(&self.input, "run", (0, 0));
        let column = reader.embedding_column(column, self.stream.as_deref())?;
        let column = column.cancel(watcher.cancel);
        let (model, learnt) = match &self.with {
            Some(path) => (read_model(path, self.threads())?, None),
            None => {
                let sample = self.fit_sample.map(|rows| (rows, self.seed));
                let mut rows = column.rows_to_fit(FitOn::Latest, sample)?;
                let reducer = self.settings().reducer();
                let x = CowArray::from(std::mem::take(&mut rows.embeddings));
                let (model, coordinates, count) = watcher.fit(x, &reducer, None, self.seed)?;
                outcome.fitted_rows = Some(count);
                (model.0, Some(Learnt { rows, coordinates }))
            }
        };
        let placed = source::place(&column, model.as_ref(), learnt.as_ref(), &watcher.quiet())?;
        outcome.shape = (placed.coordinates.nrows(), model.width());
        outcome.projection(model.as_ref());
        outcome.seconds.push(("reduce", clock.lap()));
        watcher.check("the reduction")?;
        let existing = existing(self.force);
        let coordinates = placed.coordinates.view();
        outcome::write(path, format, &placed.keys, coordinates, existing)?;
        self.keep(model.as_ref(), &mut outcome)?;
        outcome.output = Some(path.to_owned());
        outcome.seconds.push(("write", clock.lap()));
        if self.quality {
            let learnt = learnt.as_ref().map(|learnt| &*learnt.rows.pass.pass_id);
            if let Some(pass) = pass_to_measure(reader, column.stream(), learnt) {
                let ((x, ids), y) = (finite_of_pass(&column, &pass)?, placed.of_pass(&pass)?);
                let labels = labels::of_examples(reader, &pass, &ids, &mut outcome.notes);
                let places = (x.view(), y.view());
                self.measure(places, labels.as_deref(), true, watcher, &mut outcome)?;
                outcome.seconds.push(("measure", clock.lap()));
            }
        }
        Ok(outcome.report())
    }
}

/// The pass that was learnt from, or the last one.
fn pass_to_measure(reader: &RunReader, stream: &str, learnt: Option<&str>) -> Option<PassRecord> {
    let mut passes = reader.passes(stream);
    let known = passes.iter().position(|pass| learnt == Some(&pass.pass_id));
    match known {
        Some(known) => Some(passes.swap_remove(known)),
        None => passes.pop(),
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
