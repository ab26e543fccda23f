//! How the collection callback answers the events of a training.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::collection::{MetricsCollection, Options};
use super::splits::{PassRequest, SplitPass};
use super::{Callback, TrainingContext};
use crate::collect::{Origin, PassReport};
use crate::run::{At, Run};
use crate::{Error, ErrorKind, Result};

/// The epoch of the weights before epoch 0.
const BEFORE_TRAINING: i64 = -1;

/// The parameter with the number of epochs that a training is configured for.
const TOTAL_EPOCHS: &str = "total_epochs";

/// The end of an epoch writes its scalars unless some were written within this time: many short epochs
/// share a commit.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// What the collection remembers of one training.
#[derive(Default)]
pub(super) struct State {
    run: Option<(Run, Origin)>,
    /// Aggregates of the training program that are logged already.
    logged: usize,
    /// The epoch whose final weights were collected last.
    collected: Option<i64>,
    /// Embedding columns seen.
    embeddings: BTreeSet<String>,
    /// Why the training was interrupted.
    interruption: Option<String>,
    /// The first failure of this callback, for loops that do not report it back.
    failure: Option<String>,
}

impl<M> Callback<M> for MetricsCollection<M> {
    fn on_training_start(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.state = State {
            // A collection that was resumed keeps what an earlier part of the training logged.
            logged: context.aggregates.len(),
            ..State::default()
        };
        self.check()?;
        let run = self.start()?;
        self.watched(|own| {
            own.take_back(&run, context)?;
            own.log_hyperparameters(&run, context)?;
            let before = weights_before(context.epoch);
            if own.options.schedule.collects_before_training() && !own.is_collected(&run, before)? {
                own.collect_weights(&run, context.model, before, "on_training_start")?;
            }
            // A training that is taken up again does not collect these weights anew.
            run.flush()
        })
    }

    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let run = self.adopted("on_train_loader_end")?;
        let epoch = as_epoch(context.epoch);
        self.watched(|own| {
            own.log_aggregates(&run, context)?;
            if let Some(rate) = context.learning_rate {
                run.log(&[("learning_rate", rate)], At::epoch(epoch))?;
            }
            if own.options.schedule.due(context.epoch) {
                own.collect_weights(&run, context.model, epoch, "on_train_loader_end")?;
            }
            Ok(())
        })
    }

    fn on_validation_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let run = self.adopted("on_validation_loader_end")?;
        self.watched(|own| own.log_aggregates(&run, context))
    }

    fn on_epoch_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let run = self.adopted("on_epoch_end")?;
        self.watched(|own| {
            own.log_aggregates(&run, context)?;
            run.flush_unless_within(WRITTEN_WITHIN)
        })
    }

    fn on_interrupted(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let reason = context
            .interruption
            .unwrap_or("the training was stopped early");
        self.state.interruption = Some(reason.to_owned());
        let run = self.adopted("on_interrupted")?;
        run.interrupt(reason)
    }

    fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let ended = [self.end_training(context), self.close(context)];
        Error::all(ended.into_iter().filter_map(Result::err).collect())
    }

    fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let Some(run) = self.run_in_use().cloned() else {
            // The start failed before there was a run; its error is with the list already.
            return Ok(());
        };
        let failure = context.failure.or(self.state.failure.as_deref());
        let worked = match failure.is_some() {
            true => self.log_aggregates(&run, context),
            false => self.finish_work(&run, context),
        };
        worked.inspect_err(|error| self.remember(error))
    }

    fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let Some(run) = self.run_in_use() else {
            return Ok(());
        };
        if let Some(reason) = context.failure.or(self.state.failure.as_deref()) {
            return run.fail(reason);
        }
        let interruption = self.state.interruption.as_deref().or(context.interruption);
        match interruption {
            Some(reason) => run.interrupt(reason),
            None if self.options.cancel.is_cancelled() => run.interrupt("stopped on request"),
            None => run.complete(),
        }
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("MetricsCollection")
    }
}

