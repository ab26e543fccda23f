//! How far samples move from epoch to epoch in a layout.

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;

use crate::Result;
use crate::run::{INSTANCE, KEYS, Run, RunReader};
use crate::table::values;

/// How far the samples of a split move between two epochs that follow one another.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    /// The split.
    pub split: String,
    /// The earlier epoch.
    pub from: i64,
    /// The later epoch.
    pub to: i64,
    /// Samples that have coordinates in both.
    pub samples: u64,
    /// The median over these samples of the distance moved, in standard deviations of the layout;
    /// infinite when samples move in a layout without extent.
    pub median: f64,
}

/// A sample: its id, instance, and which of its rows it is where a sample was drawn repeatedly.
type Key = (i64, i64, u32);

/// The coordinates of one split and epoch.
#[derive(Default)]
struct Layout {
    seen: HashMap<(i64, i64), u32>,
    places: HashMap<Key, Vec<f32>>,
}

impl Run {
    /// How far samples move from epoch to epoch; see [`RunReader::movement`].
    ///
    /// # Errors
    /// Those of [`RunReader::movement`].
    pub fn movement(&self, projection: &str) -> Result<Vec<Movement>> {
        self.reader()?.movement(projection)
    }
}

impl RunReader {
    /// How far samples move from epoch to epoch in a table of coordinates, whatever made it: one
    /// entry for each split and pair of consecutive epochs that it holds.
    ///
    /// # Shapes and units
    /// Distances are Euclidean, in standard deviations of the layout: the root of the variance of
    /// the coordinates about their mean, averaged over the axes and over the two epochs, all splits
    /// together. So layouts of different methods and scales can be compared, and a drift of the
    /// whole layout counts as movement.
    ///
    /// # Memory
    /// All coordinates of the table.
    ///
    /// # Errors
    /// Those of [`Coordinates::batches`](crate::run::Coordinates::batches).
    ///
    /// ```
    /// use emberlens::embedding::FitOn;
    /// use emberlens::reduce::Pca;
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::{Column, Columns};
    /// use ndarray::arr2;
    ///
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// for (epoch, embeddings) in [(0, arr2(&[[0.0_f32], [2.0]])), (1, arr2(&[[1.0], [3.0]]))] {
    ///     let columns = Columns::new()
    ///         .with("example_id", vec![0_i64, 1])
    ///         .with("embedding", Column::embedding(embeddings.view()));
    ///     run.add_metrics("default", columns, None, Some(Position::new("train").epoch(epoch)))?;
    /// }
    /// run.reduce_embeddings("embedding", &Pca::params().dims(1), FitOn::Latest)?;
    /// let moved = run.movement("embedding-pca")?;
    /// assert_eq!((moved[0].from, moved[0].to, moved[0].median), (0, 1, 1.0));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn movement(&self, projection: &str) -> Result<Vec<Movement>> {
        let coordinates = self.projection(projection);
        let axes = coordinates.info()?.axes();
        let mut layouts: BTreeMap<i64, BTreeMap<String, Layout>> = BTreeMap::new();
        for batch in coordinates.batches()? {
            take_in(&mut layouts, &batch?, &axes)?;
        }
        let variances: BTreeMap<i64, f64> = layouts
            .iter()
            .map(|(&epoch, splits)| (epoch, variance(splits.values(), axes.len())))
            .collect();
        let mut moved = Vec::new();
        for ((&from, earlier), (&to, later)) in layouts.iter().zip(layouts.iter().skip(1)) {
            let unit = ((variances[&from] + variances[&to]) / 2.0).sqrt();
            for (split, later) in later {
                let Some(earlier) = earlier.get(split) else {
                    continue;
                };
                let mut distances = earlier.distances(later);
                if distances.is_empty() {
                    continue;
                }
                moved.push(Movement {
                    split: split.clone(),
                    from,
                    to,
                    samples: distances.len() as u64,
                    median: in_units(median(&mut distances), unit),
                });
            }
        }
        Ok(moved)
    }
}

/// Rows that belong to an epoch and have coordinates.
fn take_in(
    layouts: &mut BTreeMap<i64, BTreeMap<String, Layout>>,
    batch: &RecordBatch,
    axes: &[String],
) -> Result<()> {
    let [example_id, split, epoch, _] = KEYS;
    let ids = values::<Option<i64>>(batch, example_id)?;
    let splits = values::<Option<String>>(batch, split)?;
    let epochs = values::<Option<i64>>(batch, epoch)?;
    let instances = match batch.column_by_name(INSTANCE) {
        Some(_) => values::<Option<i64>>(batch, INSTANCE)?,
        None => vec![None; batch.num_rows()],
    };
    let columns = axes.iter().map(|axis| values::<Option<f32>>(batch, axis));
    let columns: Vec<Vec<Option<f32>>> = columns.collect::<Result<_>>()?;
    for (row, split) in splits.into_iter().enumerate() {
        let place: Option<Vec<f32>> = columns.iter().map(|column| column[row]).collect();
        let (Some(epoch), Some(id), Some(place)) = (epochs[row], ids[row], place) else {
            continue;
        };
        let layout = layouts.entry(epoch).or_default();
        let layout = layout.entry(split.unwrap_or_default()).or_default();
        layout.add(id, instances[row].unwrap_or_default(), place);
    }
    Ok(())
}

impl Layout {
    fn add(&mut self, id: i64, instance: i64, place: Vec<f32>) {
        let seen = self.seen.entry((id, instance)).or_default();
        self.places.insert((id, instance, *seen), place);
        *seen += 1;
    }

    fn distances(&self, later: &Self) -> Vec<f64> {
        let both = self.places.iter();
        both.filter_map(|(key, from)| Some(distance(from, later.places.get(key)?)))
            .collect()
    }
}

fn distance(from: &[f32], to: &[f32]) -> f64 {
    let pairs = from.iter().zip(to);
    let squares = pairs.map(|(&from, &to)| (f64::from(to) - f64::from(from)).powi(2));
    squares.sum::<f64>().sqrt()
}

/// The variance of the coordinates about their mean, averaged over the axes.
fn variance<'a>(layouts: impl Iterator<Item = &'a Layout>, dims: usize) -> f64 {
    // Sorted, so that the sum has the same bits however the map orders its keys.
    let mut places: Vec<(usize, &Key, &Vec<f32>)> = layouts
        .enumerate()
        .flat_map(|(split, layout)| layout.places.iter().map(move |(k, p)| (split, k, p)))
        .collect();
    places.sort_unstable_by_key(|&(split, key, _)| (split, *key));
    let count = places.len().max(1) as f64;
    let mut total = 0.0;
    for axis in 0..dims {
        let values = places.iter().map(|(_, _, place)| f64::from(place[axis]));
        let mean = values.clone().sum::<f64>() / count;
        total += values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    }
    total / dims.max(1) as f64
}

/// The middle value, or the mean of the two in the middle; of at least one value.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

fn in_units(distance: f64, unit: f64) -> f64 {
    match distance == 0.0 {
        true => 0.0,
        false => distance / unit,
    }
}
