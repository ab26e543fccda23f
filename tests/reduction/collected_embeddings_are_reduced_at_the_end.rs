//! At the end of a training the collected embeddings are reduced as the options say, also those of
//! a few samples and of a training that diverged.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::callback::{
    Callback, Callbacks, Collectors, EmbeddingsMethod, Join, MetricsCollection, TrainingContext,
};
use emberlens::run::{Project, Run, Status};
use emberlens::table::{Column, Columns};
use ndarray::Array2;

fn start() -> Run {
    let project = Project::open("memory://", "collected").unwrap();
    project.run("cnn").start().unwrap()
}

/// Trains for three epochs; the embedding of a sample is `model * (i, i^2)`.
fn train(
    run: &Run,
    samples: usize,
    weights: [f32; 3],
    set: impl FnOnce(MetricsCollection<f32>) -> MetricsCollection<f32>,
) {
    let collection = set(MetricsCollection::new().run(run)).split(
        "train",
        (0..samples).map(|i| i as f32).collect::<Vec<_>>(),
        Join::none(),
        |items: Vec<f32>| Ok(items),
        |weight: &f32, _: &Vec<f32>| Ok(*weight),
        Collectors::new().embedding(|batch: &Vec<f32>, weight: &f32| {
            let rows = Array2::from_shape_fn((batch.len(), 2), |(i, j)| {
                weight * batch[i].powi(j as i32 + 1)
            });
            Ok(Columns::new().with("embedding", Column::embedding(rows.view())))
        }),
    );
    let mut callbacks = Callbacks::new().with(collection);
    let _ = callbacks.on_training_start(&TrainingContext::<f32>::new(0, 3));
    for (epoch, weight) in weights.iter().enumerate() {
        let context = TrainingContext {
            model: Some(weight),
            ..TrainingContext::new(epoch, 3)
        };
        let _ = callbacks.on_train_loader_end(&context);
    }
    let context = TrainingContext {
        model: Some(&weights[2]),
        ..TrainingContext::new(2, 3)
    };
    let _ = callbacks.on_training_end(&context);
    callbacks.finish().unwrap();
}

const METHODS: [EmbeddingsMethod; 3] = [
    EmbeddingsMethod::Pacmap,
    EmbeddingsMethod::Umap,
    EmbeddingsMethod::Pca,
];

#[test]
fn a_training_that_diverged_completes() {
    for method in METHODS {
        let run = start();
        train(&run, 8, [1.0, 2.0, f32::NAN], |own| {
            own.embeddings_method(method)
        });
        assert_eq!(run.status(), Status::Completed, "{method:?}");
        let reader = run.reader().unwrap();
        let info = &reader.projections()[0];
        assert_eq!((info.rows, info.rows_not_finite), (16, 8), "{method:?}");
        assert_eq!(info.fitted_on().unwrap().epoch, Some(1));
    }
}

#[test]
fn a_data_set_of_very_few_samples_completes() {
    for method in METHODS {
        for samples in 1..=4 {
            let run = start();
            train(&run, samples, [1.0, 2.0, 3.0], |own| {
                own.embeddings_method(method)
            });
            assert_eq!(run.status(), Status::Completed, "{method:?}");
            let reader = run.reader().unwrap();
            let info = &reader.projections()[0];
            assert_eq!(info.rows, 3 * samples as u64, "{method:?} of {samples}");
            let placed = reader.projection(&info.name).matrix().unwrap();
            assert!(placed.iter().all(|value| value.is_finite()), "{placed:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_dims_are_kept() {
    let reduced = |seed: u64| {
        let run = start();
        train(&run, 40, [1.0, 2.0, 3.0], |own| {
            own.embeddings_seed(seed).embeddings_dims(3)
        });
        let reader = run.reader().unwrap();
        let matrix = reader.projection("embedding-pacmap").matrix().unwrap();
        assert_eq!(matrix.dim(), (120, 3));
        matrix
    };
    assert_eq!(reduced(7), reduced(7));
    assert_ne!(reduced(7), reduced(8));
}

#[test]
fn a_sample_may_be_learnt_from_and_the_vectors_let_go() {
    let run = start();
    train(&run, 30, [1.0, 2.0, 3.0], |own| {
        own.embeddings_fit_sample(12).keep_embeddings(false)
    });
    let reader = run.reader().unwrap();
    let info = &reader.projections()[0];
    assert_eq!((info.rows, info.fitted_on().unwrap().rows), (90, 12));
    let vectors: Vec<Option<Vec<f32>>> = reader.metrics("default").values("embedding").unwrap();
    assert!(vectors.iter().all(Option::is_none));
}

#[test]
fn an_aligned_layout_stands_beside_the_fitted_one() {
    let run = start();
    train(&run, 30, [1.0, 2.0, 3.0], |own| {
        own.embeddings_aligned(0.5).keep_embeddings(false)
    });
    let reader = run.reader().unwrap();
    let made: Vec<(&str, bool, u64)> = reader
        .projections()
        .iter()
        .map(|info| (info.name.as_str(), info.aligned, info.rows))
        .collect();
    assert_eq!(
        made,
        [
            ("embedding-pacmap-aligned", true, 90),
            ("embedding-pacmap", false, 90)
        ]
    );
    for (name, _, _) in made {
        assert_eq!(reader.movement(name).unwrap().len(), 2, "{name}");
    }
}

#[test]
fn options_that_cannot_work_are_errors_before_the_training() {
    let split = |own: MetricsCollection<f32>| {
        own.split(
            "train",
            vec![1.0_f32],
            Join::none(),
            |items: Vec<f32>| Ok(items),
            |weight: &f32, _: &Vec<f32>| Ok(*weight),
            Collectors::new().prediction(|batch: &Vec<f32>, _: &f32| {
                Ok(Columns::new().with("value", batch.clone()))
            }),
        )
    };
    let refused = |own: MetricsCollection<f32>| {
        let mut collection = split(own.run(&start()));
        let context = TrainingContext::<f32>::new(0, 1);
        let error = collection.on_training_start(&context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let new = MetricsCollection::<f32>::new;
    assert!(refused(new().embeddings_dims(0)).contains("embeddings_dims"));
    assert!(refused(new().embeddings_fit_sample(0)).contains("embeddings_fit_sample"));
    assert!(refused(new().embeddings_aligned(-1.0)).contains("embeddings_aligned"));
}
