//! `emberlens plot`: pictures of what is in a run.

mod color;
mod column;
mod points;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use emberlens::run::{ProjectionInfo, RunReader};
use emberlens::table::export::{check_writable, whole_file};
use emberlens::{Error, Result};
use serde_json::json;

use self::color::Painter;
use self::points::Points;
use crate::find::Place;
use crate::output::{existing, name_force};
use crate::plot::{
    ANGLES, Color, Coordinates, Figure, Format, HEIGHTS, PlotError, SCALES, View, WIDTHS,
};
use crate::print::{Report, clean};
use crate::skip::SkipCorrupt;

/// The arguments of `emberlens plot`.
#[derive(Args)]
pub struct Plot {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Draw the reduced embeddings of a run at one epoch
    Embedding(Embedding),
}

/// The arguments of `emberlens plot embedding`.
#[derive(Args)]
struct Embedding {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,

    /// Reduction to draw, for example embedding-pacmap [default: the one made last]
    #[arg(long, value_name = "NAME")]
    projection: Option<String>,

    /// Epoch to draw, counted from 0 [default: the latest]
    #[arg(long, allow_negative_numbers = true)]
    epoch: Option<i64>,

    /// Draw this split only
    #[arg(long)]
    split: Option<String>,

    /// Column of the run, or of the table it joins, that gives the colours [default: label, else
    /// predicted, else split]
    #[arg(long, visible_alias = "colour", value_name = "COLUMN")]
    color: Option<String>,

    /// Turn of a 3-D picture around its upright axis, in degrees
    #[arg(
        long,
        allow_hyphen_values = true,
        value_parser = within(ANGLES),
        default_value_t = View::default().azimuth
    )]
    azimuth: f32,

    /// Height of the eye over a 3-D picture, in degrees
    #[arg(
        long,
        allow_hyphen_values = true,
        value_parser = within(ANGLES),
        default_value_t = View::default().elevation
    )]
    elevation: f32,

    /// Width of the picture
    #[arg(long, allow_hyphen_values = true, value_parser = within(WIDTHS), default_value_t = 1200.0)]
    width: f32,

    /// Height of the picture
    #[arg(long, allow_hyphen_values = true, value_parser = within(HEIGHTS), default_value_t = 900.0)]
    height: f32,

    /// Pixels of a PNG for each unit of width and height
    #[arg(long, allow_hyphen_values = true, value_parser = within(SCALES), default_value_t = 1.0)]
    scale: f32,

    /// File to write: .png or .svg
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file when it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    skip: SkipCorrupt,
}

impl Plot {
    /// Draws and says what is in the picture.
    pub fn run(&self, place: &Place) -> Result<Report> {
        match &self.what {
            What::Embedding(embedding) => embedding.run(place),
        }
    }
}

impl Embedding {
    fn run(&self, place: &Place) -> Result<Report> {
        let format = format_of(&self.output)?;
        check_writable(&self.output, existing(self.force)).map_err(name_force)?;
        let reader = self.skip.run(place, &self.run)?;
        let mut notes = Vec::new();
        let info = self.projection(&reader, &mut notes)?;
        let points = Points::read(&reader, info, self.epoch, self.split.as_deref())?;
        if points.without > 0 {
            notes.push(format!(
                "{} rows have no coordinates and are left out",
                points.without
            ));
        }
        let painter = Painter {
            reader: &reader,
            stream: &info.stream,
            points: &points,
        };
        let (color, drawn) = match &self.color {
            Some(column) => (painter.by(column)?, Some(column.clone())),
            None => painter.by_default(&mut notes),
        };
        let figure = self.figure(&reader, info, &points, color)?;
        let refused = |error: PlotError| {
            let hint = "choose other rows or another size";
            Error::invalid("plot", &self.run, error.to_string(), hint)
        };
        let bytes = figure.render(format).map_err(refused)?;
        whole_file(&self.output, existing(self.force), |file| {
            file.write_all(&bytes)
        })
        .map_err(name_force)?;
        let mut report = self.report(&reader, info, &points, drawn, notes);
        self.skip.tell(&reader, &mut report);
        Ok(report)
    }

