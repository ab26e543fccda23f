//! A PaCMAP layout keeps groups apart and neighbours together, whatever the order of the rows; new
//! rows come to their kin, and a following layout stays where the earlier one was.

#![allow(clippy::unwrap_used)]

use emberlens::reduce::{Init, Pacmap, PacmapParams, Projection, Reducer, Threads};
use ndarray::{Array2, Axis};

const GROUPS: usize = 10;

/// Rows around ten centres in six dimensions, group after group.
fn groups(rows: usize, spread: f32) -> Array2<f32> {
    grouped(rows, spread, |row| label(row, rows))
}

/// Rows around the centres of their groups in six dimensions.
fn grouped(rows: usize, spread: f32, group: impl Fn(usize) -> usize) -> Array2<f32> {
    let noise = |seed: usize| {
        let mixed = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    Array2::from_shape_fn((rows, 6), |(i, j)| {
        8.0 * noise(group(i) * 6 + j + 1_000_003) + spread * noise(i * 6 + j)
    })
}

fn label(row: usize, rows: usize) -> usize {
    row * GROUPS / rows
}

fn single() -> PacmapParams {
    Pacmap::params().threads(Threads::Exactly(1)).seed(3)
}

fn nearest(places: &Array2<f32>, row: usize, count: usize) -> Vec<usize> {
    let mut others: Vec<(f32, usize)> = (0..places.nrows())
        .filter(|&other| other != row)
        .map(|other| {
            let gap = &places.row(other) - &places.row(row);
            (gap.dot(&gap), other)
        })
        .collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    others
        .into_iter()
        .take(count)
        .map(|(_, other)| other)
        .collect()
}

/// Shares of ten neighbours in the layout that are of the row's group, and that are among the ten in
/// the data; over every 40th row.
fn quality(x: &Array2<f32>, places: &Array2<f32>, label: impl Fn(usize) -> usize) -> (f32, f32) {
    let (mut kin, mut kept, mut asked) = (0, 0, 0);
    for row in (0..x.nrows()).step_by(40) {
        let low = nearest(places, row, 10);
        let high = nearest(x, row, 10);
        kin += low
            .iter()
            .filter(|&&other| label(other) == label(row))
            .count();
        kept += low.iter().filter(|other| high.contains(other)).count();
        asked += 10;
    }
    (kin as f32 / asked as f32, kept as f32 / asked as f32)
}

fn spread(places: &Array2<f32>) -> f32 {
    places.var_axis(Axis(0), 0.0).sum().sqrt()
}

fn median_gap(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let gap = a - b;
    let mut gaps: Vec<f32> = gap.outer_iter().map(|row| row.dot(&row).sqrt()).collect();
    gaps.sort_by(f32::total_cmp);
    gaps[gaps.len() / 2]
}

#[test]
fn rows_sorted_by_label_are_laid_out_as_well_as_shuffled_ones() {
    let rows = 4_200; // far partners are drawn by blocks of rows
    let x = groups(rows, 2.0);
    let order: Vec<usize> = (0..rows).map(|place| place * 1_009 % rows).collect();
    let shuffled = x.select(Axis(0), &order);
    let short = || single().iterations(60, 40, 100);
    let sorted_places = short().fit_transform(x.view()).unwrap().1;
    let shuffled_places = short().fit_transform(shuffled.view()).unwrap().1;
    let sorted = quality(&x, &sorted_places, |row| label(row, rows));
    let other = quality(&shuffled, &shuffled_places, |row| label(order[row], rows));
    assert!(sorted.0 > 0.99 && other.0 > 0.99, "{sorted:?} {other:?}");
    assert!(sorted.1 > 0.9 * other.1, "{sorted:?} {other:?}");
}

#[test]
fn groups_that_take_turns_in_the_rows_are_kept_apart() {
    let rows = 4_200; // far partners are drawn by blocks of sixteen rows
    let group = |row: usize| row % 16;
    let x = grouped(rows, 2.0, group);
    let places = single()
        .iterations(60, 40, 100)
        .fit_transform(x.view())
        .unwrap()
        .1;
    let (kin, kept) = quality(&x, &places, group);
    assert!(kin > 0.99 && kept > 0.2, "{kin} {kept}");
}

#[test]
fn a_new_row_beyond_all_reckoning_is_refused_by_its_place() {
    let pacmap = single().fit(groups(200, 2.0).view()).unwrap();
    let mut new = groups(20, 2.0);
    new[[7, 2]] = 1e30;
    let error = pacmap.transform(new.view()).unwrap_err().to_string();
    assert!(error.contains("row 7"), "{error}");
}

#[test]
fn every_start_keeps_groups_together() {
    let x = groups(400, 2.0);
    for init in [Init::Pca, Init::Random] {
        for dims in [2, 3] {
            let params = single().init(init.clone()).dims(dims);
            let places = params.fit_transform(x.view()).unwrap().1;
            let (kin, kept) = quality(&x, &places, |row| label(row, 400));
            assert!(kin > 0.95 && kept > 0.25, "{init:?} {dims}: {kin} {kept}");
        }
    }
}

#[test]
fn fitted_rows_come_back_to_their_places_and_new_ones_to_their_kin() {
    let x = groups(600, 2.0);
    let (pacmap, places) = single().fit_transform(x.view()).unwrap();
    let again = pacmap.transform(x.view()).unwrap();
    // Half of the rows within 1/50 of the layout's spread.
    assert!(median_gap(&places, &again) < 0.02 * spread(&places));

    let new = groups(1_200, 2.0);
    let placed = pacmap.transform(new.view()).unwrap();
    let kin = placed.outer_iter().enumerate().filter(|(row, place)| {
        let gaps = places.outer_iter().map(|other| {
            let gap = &other - place;
            gap.dot(&gap)
        });
        let nearest = gaps
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap()
            .0;
        label(nearest, 600) == label(*row, 1_200)
    });
    assert!(kin.count() > 1_180);
}

#[test]
fn a_following_layout_moves_less_than_a_new_one_and_the_less_the_higher_the_penalty() {
    let first = groups(400, 2.0);
    // Every row is a tenth of the noise further from the centre of its group.
    let next = &first * 1.1 - &(groups(400, 0.0) * 0.1);
    let before = single().fit_transform(first.view()).unwrap().1;
    let moved = |params: PacmapParams| {
        let places = params.fit_transform(next.view()).unwrap().1;
        assert!(quality(&next, &places, |row| label(row, 400)).0 > 0.95);
        median_gap(&places, &before)
    };
    let anew = moved(single().seed(4));
    let free = moved(single().follow(before.clone(), 0.0));
    let held = moved(single().follow(before.clone(), 1.0));
    assert!(free < 0.75 * anew, "{free} {anew}");
    assert!(held < 0.5 * free, "{held} {free}");
}