impl<M> MetricsCollection<M> {
    /// What a resumed run holds about epochs that are trained again does not count any more.
    fn take_back(&self, run: &Run, context: &TrainingContext<'_, M>) -> Result<()> {
        // A training that failed before it began takes nothing back.
        if !run.awaits_epoch() || context.failure.is_some() {
            return Ok(());
        }
        let Some(epoch) = context.starting_epoch else {
            return Err(Error::invalid(
                "starting epoch",
                "unknown",
                format!(
                    "run `{}` was resumed and replaces what follows it",
                    run.id()
                ),
                "let the training tell its epochs, or resume with RunBuilder::from_epoch",
            ));
        };
        run.discard_from(as_epoch(epoch))
    }

    /// The run in use; `None` before the first training or direct collection.
    pub fn run_in_use(&self) -> Option<&Run> {
        self.state.run.as_ref().map(|(run, _)| run)
    }

    /// Collects all splits once, outside a training.
    ///
    /// The run is found as for a training. One that was started for this is completed after every
    /// call; any other keeps its status.
    ///
    /// # Errors
    /// As [`CollectMetrics::collect`](crate::collect::CollectMetrics::collect), and `Invalid` for
    /// wrong options. A run that was started for this becomes failed or interrupted.
    pub fn collect_metrics_direct(
        &mut self,
        model: &M,
        epoch: impl Into<Option<i64>>,
    ) -> Result<Vec<PassReport>> {
        self.check()?;
        let run = match self.run_in_use() {
            Some(run) => run.clone(),
            None => self.start()?,
        };
        let outcome = self.collect_splits(&run, model, epoch.into());
        let flushed = run.flush();
        let outcome = outcome.and_then(|reports| flushed.map(|()| reports));
        if matches!(self.state.run, Some((_, Origin::Created))) {
            let ended = crate::collect::end_run(&run, outcome.as_ref().err());
            return outcome.and_then(|reports| ended.map(|()| reports));
        }
        outcome
    }

    fn start(&mut self) -> Result<Run> {
        let (run, origin) = self.target.resolve()?;
        self.state.run = Some((run.clone(), origin));
        run.log_parameters(&self.options.recorded())?;
        self.chosen_splits()
            .filter_map(SplitPass::table)
            .try_for_each(|table| run.add_input(table))?;
        Ok(run)
    }

    fn adopted(&self, event: &str) -> Result<Run> {
        self.run_in_use().cloned().ok_or_else(|| {
            Error::invalid(
                event,
                "without a run",
                "the training did not start, or its start failed",
                "call on_training_start first",
            )
        })
    }

    fn log_hyperparameters(&self, run: &Run, context: &TrainingContext<'_, M>) -> Result<()> {
        if !context.hyperparameters.is_null() {
            run.log_parameters(context.hyperparameters)?;
        }
        // The program's own word for it wins; a training that was resumed may be a longer one.
        if context.hyperparameters.get(TOTAL_EPOCHS).is_some() {
            return Ok(());
        }
        let total = json!(context.total_epochs);
        match run.reader()?.parameters().get(TOTAL_EPOCHS) {
            Some(known) if *known == total => Ok(()),
            _ => run.log_parameters(&json!({ TOTAL_EPOCHS: total })),
        }
    }

    fn log_aggregates(&mut self, run: &Run, context: &TrainingContext<'_, M>) -> Result<()> {
        for aggregate in context.aggregates.iter().skip(self.state.logged) {
            let at = At::epoch(as_epoch(aggregate.epoch));
            run.log_split(&aggregate.split, &[(&aggregate.name, aggregate.value)], at)?;
            self.state.logged += 1;
        }
        Ok(())
    }

    /// Whether the run holds these weights already, from before it was resumed.
    fn is_collected(&self, run: &Run, epoch: i64) -> Result<bool> {
        let passes = run.reader()?.passes(&self.options.stream);
        Ok(self.chosen_splits().all(|split| {
            let same = |pass: &crate::run::PassRecord| {
                pass.split == split.split() && pass.epoch == Some(epoch)
            };
            passes.iter().any(same)
        }))
    }

    /// The epoch of the weights at the end, unless they were collected.
    fn uncollected_weights(
        &self,
        run: &Run,
        context: &TrainingContext<'_, M>,
    ) -> Result<Option<i64>> {
        let collected = self.state.collected;
        let (last, is_known) = if context.untrained {
            let first = context.starting_epoch.unwrap_or(context.epoch);
            let last = weights_before(first);
            (last, collected.is_some() || last == BEFORE_TRAINING)
        } else {
            let last = last_weights(context);
            (last, collected == Some(last))
        };
        let none_trained = context.untrained || context.epoch >= context.total_epochs;
        let is_known = is_known || (none_trained && self.is_collected(run, last)?);
        Ok((!is_known).then_some(last))
    }

