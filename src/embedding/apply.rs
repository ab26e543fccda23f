//! Placing a run's embeddings by a projection that another run fitted.

use super::groups::Group;
use super::place::Placement;
use super::reduction::Reduction;
use super::source::Source;
use super::status::Reducing;
use crate::reduce::{Projection, load};
use crate::run::{ProjectionInfo, ProjectionModel, Run, RunReader};
use crate::storage::Location;
use crate::{Error, Result};

impl Reduction<'_> {
    /// Places all rows by one model; `url` is its address, if it has one.
    pub(super) fn place_by(
        &self,
        model: &dyn Projection,
        url: Option<&str>,
    ) -> Result<Vec<ProjectionInfo>> {
        let status = Reducing::begin(self.run)?;
        let reader = self.run.reader()?;
        let source = Source::find(&reader, self.column, self.stream)?;
        let passes = self.passes(&source);
        if passes.is_empty() {
            source.candidates(&[], self.fit_on)?; // the error that there is nothing
        }
        let group = Group {
            split: None,
            table: None,
            passes,
        };
        let placement = Placement {
            group,
            models: vec![load(&model.to_bytes()?, "a model in memory")?],
            fitted: None,
        };
        let url = url.map(|url| self.run.project().relative(url));
        let names = [self.name.clone()];
        let finished = self.finish(&reader, &source, &[placement], &names, url.as_deref())?;
        if let Some(url) = &url {
            let name = format!("model of {} by {}", self.column, model.method());
            self.run.add_input_model(&name, url)?;
        }
        let infos = self.conclude(&source, finished, &self.passes(&source))?;
        status.end()?;
        Ok(infos)
    }
}

impl RunReader {
    /// Loads a model of a reduction, also one that another run fitted.
    ///
    /// ```
    /// use emberlens::embedding::FitOn;
    /// use emberlens::reduce::{Pca, Projection};
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::{Column, Columns};
    /// use ndarray::arr2;
    ///
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// let columns = Columns::new()
    ///     .with("example_id", vec![0_i64, 1])
    ///     .with("embedding", Column::embedding(arr2(&[[0.0_f32, 0.0], [3.0, 4.0]]).view()));
    /// run.add_metrics("default", columns, None, Some(Position::new("train").epoch(0)))?;
    /// let report = run.reduce_embeddings("embedding", &Pca::params().dims(1), FitOn::Latest)?;
    /// let model = run.reader()?.projection_model(&report.models[0])?;
    /// assert_eq!(model.transform(arr2(&[[1.5, 2.0]]).view())?, arr2(&[[0.0]]));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` when the file is gone, `Corrupt` when it is damaged or of a newer version.
    pub fn projection_model(&self, model: &ProjectionModel) -> Result<Box<dyn Projection>> {
        read(&resolve(self.project_location(), &model.url)?)
    }
}

/// Opens the model of an address: relative to the run's project, or a URL.
pub(super) fn open(run: &Run, url: &str) -> Result<Box<dyn Projection>> {
    read(&resolve(
        run.project_location(),
        &run.project().relative(url),
    )?)
}

fn read(place: &Location) -> Result<Box<dyn Projection>> {
    load(&place.read()?, &place.url())
}

fn resolve(project: &Location, url: &str) -> Result<Location> {
    if url.split(['/', '\\']).any(|part| part == "..") {
        return Err(Error::invalid(
            "model_url",
            url,
            "an address does not lead upwards",
            "give the address that the run's record has",
        ));
    }
    if url.contains("://") || url.starts_with('/') {
        return Location::open(url);
    }
    project.inside(url)
}