    /// The reduction that was asked for, else the one made last.
    fn projection<'a>(
        &self,
        reader: &'a RunReader,
        notes: &mut Vec<String>,
    ) -> Result<&'a ProjectionInfo> {
        let all = reader.projections();
        if let Some(name) = &self.projection {
            return reader.projection(name).info();
        }
        let last = all.iter().max_by_key(|info| info.finished_us);
        let last = last.ok_or_else(|| Error::NotFound {
            what: "projection in run",
            name: reader.name().to_owned(),
            hint: format!("reduce the embeddings first: emberlens reduce {}", self.run),
            place: reader.url(),
        })?;
        if all.len() > 1 {
            let names: Vec<&str> = all.iter().map(|info| info.name.as_str()).collect();
            notes.push(format!(
                "{} of {}; choose by --projection",
                last.name,
                names.join(", ")
            ));
        }
        Ok(last)
    }

    fn figure(
        &self,
        reader: &RunReader,
        info: &ProjectionInfo,
        points: &Points,
        color: Color,
    ) -> Result<Figure> {
        let axis = |row: &[f32], axis: usize| row.get(axis).copied().unwrap_or_default();
        let rows = points.places.chunks_exact(info.dims.max(1));
        let coordinates = match info.dims {
            2 => Coordinates::Plane(rows.map(|row| [axis(row, 0), axis(row, 1)]).collect()),
            3 => {
                let view = View {
                    azimuth: self.azimuth,
                    elevation: self.elevation,
                };
                let rows = rows.map(|row| [axis(row, 0), axis(row, 1), axis(row, 2)]);
                Coordinates::Space(rows.collect(), view)
            }
            other => {
                return Err(Error::invalid(
                    "--projection",
                    &info.name,
                    format!("it has {other} coordinates, and a picture shows 2 or 3"),
                    "reduce with --dims 2 or --dims 3",
                ));
            }
        };
        let mut figure = Figure::new(coordinates);
        figure.color = color;
        figure.title = reader.name().to_owned();
        figure.subtitle = subtitle(info, points);
        figure.axes = axes(info);
        figure.width = self.width;
        figure.height = self.height;
        figure.scale = self.scale;
        Ok(figure)
    }

    fn report(
        &self,
        reader: &RunReader,
        info: &ProjectionInfo,
        points: &Points,
        color: Option<String>,
        notes: Vec<String>,
    ) -> Report {
        let colored = color.as_ref().map_or("one colour".to_owned(), |color| {
            format!("coloured by {color}")
        });
        Report {
            text: clean(&format!(
                "{}: {}, {colored}",
                self.output.to_string_lossy(),
                subtitle(info, points)
            )) + "\n",
            json: json!({
                "run": reader.id(),
                "projection": info.name,
                "method": info.method,
                "epoch": points.epoch,
                "splits": points.splits(),
                "rows": points.len(),
                "rows_without_coordinates": points.without,
                "color": color,
                "file": self.output.to_string_lossy(),
            }),
            notes,
            failure: None,
        }
    }
}

/// Method, column, epoch, splits and rows in words.
fn subtitle(info: &ProjectionInfo, points: &Points) -> String {
    let method = match info.method.as_str() {
        "pacmap" => "PaCMAP",
        "umap" => "UMAP",
        "pca" => "PCA",
        other => other,
    };
    let mut parts = vec![format!("{method} of {}", info.column)];
    parts.extend(points.epoch.map(|epoch| format!("epoch {epoch}")));
    let splits = points.splits();
    if splits.iter().any(|split| !split.is_empty()) {
        parts.push(splits.join(" and "));
    }
    parts.push(format!("{} rows", grouped(points.len())));
    parts.join(", ")
}

/// A count in groups of three digits, as the legend has them.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Axes mean something for PCA only.
fn axes(info: &ProjectionInfo) -> [String; 3] {
    let shares = info
        .models
        .first()
        .and_then(|model| model.explained_variance_ratio.as_ref());
    let mut axes = <[String; 3]>::default();
    for (number, (axis, share)) in axes
        .iter_mut()
        .zip(shares.into_iter().flatten())
        .enumerate()
    {
        *axis = format!(
            "component {}, {:.1} % of the variance",
            number + 1,
            share * 100.0
        );
    }
    axes
}

/// Takes numbers of a range; clap names the option beside the message.
fn within(
    range: RangeInclusive<f32>,
) -> impl Fn(&str) -> Result<f32, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        // NaN lies in no range.
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "it must be a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

fn format_of(path: &Path) -> Result<Format> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match ending.to_ascii_lowercase().as_str() {
        "png" => Ok(Format::Png),
        "svg" => Ok(Format::Svg),
        _ => Err(Error::invalid(
            "file",
            path.display(),
            "its ending names no known format",
            "end it in .png or .svg",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        let counts = [0, 999, 1000, 70_000, 1_234_567];
        assert_eq!(
            counts.map(grouped),
            ["0", "999", "1,000", "70,000", "1,234,567"]
        );
    }
}