    fn collect_weights(
        &mut self,
        run: &Run,
        model: Option<&M>,
        epoch: i64,
        event: &str,
    ) -> Result<()> {
        let model = model.ok_or_else(|| {
            Error::invalid(
                "model",
                "none",
                format!("collecting at {event} needs the model"),
                "set TrainingContext::model, or take this moment out of the schedule",
            )
        })?;
        self.collect_splits(run, model, Some(epoch))?;
        self.state.collected = Some(epoch);
        Ok(())
    }

    /// Does the work of an event; its first error is remembered and shown by the run at once.
    fn watched(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Err(error) = work(self) else {
            return Ok(());
        };
        self.remember(&error);
        let told = match self.run_in_use() {
            Some(run) => crate::collect::end_run(run, Some(&error)),
            None => Ok(()),
        };
        match told {
            Ok(()) => Err(error),
            Err(second) => Err(Error::Several {
                problems: vec![error, second],
            }),
        }
    }

    /// Keeps the first failure and the first interruption for the status at the end.
    fn remember(&mut self, error: &Error) {
        let remembered = match error.kind() {
            ErrorKind::Interrupted => &mut self.state.interruption,
            _ => &mut self.state.failure,
        };
        remembered.get_or_insert_with(|| error.chain());
    }

    fn collect_splits(
        &mut self,
        run: &Run,
        model: &M,
        epoch: Option<i64>,
    ) -> Result<Vec<PassReport>> {
        let options = &self.options;
        let loader = options.loader();
        let request = PassRequest {
            run,
            epoch,
            stream: &options.stream,
            loader: &loader,
            predictions: options.predictions,
            embeddings: options.embeddings,
            exclude_zero_weights: options.exclude_zero_weights,
            aggregates: options.aggregates,
            task_parameters: &options.task_parameters,
            image_column: options.image_column.as_deref(),
            label_column: options.label_column.as_deref(),
            cancel: &options.cancel,
            progress: options.progress.as_ref(),
        };
        let passes = self
            .chosen_splits()
            .map(|split| split.collect(model, &request));
        let reports: Vec<PassReport> = passes.collect::<Result<_>>()?;
        let columns = reports
            .iter()
            .flat_map(|report| report.embedding_columns.clone());
        self.state.embeddings.extend(columns);
        Ok(reports)
    }

    /// What is left to do at the end of a training that did not fail.
    fn finish_work(&mut self, run: &Run, context: &TrainingContext<'_, M>) -> Result<()> {
        self.log_aggregates(run, context)?;
        // Who pressed Ctrl-C does not want to wait for another pass or a reduction.
        if self.options.cancel.is_cancelled() {
            return Ok(());
        }
        if self.options.schedule.collects_at_training_end()
            && let Some(last) = self.uncollected_weights(run, context)?
        {
            self.collect_weights(run, context.model, last, "on_training_end")?;
        }
        // A reduction may take long.
        run.flush()?;
        self.options.reduce(run, &self.state.embeddings)
    }
}

impl Options {
    /// What readers of the run may want to know: parameters of the task and named columns.
    fn recorded(&self) -> Value {
        let mut recorded = json!({});
        if !self.task_parameters.is_null() {
            recorded["task"] = self.task_parameters.clone();
        }
        for (key, column) in [
            ("image_column", &self.image_column),
            ("label_column", &self.label_column),
        ] {
            if let Some(column) = column {
                recorded["collection"][key] = json!(column);
            }
        }
        recorded
    }
}

/// The epoch under which the weights at the start of `epoch` are kept.
fn weights_before(epoch: usize) -> i64 {
    as_epoch(epoch).saturating_sub(1).max(BEFORE_TRAINING)
}

/// The epoch of the weights at the end: one that was trained, also when none was left to train.
fn last_weights<M>(context: &TrainingContext<'_, M>) -> i64 {
    as_epoch(context.epoch).min(as_epoch(context.total_epochs).saturating_sub(1))
}

fn as_epoch(epoch: usize) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}
