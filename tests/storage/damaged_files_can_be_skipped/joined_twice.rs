//! An entry that joined files into one, of which a later entry knew nothing but its name.

use super::*;

/// The epochs and names of all scalars, and the ids and losses of all rows, sorted.
type Seen = (Vec<(Option<i64>, String)>, Vec<(i64, u32)>);

fn seen(reader: &RunReader) -> Seen {
    let scalars = reader.scalars().unwrap().into_iter();
    let mut scalars: Vec<_> = scalars.map(|one| (one.epoch, one.name)).collect();
    let metrics = reader.metrics("default");
    let ids: Vec<i64> = metrics.values("example_id").unwrap();
    let losses: Vec<f32> = metrics.values("loss").unwrap();
    let mut rows: Vec<_> = ids
        .into_iter()
        .zip(losses.into_iter().map(f32::to_bits))
        .collect();
    scalars.sort();
    rows.sort_unstable();
    (scalars, rows)
}

/// Takes the run up, adds epoch 4 to it, and joins the files of all its tables.
fn add_and_join(project: &Project) -> Run {
    let run = project.resume_run("r").unwrap();
    let ids: Vec<i64> = (0..2 * ROWS).collect();
    let losses: Vec<f32> = ids.iter().map(|&id| id as f32 + 4.0).collect();
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(4);
    let columns = Columns::new().with("example_id", ids).with("loss", losses);
    writer.add_batch(columns).unwrap();
    writer.finalize().unwrap();
    run.log(&[("loss", 0.5)], At::epoch(4)).unwrap();
    run.complete().unwrap();
    run.reader().unwrap().compact(&Silent).unwrap();
    run
}

/// The versions of a table that took files out: joins and discards.
fn rewrites(reader: &RunReader, table: &str) -> Vec<u64> {
    let log = reader.location().join(table).join("_delta_log");
    let mut entries = log.list_files().unwrap();
    entries.sort();
    entries.retain(|entry| {
        let text = log.join(entry).read().unwrap();
        String::from_utf8_lossy(&text).contains("\"remove\"")
    });
    let version = |entry: &String| entry.strip_suffix(".json").unwrap().parse().unwrap();
    entries.iter().map(version).collect()
}

fn joined_twice(root: &Path) -> Run {
    write(root).reader().unwrap().compact(&Silent).unwrap();
    add_and_join(&Project::open(&root.display().to_string(), "p").unwrap())
}

#[test]
fn nothing_comes_twice_when_the_entry_of_the_first_join_is_damaged() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let reader = joined_twice(root.path()).reader().unwrap();
        let whole = seen(&reader);
        assert_eq!((whole.0.len(), whole.1.len() as i64), (9, 10 * ROWS));
        for table in ["scalars", "metrics/default"] {
            damage_entry(&reader, table, rewrites(&reader, table)[0], how);
        }
        let reader = reader.skip_corrupt();
        assert_eq!(seen(&reader), whole);
        assert_eq!(reader.skipped().missing_rows, 0);
    }
}

#[test]
fn nothing_is_missing_when_the_joined_files_are_gone_too() {
    let root = tempfile::tempdir().unwrap();
    let reader = joined_twice(root.path()).reader().unwrap();
    let whole = seen(&reader);
    let scalars = reader.location().join("scalars");
    let entry = format!("_delta_log/{:020}.json", 1);
    let first = first_added(&scalars.join(&entry));
    for table in ["scalars", "metrics/default"] {
        damage_entry(&reader, table, rewrites(&reader, table)[0], 0);
    }
    for file in reader.passes("default").iter().flat_map(|pass| &pass.files) {
        reader.location().join(&file.url).delete().unwrap();
    }
    scalars.join(&first).delete().unwrap();
    let reader = reader.skip_corrupt();
    assert_eq!(seen(&reader), whole);
    assert_eq!(reader.skipped().missing_rows, 0);
}

#[test]
fn scalars_that_were_rewritten_twice_come_once() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        drop(write(root.path()));
        let project = Project::open(&root.path().display().to_string(), "p").unwrap();
        // Both leave scalars of the file that has epochs 0 to 3 together, which was made by the join.
        project.open_run("r").unwrap().compact(&Silent).unwrap();
        for from in [3, 2] {
            let run = project.run("r").if_exists(IfExists::Resume);
            let run = run.from_epoch(from).start().unwrap();
            run.log(&[("loss", 0.25)], At::epoch(from)).unwrap();
            run.complete().unwrap();
        }
        let reader = project.open_run("r").unwrap();
        let whole = reader.scalars().unwrap();
        assert_eq!(whole.len(), 5);
        let rewritten = rewrites(&reader, "scalars");
        assert_eq!(rewritten.len(), 3, "a join and two discards");
        damage_entry(&reader, "scalars", rewritten[1], how);
        let reader = reader.skip_corrupt();
        assert_eq!(reader.scalars().unwrap(), whole);
        let skipped = reader.skipped();
        assert_eq!((skipped.missing_rows, skipped.problems.len()), (0, 1));
    }
}
