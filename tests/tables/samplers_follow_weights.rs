//! Samplers give rows as often as their weights say, the same ones for a seed, and follow weights that
//! are changed between epochs.

#![allow(clippy::panic, clippy::unwrap_used)]

use emberlens::sampling::{Order, Pick, Sampler, Weights};
use emberlens::storage::Location;
use emberlens::table::{ColumnKind, Columns, Table};
use emberlens::{Error, ErrorKind};
use proptest::prelude::*;

const SHUFFLED: Order = Order::Shuffled { seed: 7 };

fn sampler(weights: Vec<f32>, pick: Pick, order: Order) -> Sampler {
    Sampler::new(&Weights::new(weights).unwrap(), pick, order).unwrap()
}

fn counts(rows: &[usize], of: usize) -> Vec<usize> {
    let mut counts = vec![0; of];
    rows.iter().for_each(|&row| counts[row] += 1);
    counts
}

#[test]
fn once_is_every_row_with_a_weight() {
    let weights = vec![1.0, 0.0, 0.25, 7.0, 0.0];
    let in_order = sampler(weights.clone(), Pick::Once, Order::Sequential);
    assert_eq!(in_order.epoch(3).unwrap(), [0, 2, 3]);
    let shuffled = sampler(vec![1.0; 100], Pick::Once, SHUFFLED);
    let first = shuffled.epoch(0).unwrap();
    assert_eq!(counts(&first, 100), [1; 100]);
    assert_ne!(first, (0..100).collect::<Vec<_>>());
    assert_ne!(
        first,
        shuffled.epoch(1).unwrap(),
        "every epoch has its own order"
    );
}

#[test]
fn an_epoch_is_the_same_for_a_seed_and_others_for_others() {
    for pick in [Pick::Once, Pick::Weighted, Pick::Repeated] {
        let weights: Vec<f32> = (0..200).map(|row| (row % 7) as f32 / 2.0).collect();
        let of = |seed| sampler(weights.clone(), pick, Order::Shuffled { seed });
        for epoch in [0, 1, u64::MAX] {
            let rows = of(7).epoch(epoch).unwrap();
            assert_eq!(rows, of(7).epoch(epoch).unwrap());
            assert_ne!(rows, of(8).epoch(epoch).unwrap());
        }
    }
    // Other machines and later versions give the same: tests/inputs/samplers.py.
    let kept = sampler(vec![1.0, 2.0, 0.5, 0.0, 4.0], Pick::Weighted, SHUFFLED);
    let epochs: Vec<Vec<usize>> = (0..3).map(|epoch| kept.epoch(epoch).unwrap()).collect();
    assert_eq!(epochs, KEPT);
}

const KEPT: [[usize; 4]; 3] = [[4, 2, 4, 0], [2, 1, 0, 1], [4, 4, 1, 2]];

#[test]
fn drawing_follows_the_weights() {
    let weights = vec![1.0_f32, 0.0, 2.0, 0.5, 4.0, 0.0, 0.5];
    let sampler = sampler(weights.clone(), Pick::Weighted, SHUFFLED);
    let (mut total, mut seen) = (0_usize, vec![0_usize; weights.len()]);
    for epoch in 0..4_000 {
        let rows = sampler.epoch(epoch).unwrap();
        assert_eq!(rows.len(), 5, "as many as have a weight");
        total += rows.len();
        for (count, more) in seen.iter_mut().zip(counts(&rows, weights.len())) {
            *count += more;
        }
    }
    let sum: f32 = weights.iter().sum();
    for (row, &weight) in weights.iter().enumerate() {
        let p = f64::from(weight / sum);
        let expected = p * total as f64;
        // Five standard deviations of a binomial count.
        let bound = 5.0 * (expected * (1.0 - p)).sqrt();
        let off = (seen[row] as f64 - expected).abs();
        assert!(off <= bound, "row {row}: {} of {expected}", seen[row]);
    }
}

#[test]
fn fractions_of_weights_add_up_over_the_epochs() {
    let weights = vec![2.25_f32, 0.5, 0.0, 1.0, 0.1];
    let sampler = sampler(weights.clone(), Pick::Repeated, Order::Sequential);
    let epochs = 1_000;
    let mut seen = vec![0_usize; weights.len()];
    for epoch in 0..epochs {
        let rows = sampler.epoch(epoch).unwrap();
        assert!(rows.is_sorted());
        assert_eq!(rows.len(), sampler.epoch_rows(epoch).unwrap());
        for (row, (count, &weight)) in counts(&rows, 5).into_iter().zip(&weights).enumerate() {
            let whole = weight.floor() as usize;
            assert!(
                (whole..=weight.ceil() as usize).contains(&count),
                "row {row}"
            );
            seen[row] += count;
        }
    }
    for (row, &weight) in weights.iter().enumerate() {
        let off = seen[row] as f64 - f64::from(weight) * epochs as f64;
        // The golden ratio's sequence is off by a few at any length.
        assert!(off.abs() < 4.0, "row {row}: {off}");
    }
}

