//! Samples with a variable number of instances (words, boxes) get one row of coordinates for each
//! instance, whether a row holds a list of vectors or a vector and the number of its instance.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_schema::{DataType, Field};
use emberlens::embedding::FitOn;
use emberlens::reduce::{Pca, Projection, Reducer};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns};
use ndarray::Array2;

fn start() -> Run {
    let project = Project::open("memory://", "instances").unwrap();
    project.run("detector").start().unwrap()
}

/// The vector of an instance.
fn vector(sample: usize, instance: usize) -> Vec<f32> {
    (0..3)
        .map(|j| ((sample * 7 + instance * 3 + j * j * 5) % 11) as f32)
        .collect()
}

/// Sample `i` has `counts[i]` instances; `None` has no list at all.
fn lists(counts: &[Option<usize>]) -> Column {
    let item = Field::new("element", DataType::Float32, true);
    let inner = ListBuilder::new(Float32Builder::new()).with_field(item.clone());
    let of_lists = Field::new("element", DataType::List(Arc::new(item)), true);
    let mut builder = ListBuilder::new(inner).with_field(of_lists);
    for (sample, count) in counts.iter().enumerate() {
        for instance in 0..count.unwrap_or_default() {
            builder
                .values()
                .values()
                .append_slice(&vector(sample, instance));
            builder.values().append(true);
        }
        builder.append(count.is_some());
    }
    Column::from_array(Arc::new(builder.finish()))
}

fn expected(instances: &[(i64, i64)]) -> Array2<f32> {
    let values: Vec<f32> = instances
        .iter()
        .flat_map(|&(sample, instance)| vector(sample as usize, instance as usize))
        .collect();
    let x = Array2::from_shape_vec((instances.len(), 3), values).unwrap();
    let pca = Pca::params().fit(x.view()).unwrap();
    pca.transform(x.view()).unwrap()
}

fn check(run: &Run, instances: &[(i64, i64)]) {
    let reader = run.reader().unwrap();
    let placed = reader.projection("embedding-pca");
    assert!(placed.info().unwrap().instances);
    let ids: Vec<i64> = placed.values("example_id").unwrap();
    let numbers: Vec<i64> = placed.values("instance").unwrap();
    let found: Vec<(i64, i64)> = ids.into_iter().zip(numbers).collect();
    assert_eq!(found, instances);
    assert_eq!(placed.matrix().unwrap(), expected(instances));
    assert!(placed.read().unwrap().column_by_name("instance").is_some());
}

#[test]
fn a_row_that_holds_a_list_of_vectors() {
    let run = start();
    let columns = Columns::new()
        .with("example_id", (10..15).collect::<Vec<i64>>())
        .with(
            "embedding",
            lists(&[Some(2), Some(0), None, Some(3), Some(1)]),
        );
    let at = Position::new("train").epoch(0);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
    let report = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    assert_eq!((report.rows, report.rows_without_embedding), (6, 1));
    let reader = run.reader().unwrap();
    let placed = reader.projection("embedding-pca");
    let ids: Vec<i64> = placed.values("example_id").unwrap();
    assert_eq!(ids, [10, 10, 13, 13, 13, 14]);
    let of_list = [(0, 0), (0, 1), (3, 0), (3, 1), (3, 2), (4, 0)];
    assert_eq!(placed.matrix().unwrap(), expected(&of_list));
    let numbers: Vec<i64> = placed.values("instance").unwrap();
    assert_eq!(numbers, of_list.map(|(_, instance)| instance));
}

#[test]
fn rows_that_carry_the_number_of_their_instance() {
    let run = start();
    let instances = [(0, 0), (0, 1), (3, 0), (3, 7), (5, 2)];
    let values: Vec<f32> = instances
        .iter()
        .flat_map(|&(sample, instance)| vector(sample, instance))
        .collect();
    let x = Array2::from_shape_vec((5, 3), values).unwrap();
    let columns = Columns::new()
        .with(
            "example_id",
            instances.map(|(sample, _)| sample as i64).to_vec(),
        )
        .with("instance", instances.map(|(_, of)| of as i64).to_vec())
        .with("embedding", Column::embedding(x.view()));
    let at = Position::new("train").epoch(0);
    run.add_metrics("boxes", columns, None, Some(at)).unwrap();
    run.reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    check(&run, &instances.map(|(a, b)| (a as i64, b as i64)));
}

#[test]
fn instances_are_followed_through_the_epochs() {
    let run = start();
    for epoch in 0..2 {
        let words = [2, 1, 3]
            .map(|count| Array2::from_shape_fn((count, 3), |(word, j)| vector(count, word)[j]));
        let words = words.each_ref().map(|words| words.view());
        let columns = Columns::new()
            .with("example_id", (0..3).collect::<Vec<i64>>())
            .with("embedding", Column::instance_embeddings(&words));
        let at = Position::new("train").epoch(epoch);
        run.add_metrics("default", columns, None, Some(at)).unwrap();
    }
    run.reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    let moved = run.movement("embedding-pca").unwrap();
    assert_eq!((moved[0].samples, moved[0].median), (6, 0.0));
}
