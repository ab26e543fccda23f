//! `emberlens reduce`: a matrix, a table or a run's embeddings in a few coordinates.

mod columns;
mod input;
mod labels;
mod method;
mod of_run;
mod outcome;
mod place;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use emberlens::reduce::quality::QualityParams;
use emberlens::reduce::{Projection, Threads, Watch, load};
use emberlens::table::export::{check_writable, whole_file};
use emberlens::{Error, ErrorKind, Result};
use ndarray::{Array2, ArrayView2, CowArray, Ix2};

use self::columns::Rows;
use self::input::Input;
use self::method::{Distance, Method, Settings};
use self::outcome::{OutFormat, Outcome};
use self::place::Watcher;
use crate::bar::Bar;
use crate::find::Place;
use crate::interrupt::on_ctrl_c;
use crate::output::{existing, name_force};
use crate::print::Report;
use crate::skip::SkipCorrupt;
use crate::wrong_usage;

/// The column that is reduced unless another is named.
const COLUMN: &str = "embedding";

/// The arguments of `emberlens reduce`.
#[derive(Args)]
pub struct Reduce {
    /// .npy matrix, Parquet file, Delta table, or run (folder, id, beginning of the id, name)
    #[arg(value_name = "INPUT")]
    input: String,

    /// How to reduce
    #[arg(long, value_enum, default_value_t = Method::Pacmap)]
    method: Method,

    /// Coordinates per row
    #[arg(long, value_name = "N", default_value_t = 2)]
    dims: usize,

    /// Seed; the same one gives the same bits on any number of threads
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Column of vectors, or several columns of numbers separated by commas [default: embedding]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    column: Vec<String>,

    /// Stream of the run that has the column
    #[arg(long)]
    stream: Option<String>,

    /// Neighbours that pacmap and umap look at [default: the method's own]
    #[arg(long, value_name = "K")]
    neighbors: Option<usize>,

    /// Distance between rows for pacmap and umap [default: euclidean]
    #[arg(long, value_enum)]
    metric: Option<Distance>,

    /// Learn from at most N rows, chosen by the seed, and place the others
    #[arg(long, value_name = "N")]
    fit_sample: Option<usize>,

    /// Keep what was learnt in this file
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,

    /// Place the rows by a kept model instead of learning one
    #[arg(
        long,
        value_name = "MODEL",
        conflicts_with_all = ["method", "dims", "seed", "neighbors", "metric", "fit_sample", "save"]
    )]
    with: Option<PathBuf>,

    /// Measure how faithful the coordinates are
    #[arg(long)]
    quality: bool,

    /// Classes for the measures that need them: a column, or another .npy file beside a .npy matrix;
    /// a run has them in its table
    #[arg(long, value_name = "LABELS", requires = "quality")]
    labels: Option<String>,

    /// Threads to work on [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Write the coordinates to this file: .npy or .parquet; without it a run keeps them itself
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace files that exist
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    skip: SkipCorrupt,
}

impl Reduce {
    /// Reduces and says what was done.
    pub fn run(&self, place: &Place) -> Result<Report> {
        self.check_usage();
        self.reduce(place).map_err(name_options)
    }

    fn reduce(&self, place: &Place) -> Result<Report> {
        let format = self.output.as_deref().map(OutFormat::of).transpose()?;
        for path in [&self.output, &self.save].into_iter().flatten() {
            check_writable(path, existing(self.force))?;
        }
        let cancel = on_ctrl_c()?;
        let bar = Bar::new();
        let watcher = Watcher {
            progress: &bar,
            cancel: &cancel,
        };
        let input = Input::find(&self.input, place)?;
        match &input {
            Input::Run(reader) => {
                let reader = self.skip.apply((**reader).clone());
                let mut report = self.of_run(&reader, format, &watcher)?;
                self.skip.tell(&reader, &mut report);
                Ok(report)
            }
            _ if self.skip.skip_corrupt => wrong_usage("--skip-corrupt is for runs"),
            Input::Npy(_) if !self.column.is_empty() => Err(Error::invalid(
                "--column",
                self.column.join(","),
                "a .npy file has no columns to choose from",
                "leave it out: all of the matrix is reduced",
            )),
            _ => self.of_file(&input, format, &watcher),
        }
    }

