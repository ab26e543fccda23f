//! One training on one revision of the table; both runs of the example are made by it.

use std::sync::Arc;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::Learner;
use burn::train::metric::{AccuracyMetric, LossMetric};
use emberlens::run::Project;
use emberlens::table::Table;
use emberlens_burn::Lens;

use crate::args::Args;
use crate::batch::ImageBatcher;
use crate::data::{CLASSES, Sample};
use crate::model::{Cnn, CnnConfig};
use crate::program::{Failure, Launched};
use crate::reduction::Reduction;
use crate::screen::{EpochLines, say};

/// What is recorded with the runs.
#[derive(Config, Debug)]
pub struct TrainingConfig {
    model: CnnConfig,
    optimizer: AdamConfig,
    learning_rate: f64,
    batch_size: usize,
    epochs: usize,
    label_noise: f64,
    seed: u64,
}

/// The parameters that the user chose.
pub fn config(args: &Args, side: usize) -> TrainingConfig {
    TrainingConfig {
        model: CnnConfig::new(side, CLASSES.len()),
        optimizer: AdamConfig::new(),
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        epochs: args.epochs,
        label_noise: args.label_noise,
        seed: args.seed,
    }
}

/// Everything that both trainings have alike, so that they differ in the labels alone.
pub struct Recipe<'a> {
    pub project: &'a Project,
    pub config: TrainingConfig,
    pub valid: Vec<Sample>,
    pub valid_table: Table,
    pub side: usize,
    pub reduce: Reduction,
}

impl Recipe<'_> {
    /// Trains a network from the same first weights on `samples`, the rows of this revision.
    pub fn train(
        &self,
        name: &str,
        samples: &[Sample],
        table: &Table,
    ) -> Result<Launched, Failure> {
        let config = &self.config;
        say(&format!(
            "\ntraining `{name}` on revision {}\n",
            table.revision()
        ));
        let device = Device::default().autodiff();
        device.seed(config.seed);
        let batcher = ImageBatcher { side: self.side };
        let train_set = Arc::new(InMemDataset::new(samples.to_vec()));
        let valid_set = Arc::new(InMemDataset::new(self.valid.clone()));
        let loader = || DataLoaderBuilder::new(batcher.clone()).batch_size(config.batch_size);
        let train_loader = loader().shuffle(config.seed).build(train_set.clone());
        let valid_loader = loader().build(valid_set.clone());

        let lens = Lens::<Cnn, _>::in_project(self.project, batcher.clone(), train_set, valid_set)
            .run_name(name)
            .description(format!(
                "Digits, with the labels of revision {}",
                table.revision()
            ))
            .hyperparameters(config)?
            .train_table(table) // the run records which revision it was
            .valid_table(&self.valid_table)
            .class_names(CLASSES)
            .configure(|collection| collection.embeddings_method(self.reduce.method()));
        let logs = tempfile::tempdir()?;
        let training = lens
            .training(logs.path(), train_loader, valid_loader)
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .with_application_logger(None)
            .renderer(Box::new(EpochLines::of("Accuracy", 1, " %")))
            .num_epochs(config.epochs);
        let learner = Learner::new(
            lens.track(config.model.init(&device)),
            config.optimizer.init(),
            config.learning_rate,
        );
        Launched::new(lens.launch(training, learner))
    }
}
