//! True instances from the columns of a table.

use super::TrueInstance;
use crate::geometry::CoordinateUnit;
use crate::table::{Instance, InstanceColumns, InstanceReader, Role, Table};
use crate::{Error, Result};

/// The instances of every row of which `geometry` finds some.
pub(in crate::metrics) fn truths<G>(
    table: &Table,
    columns: &InstanceColumns,
    geometry: impl Fn(&Instance) -> Option<G>,
) -> Result<Vec<Vec<TrueInstance<G>>>> {
    let names: Vec<&str> = columns.names().collect();
    let reader = InstanceReader::new(columns);
    let (mut all, mut first_row) = (Vec::new(), 0);
    for batch in table.snapshot().batches(Some(&names))? {
        let batch = batch?;
        for image in reader.read(&batch, first_row)? {
            let there = image.into_iter().flatten();
            let truths = there.filter_map(|instance| {
                Some(TrueInstance {
                    geometry: geometry(&instance)?,
                    label: instance.label,
                    crowd: instance.crowd,
                    area: instance.area,
                })
            });
            all.push(truths.collect());
        }
        first_row += batch.num_rows() as u64;
    }
    Ok(all)
}

/// Refuses columns in another unit than the task's: nothing here knows the images' sizes.
pub(in crate::metrics) fn refuse_unit(
    columns: &InstanceColumns,
    unit: CoordinateUnit,
    table: &Table,
) -> Result<()> {
    let text = |normalised: bool| match normalised {
        true => "in fractions of the image",
        false => "in pixels",
    };
    for (name, role) in columns.names().zip(columns.roles()) {
        let normalised = match role {
            Role::Boxes { normalised, .. }
            | Role::OrientedBoxes { normalised, .. }
            | Role::Keypoints { normalised, .. } => *normalised,
            _ => continue,
        };
        if normalised != unit.is_normalised() {
            return Err(Error::Schema {
                column: name.to_owned(),
                expected: format!("instances {}", text(unit.is_normalised())),
                found: text(normalised).to_owned(),
                place: format!("the task, with table `{}`,", table.name()),
                hint: "take a task of that unit, or convert the column".into(),
            });
        }
    }
    Ok(())
}