    /// Ends the process where options contradict each other.
    fn check_usage(&self) {
        let is_pca = self.with.is_none() && self.method == Method::Pca;
        if is_pca && self.neighbors.is_some() {
            wrong_usage("--neighbors is for pacmap and umap: pca looks at no neighbours");
        }
        if is_pca && self.metric.is_some() {
            wrong_usage("--metric is for pacmap and umap: pca keeps euclidean distances");
        }
        if self.skip.skip_corrupt && self.output.is_none() {
            wrong_usage(
                "--skip-corrupt needs -o FILE: a run keeps the coordinates of all its rows, or none",
            );
        }
        let input = Some(PathBuf::from(&self.input)).filter(|path| path.is_file());
        let labels = self.labels.as_ref().map(PathBuf::from);
        let labels = labels.filter(|path| path.is_file());
        let files = [
            ("INPUT", &input),
            ("--labels", &labels),
            ("-o", &self.output),
            ("--save", &self.save),
            ("--with", &self.with),
        ];
        let files = files.map(|(option, path)| (option, path.as_deref().map(spelled_out)));
        for (place, (option, file)) in files.iter().enumerate() {
            let same = |other: &&(&str, Option<_>)| file.is_some() && other.1 == *file;
            if let Some((other, _)) = files[..place].iter().find(same) {
                wrong_usage(&format!("{other} and {option} name one file"));
            }
        }
        if self.column.iter().any(|column| column.trim().is_empty()) {
            wrong_usage(&format!(
                "--column {:?}: a column has a name; without the option it is {COLUMN}",
                self.column.join(",")
            ));
        }
        if let Some(labels) = self
            .labels
            .as_ref()
            .filter(|labels| labels.trim().is_empty())
        {
            wrong_usage(&format!(
                "--labels {labels:?}: a column or a file has a name"
            ));
        }
        if self.threads == Some(0) {
            wrong_usage("--threads 0: nothing works without a thread; leave it out for all cores");
        }
        if self.fit_sample == Some(0) {
            wrong_usage("--fit-sample 0: nothing can be learnt from no rows");
        }
    }

    fn of_file(
        &self,
        input: &Input,
        format: Option<OutFormat>,
        watcher: &Watcher<'_>,
    ) -> Result<Report> {
        if !self.keeps() && !self.quality {
            wrong_usage("nothing would be kept: say where with -o FILE, or --save MODEL");
        }
        if self.stream.is_some() {
            wrong_usage("--stream is for runs");
        }
        let mut clock = Clock::start();
        let go_on = || watcher.check("reading");
        let columns = self.columns();
        let rows = match input {
            Input::Npy(path) => input::npy_rows(path, &go_on)?,
            Input::Parquet(path) => input::parquet_rows(path, &columns, &go_on)?,
            Input::Delta(snapshot, place) => input::delta_rows(snapshot, place, &columns, &go_on)?,
            // The caller's.
            Input::Run(_) => return Err(Error::user("a run is no file")),
        };
        let Rows {
            mut matrix,
            keys,
            notes,
        } = rows;
        let of_file = |named: &String| labels::of_file(input, named, matrix.nrows(), &go_on);
        let labels = self.labels.as_ref().map(of_file).transpose()?;
        let mut outcome = Outcome::new(&self.input, input.kind(), matrix.dim());
        outcome.notes = notes;
        outcome.seconds.push(("read", clock.lap()));
        let x = match self.quality {
            true => CowArray::from(matrix.view()),
            false => CowArray::from(std::mem::take(&mut matrix)),
        };
        let coordinates = self.coordinates(x, watcher, &mut outcome)?;
        outcome.seconds.push(("reduce", clock.lap()));
        watcher.check("the reduction")?;
        if let (Some(path), Some(format)) = (&self.output, format) {
            let existing = existing(self.force);
            outcome::write(path, format, &keys, coordinates.view(), existing)?;
            outcome.output = Some(path.clone());
            outcome.seconds.push(("write", clock.lap()));
        }
        if self.quality {
            let (x, y, kept) = (matrix.view(), coordinates.view(), self.keeps());
            self.measure((x, y), labels.as_deref(), kept, watcher, &mut outcome)?;
            outcome.seconds.push(("measure", clock.lap()));
        }
        Ok(outcome.report())
    }

