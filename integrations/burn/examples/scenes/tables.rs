//! Generated scenes as versioned tables.

use emberlens::run::Project;
use emberlens::table::Table;

use super::columns::columns;
use super::{Scene, generate};
use crate::program::Failure;
use crate::table::open_or_create;

/// Tables of so many scenes to learn from, and a quarter as many more to be judged on.
pub fn generated(project: &Project, count: usize, seed: u64) -> Result<[Table; 2], Failure> {
    let other_seed = !seed; // so that no scene is both learned and judged
    let parts = [
        ("train", generate(count, seed)),
        ("valid", generate(count.div_ceil(4), other_seed)),
    ];
    let [train, valid] = parts.map(|(part, scenes)| {
        let scenes = scenes?;
        let name = format!("{part}-{}-seed-{seed}", scenes.len());
        let create = || Ok(project.create_table(&name, columns(&scenes)?)?);
        open_or_create(project, &name, create, |table| holds(table, &scenes))
    });
    Ok([train?, valid?])
}

/// Whether the table is of these scenes.
fn holds(table: &Table, scenes: &[Scene]) -> Result<bool, Failure> {
    let light: Vec<f32> = scenes.iter().map(|scene| scene.light).collect();
    let has_boxes = table.role("boxes").is_some(); // not every version made them
    Ok(has_boxes && table.column::<f32>("light")? == light)
}
