//! The samples as versioned tables with images, labels and what was planted.

use std::io::Cursor;

use emberlens::run::Project;
use emberlens::table::{Column, Columns, ImageStorage, Role, Table};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::Failure;
use crate::data::{CLASSES, Sample};
use crate::table;

/// The table of these samples.
pub fn open_or_create(
    project: &Project,
    name: &str,
    samples: &[Sample],
    side: usize,
) -> Result<Table, Failure> {
    let create = || Ok(project.create_table(name, columns(samples, side)?)?);
    table::open_or_create(project, name, create, |table| holds(table, samples))
}

/// Whether the table is of these samples; their labels may have been edited since.
fn holds(table: &Table, samples: &[Sample]) -> Result<bool, Failure> {
    let labels: Vec<i32> = samples
        .iter()
        .map(|sample| i32::from(sample.true_label))
        .collect();
    Ok(table.column::<i32>("true_label")? == labels)
}

/// The samples with the labels that they have in this revision of their table.
pub fn labelled(samples: &[Sample], table: &Table) -> Result<Vec<Sample>, Failure> {
    let labels = table.column::<i32>("label")?;
    let labelled = samples.iter().zip(labels);
    labelled
        .map(|(sample, label)| {
            Ok(Sample {
                label: u8::try_from(label)?,
                ..sample.clone()
            })
        })
        .collect()
}

fn columns(samples: &[Sample], side: usize) -> Result<Columns, Failure> {
    let images = samples
        .iter()
        .map(|sample| png(sample, side))
        .collect::<Result<Vec<_>, _>>()?;
    let classes = |of: fn(&Sample) -> u8| {
        let labels: Vec<i32> = samples.iter().map(|sample| i32::from(of(sample))).collect();
        Column::from(labels).role(Role::category(CLASSES))
    };
    let planted: Vec<bool> = samples.iter().map(Sample::planted).collect();
    Ok(Columns::new()
        .with(
            "image",
            Column::from(images).role(Role::Image {
                storage: ImageStorage::Bytes,
            }),
        )
        .with("label", classes(|sample| sample.label))
        .with("true_label", classes(|sample| sample.true_label))
        .with("planted", planted))
}

fn png(sample: &Sample, side: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    let edge = u32::try_from(side)?;
    PngEncoder::new(&mut bytes).write_image(&sample.pixels, edge, edge, ExtendedColorType::L8)?;
    Ok(bytes.into_inner())
}
