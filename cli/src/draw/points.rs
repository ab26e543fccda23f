//! The rows of a projection at one epoch: where they lie and which samples they are.

use std::collections::BTreeSet;

use emberlens::run::{ProjectionInfo, RunReader};
use emberlens::table::values;
use emberlens::{Error, Result};

/// Points to draw, in the order of the run's metrics.
pub struct Points {
    /// The epoch that all of them belong to; `None` for passes without one.
    pub epoch: Option<i64>,
    pub split: Vec<String>,
    pub pass: Vec<String>,
    pub example_id: Vec<Option<i64>>,
    /// The coordinates, point after point.
    pub places: Vec<f32>,
    /// Rows that have no coordinates.
    pub without: usize,
}

impl Points {
    /// Reads the points of an epoch, or of the latest.
    ///
    /// # Errors
    /// `NotFound` for an epoch or a split that the projection does not have, with those it has.
    pub fn read(
        reader: &RunReader,
        info: &ProjectionInfo,
        epoch: Option<i64>,
        split: Option<&str>,
    ) -> Result<Self> {
        let (mut epochs, mut splits) = (BTreeSet::new(), BTreeSet::new());
        for batch in reader
            .projection(&info.name)
            .columns(&["split", "epoch"])
            .batches()?
        {
            let batch = batch?;
            let of_rows = values::<Option<String>>(&batch, "split")?.into_iter();
            for (found, epoch) in of_rows.zip(values::<Option<i64>>(&batch, "epoch")?) {
                let found = found.unwrap_or_default();
                if split.is_none_or(|split| split == found) {
                    epochs.insert(epoch);
                }
                splits.insert(found);
            }
        }
        let nothing = |what, name: String, has: Vec<String>| Error::NotFound {
            what,
            name,
            hint: format!("projection `{}` has: {}", info.name, has.join(", ")),
            place: reader.url(),
        };
        if let Some(split) = split.filter(|split| !splits.contains(*split)) {
            return Err(nothing(
                "split",
                split.to_owned(),
                splits.into_iter().collect(),
            ));
        }
        let chosen = match epoch {
            Some(epoch) => Some(epoch),
            None => epochs.last().copied().flatten(),
        };
        if !epochs.contains(&chosen) {
            let known = epochs
                .iter()
                .map(|epoch| epoch.map_or("none".into(), |e| e.to_string()));
            let name = chosen.map_or("none".into(), |epoch| epoch.to_string());
            return Err(nothing("epoch", name, known.collect()));
        }
        let mut of_epoch = reader.projection(&info.name).epoch(chosen);
        if let Some(split) = split {
            of_epoch = of_epoch.split(split);
        }
        let batch = of_epoch.read()?;
        let split = values::<Option<String>>(&batch, "split")?.into_iter();
        let pass = values::<Option<String>>(&batch, "pass_id")?.into_iter();
        let ids = values::<Option<i64>>(&batch, "example_id")?.into_iter();
        let axes = info.axes();
        let axes = axes.iter().map(|axis| values::<Option<f32>>(&batch, axis));
        let axes: Vec<Vec<Option<f32>>> = axes.collect::<Result<_>>()?;
        let mut points = Self {
            epoch: chosen,
            split: Vec::new(),
            pass: Vec::new(),
            example_id: Vec::new(),
            places: Vec::new(),
            without: 0,
        };
        for (row, ((split, pass), id)) in split.zip(pass).zip(ids).enumerate() {
            let place: Option<Vec<f32>> = axes.iter().map(|axis| axis[row]).collect();
            match place {
                Some(place) => {
                    points.split.push(split.unwrap_or_default());
                    points.pass.push(pass.unwrap_or_default());
                    points.example_id.push(id);
                    points.places.extend(place);
                }
                None => points.without += 1,
            }
        }
        Ok(points)
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.split.len()
    }

    /// The splits there are, in the order of their names.
    pub fn splits(&self) -> Vec<&str> {
        let splits: BTreeSet<&str> = self.split.iter().map(String::as_str).collect();
        splits.into_iter().collect()
    }
}
