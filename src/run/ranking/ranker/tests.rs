//! Rankings of rows that are nearly alike, missing or no numbers.

use super::*;
use crate::table::{Column, Columns};

fn rows(epoch: Option<i64>, ids: &[i64], values: &[Option<f32>]) -> RecordBatch {
    let predicted: Vec<i32> = ids.iter().map(|id| (*id % 2) as i32).collect();
    Columns::new()
        .with("example_id", ids.to_vec())
        .with("split", vec!["train"; ids.len()])
        .with("epoch", vec![epoch; ids.len()])
        .with("loss", values.to_vec())
        .with(
            "predicted",
            Column::from(predicted).role(Role::category(["cat", "dog"])),
        )
        .into_batch("test")
        .unwrap()
}

fn ranked(batches: &[RecordBatch], order: Order) -> Ranking {
    let mut ranker = Ranker::by("loss");
    batches.iter().for_each(|batch| ranker.add(batch).unwrap());
    ranker.ranking(order)
}

fn ids(ranking: &Ranking) -> Vec<i64> {
    ranking
        .samples
        .iter()
        .map(|sample| sample.example_id)
        .collect()
}

#[test]
fn nan_comes_last_in_both_orders_and_ties_go_by_id() {
    let nan = f32::NAN;
    let infinity = f32::INFINITY;
    let batch = rows(
        Some(0),
        &[9, 4, 3, 2, 1, 0],
        &[
            Some(1.0),
            Some(nan),
            Some(1.0),
            Some(infinity),
            Some(-infinity),
            None,
        ],
    );
    let highest = ranked(std::slice::from_ref(&batch), Order::Highest);
    assert_eq!(ids(&highest), [2, 3, 9, 1, 4]);
    assert_eq!((highest.nan_count, highest.null_count), (1, 1));
    assert_eq!(ids(&ranked(&[batch], Order::Lowest)), [1, 3, 9, 2, 4]);
}

#[test]
fn the_mean_leaves_out_nulls_and_carries_nan() {
    let first = rows(Some(0), &[0, 1, 2], &[Some(1.0), None, Some(f32::NAN)]);
    let second = rows(Some(1), &[0, 1, 2], &[Some(4.0), Some(2.0), Some(9.0)]);
    let ranking = ranked(&[second, first], Order::Highest);
    assert_eq!(ids(&ranking), [0, 1, 2]);
    assert_eq!(ranking.samples[0].value, 2.5);
    assert_eq!(
        (ranking.samples[1].value, ranking.samples[1].rows),
        (2.0, 1)
    );
    assert!(ranking.samples[2].value.is_nan());
    assert_eq!(ranking.samples[0].epoch, Some(1));
}

#[test]
fn classes_carry_the_names_of_their_category() {
    let ranking = ranked(&[rows(None, &[3], &[Some(0.0)])], Order::Highest);
    let predicted = Class {
        index: Some(1),
        name: Some("dog".into()),
    };
    assert_eq!(ranking.samples[0].predicted, Some(predicted));
    assert_eq!(ranking.samples[0].label, None);
}

#[test]
fn a_column_that_cannot_be_ranked_is_refused_with_those_that_can() {
    let batch = rows(Some(0), &[0], &[Some(1.0)]);
    let add = |column: &str| Ranker::by(column).add(&batch).unwrap_err().to_string();
    assert!(
        add("split").contains("example_id, epoch, loss, predicted"),
        "{}",
        add("split")
    );
    assert!(add("losss").contains("loss"), "{}", add("losss"));
}

#[test]
fn instances_of_a_sample_are_ranked_apart() {
    let boxes = |epoch: i64, iou: Vec<f32>| {
        Columns::new()
            .with("example_id", vec![4_i64, 4, 7])
            .with("instance", vec![Some(0_i64), Some(1), None])
            .with("epoch", vec![epoch; 3])
            .with("loss", iou)
            .into_batch("test")
            .unwrap()
    };
    let batches = [
        boxes(0, vec![0.5, 0.25, 1.0]),
        boxes(1, vec![1.5, 0.75, 1.0]),
    ];
    let ranking = ranked(&batches, Order::Lowest);
    let places = ranking.samples.iter();
    let places: Vec<_> = places
        .map(|one| (one.example_id, one.instance, one.value))
        .collect();
    assert_eq!(
        places,
        [(4, Some(1), 0.5), (4, Some(0), 1.0), (7, None, 1.0)]
    );
    let text = Columns::new()
        .with("example_id", vec![1_i64, 1])
        .with("instance", vec!["a", "b"]);
    let text = text
        .with("loss", vec![1.0_f32, 3.0])
        .into_batch("test")
        .unwrap();
    assert_eq!(ranked(&[text], Order::Lowest).samples[0].value, 2.0);
}

#[test]
fn splits_are_ranked_apart() {
    let mut valid = Columns::new().with("example_id", vec![0_i64]);
    valid.push("split", vec!["valid"]);
    valid.push("loss", vec![7.0_f32]);
    let valid = valid.into_batch("test").unwrap();
    let ranking = ranked(&[rows(Some(0), &[0], &[Some(1.0)]), valid], Order::Highest);
    assert_eq!(ranking.samples.len(), 2);
    assert_eq!(ranking.samples[0].split, "valid");
}