#[test]
fn weights_that_are_set_count_from_the_next_epoch_on() {
    let weights = Weights::ones(4).unwrap();
    let samplers = [
        (Pick::Once, Order::Sequential),
        (Pick::Once, SHUFFLED),
        (Pick::Weighted, SHUFFLED),
        (Pick::Repeated, Order::Sequential),
    ];
    let samplers = samplers.map(|(pick, order)| Sampler::new(&weights, pick, order).unwrap());
    for sampler in &samplers {
        assert_eq!(sampler.epoch(0).unwrap().len(), 4);
    }
    weights.set(vec![0.0, 1.0, 0.0, 0.0]).unwrap();
    for sampler in &samplers {
        assert_eq!(sampler.epoch(1).unwrap(), [1]);
    }
}

#[test]
fn weights_that_cannot_work_are_refused_with_the_row() {
    for bad in [-0.5, f32::NAN, f32::INFINITY] {
        let error = Weights::new(vec![1.0, bad]).unwrap_err();
        assert!(matches!(error, Error::Value { row: 1, .. }), "{error}");
    }
    for none in [vec![], vec![0.0, 0.0]] {
        let error = Weights::new(none).unwrap_err();
        assert!(error.to_string().contains("nothing is left"), "{error}");
    }
    let weights = Weights::ones(2).unwrap();
    for other in [vec![1.0; 3], vec![0.0; 2], vec![1.0, -1.0]] {
        assert_eq!(weights.set(other).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(*weights.get(), [1.0, 1.0], "they stay");
    }
    let error = Sampler::new(&weights, Pick::Weighted, Order::Sequential).unwrap_err();
    assert!(error.to_string().contains("Order::Shuffled"), "{error}");
    let huge = sampler(vec![1e30, 1.0], Pick::Repeated, SHUFFLED);
    assert!(matches!(huge.epoch(0), Err(Error::TooLarge { .. })));
}

#[test]
fn an_edited_table_is_sampled_by_its_weights_and_without_any_by_ones() {
    let folder = Location::open("memory://").unwrap().join("tables");
    let table = Table::create(&folder, "t", Columns::new().with("x", vec![0_i64, 1, 2])).unwrap();
    let weights = table.sampling_weights().unwrap();
    assert_eq!(*weights.get(), [1.0; 3]);
    let sampler = Sampler::new(&weights, Pick::Repeated, Order::Sequential).unwrap();
    assert_eq!(sampler.epoch(0).unwrap(), [0, 1, 2]);
    let edit = table.edit().add_column("w", ColumnKind::Weight);
    let table = edit.set_where("w", 2, "x = 1").commit().unwrap().table;
    weights.set(table.weights().unwrap().unwrap()).unwrap();
    assert_eq!(sampler.epoch(1).unwrap(), [0, 1, 1, 2]);
}

proptest! {
    #[test]
    fn no_row_without_a_weight_comes_and_none_is_out_of_range(
        weights in proptest::collection::vec(prop_oneof![Just(0.0_f32), 0.0..3.0_f32, Just(f32::MIN_POSITIVE)], 1..60),
        seed in any::<u64>(), epoch in any::<u64>(),
    ) {
        let Ok(shared) = Weights::new(weights.clone()) else { return Ok(()) };
        let order = Order::Shuffled { seed };
        for (pick, order) in [(Pick::Once, order), (Pick::Weighted, order), (Pick::Repeated, order), (Pick::Repeated, Order::Sequential)] {
            let rows = Sampler::new(&shared, pick, order).unwrap().epoch(epoch).unwrap();
            prop_assert!(rows.iter().all(|&row| weights[row] > 0.0));
            let sum: f32 = weights.iter().sum();
            match pick {
                Pick::Repeated => prop_assert!((rows.len() as f32 - sum).abs() <= 1.001),
                _ => prop_assert_eq!(rows.len(), weights.iter().filter(|weight| **weight > 0.0).count()),
            }
        }
    }
}