    /// Coordinates of all rows; the model is kept where that is asked for.
    fn coordinates(
        &self,
        x: CowArray<'_, f32, Ix2>,
        watcher: &Watcher<'_>,
        outcome: &mut Outcome,
    ) -> Result<Array2<f32>> {
        let (model, coordinates) = match &self.with {
            Some(path) => {
                let model = read_model(path, self.threads())?;
                let coordinates = watcher.place(x.view(), model.as_ref())?;
                (model, coordinates)
            }
            None => self.fit(x, watcher, outcome)?,
        };
        outcome.projection(model.as_ref());
        self.keep(model.as_ref(), outcome)?;
        Ok(coordinates)
    }

    fn fit(
        &self,
        x: CowArray<'_, f32, Ix2>,
        watcher: &Watcher<'_>,
        outcome: &mut Outcome,
    ) -> Result<(Box<dyn Projection>, Array2<f32>)> {
        let reducer = self.settings().reducer();
        let (fitted, coordinates, rows) = watcher.fit(x, &reducer, self.fit_sample, self.seed)?;
        outcome.fitted_rows = Some(rows);
        Ok((fitted.0, coordinates))
    }

    /// Notes how faithful the coordinates are; where what was asked for beside it is kept, a failure is
    /// a note too.
    fn measure(
        &self,
        (x, y): (ArrayView2<'_, f32>, ArrayView2<'_, f32>),
        labels: Option<&[i64]>,
        is_kept: bool,
        watcher: &Watcher<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let watch = Watch::default()
            .progress(watcher.progress)
            .cancel(watcher.cancel);
        let params = QualityParams::new().seed(self.seed).threads(self.threads());
        let quality = match params.measure_watched(x, y, labels, &watch) {
            Ok(quality) => quality,
            Err(error) if error.kind() != ErrorKind::Interrupted && is_kept => {
                let note = format!("the quality was not measured: {}", error.chain());
                outcome.notes.push(note);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        outcome.quality = vec![
            ("trustworthiness", quality.trustworthiness),
            ("neighbor_recall", quality.neighbor_recall),
            ("random_triplet_accuracy", quality.random_triplet_accuracy),
        ];
        let of_classes = [
            (
                "centroid_triplet_accuracy",
                quality.centroid_triplet_accuracy,
            ),
            ("neighbor_accuracy", quality.neighbor_accuracy),
            (
                "neighbor_accuracy_of_embeddings",
                quality.neighbor_accuracy_of_embeddings,
            ),
        ];
        let known = of_classes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        outcome.quality.extend(known);
        outcome.quality_neighbors = quality.neighbors;
        Ok(())
    }

    /// Writes the model to the file of `--save`.
    fn keep(&self, projection: &dyn Projection, outcome: &mut Outcome) -> Result<()> {
        let Some(path) = &self.save else {
            return Ok(());
        };
        let bytes = projection.to_bytes()?;
        whole_file(path, existing(self.force), |file| file.write_all(&bytes))?;
        outcome.model = Some(path.clone());
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings {
            method: self.method,
            dims: self.dims,
            seed: self.seed,
            neighbors: self.neighbors,
            metric: self.metric,
            threads: self.threads(),
        }
    }

    /// Whether a file is written.
    fn keeps(&self) -> bool {
        self.output.is_some() || self.save.is_some()
    }

    fn threads(&self) -> Threads {
        self.threads.map_or(Threads::All, Threads::Exactly)
    }

    fn columns(&self) -> Vec<String> {
        match self.column.is_empty() {
            true => vec![COLUMN.to_owned()],
            false => self.column.clone(),
        }
    }
}

/// The path as every spelling of it has it, whether or not there is a file.
fn spelled_out(path: &Path) -> PathBuf {
    if let Ok(known) = path.canonicalize() {
        return known;
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Says it in the words of the command line.
fn name_options(error: Error) -> Error {
    match error {
        Error::TooLarge {
            what,
            needed,
            limit,
            hint,
        } if hint.contains("memory_limit") => Error::TooLarge {
            what,
            needed,
            limit,
            hint: "learn from fewer rows with --fit-sample".into(),
        },
        Error::AlreadyExists { what: "file", .. } => name_force(error),
        other => other,
    }
}

/// Reads a model that `--save`, or a run, kept.
fn read_model(path: &Path, threads: Threads) -> Result<Box<dyn Projection>> {
    let place = path.to_string_lossy();
    let bytes =
        fs::read(path).map_err(|error| Error::storage("reading the model", &*place, error))?;
    let mut model = load(&bytes, &place)?;
    model.set_threads(threads);
    Ok(model)
}

/// Seconds since the last look.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.0).as_secs_f64();
        self.0 = now;
        seconds
    }
}
