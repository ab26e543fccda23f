//! What linfa's classifiers say about a batch, in the order of the classes.

use std::borrow::Borrow;

use emberlens::metrics::Labelled;
use emberlens::table::{Column, Columns};
use emberlens::{Error, Result};
use linfa::dataset::Label;
use linfa_ndarray::{ArrayBase, ArrayView1, Data, Ix1};

use crate::border::Value;
use crate::classes::Classes;
use crate::samples::Batch;

impl<L: Label> Classes<L> {
    /// The probabilities of a classifier, for the collector of
    /// [`ScoreKind::Probabilities`](emberlens::metrics::ScoreKind::Probabilities).
    ///
    /// `columns` are pairs of a label and the probabilities of that class, in the order of the
    /// model; a class that the model was not fitted to has the probability 0.
    ///
    /// | model | columns |
    /// |---|---|
    /// | `MultiLogisticRegression` | `model.classes().iter().zip(p.columns())` with `p` its `predict_probabilities` |
    /// | `LogisticRegression` | `[(&labels.neg.class, 1.0 - &p), (&labels.pos.class, p)]` with its `labels()` |
    /// | naive Bayes | `classes.into_iter().zip(p.columns())` of its `predict_proba`; better [`Classes::logits`] |
    ///
    /// # Shapes and units
    /// Every column `[batch]`; the scores `[batch, classes]`.
    ///
    /// # Errors
    /// `Invalid` for a label that is no class or comes twice, or a column of another length.
    ///
    /// ```
    /// use emberlens::collect::collect_metrics;
    /// use emberlens::metrics::ScoreKind;
    /// use emberlens::run::Project;
    /// use emberlens_linfa::{Batch, Classes, Samples};
    /// use linfa::traits::Fit;
    /// use linfa_logistic::MultiLogisticRegression;
    ///
    /// let iris = linfa_datasets::iris();
    /// let model = MultiLogisticRegression::default().fit(&iris)?;
    ///
    /// let classes = Classes::of(&iris);
    /// let samples = Samples::labelled(&iris, &classes)?;
    /// let run = Project::open("memory://", "flowers")?.run("logistic").start()?;
    /// let report = collect_metrics(&samples)
    ///     .collate(Batch::of)
    ///     .predictor(|batch: &Batch<f64>| {
    ///         let p = model.predict_probabilities(&batch.records);
    ///         classes.probabilities(batch, model.classes().iter().zip(p.columns()))
    ///     })
    ///     .collector(classes.collector(ScoreKind::Probabilities))
    ///     .without_table()
    ///     .split("train")
    ///     .into_run(&run)?;
    /// assert!(report.aggregate("train_accuracy_avg").unwrap() > 0.95);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn probabilities<F: Value>(
        &self,
        batch: &Batch<F>,
        columns: impl IntoIterator<Item = (impl Borrow<L>, ArrayBase<impl Data<Elem = F>, Ix1>)>,
    ) -> Result<Labelled> {
        self.scores(batch, columns, 0.0)
    }

    /// The logits of a classifier (log-probabilities up to a constant per sample), for the collector
    /// of [`ScoreKind::Logits`](emberlens::metrics::ScoreKind::Logits).
    ///
    /// As [`Classes::probabilities`]; a class that the model was not fitted to has the logit minus
    /// infinity. This is the way for naive Bayes: `columns` is its `joint_log_likelihood`, of which
    /// `predict_proba` makes NaN where the likelihoods of all classes underflow.
    ///
    /// # Errors
    /// Those of [`Classes::probabilities`].
    ///
    /// ```
    /// use emberlens_linfa::{Batch, Classes};
    /// use linfa::traits::Fit;
    /// use linfa_bayes::{GaussianNb, NaiveBayes};
    ///
    /// let iris = linfa_datasets::iris();
    /// let model = GaussianNb::params().fit(&iris)?;
    /// let classes = Classes::of(&iris);
    /// let batch = Batch { records: iris.records, targets: vec![0; 150] };
    /// let scores = classes.logits(&batch, model.joint_log_likelihood(batch.records.view()))?;
    /// assert_eq!(scores.scores.dim(), (150, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn logits<F: Value>(
        &self,
        batch: &Batch<F>,
        columns: impl IntoIterator<Item = (impl Borrow<L>, ArrayBase<impl Data<Elem = F>, Ix1>)>,
    ) -> Result<Labelled> {
        self.scores(batch, columns, f32::NEG_INFINITY)
    }

    /// The columns `predicted` and `accuracy` of a classifier that gives labels only.
    ///
    /// They have the names, types and meaning of
    /// [`classification_columns`](emberlens::metrics::classification_columns); the columns of those
    /// that need a probability are left out.
    ///
    /// # Shapes and units
    /// `predicted` `[batch]`, what [`Predict`](linfa::traits::Predict) returns.
    ///
    /// # Errors
    /// `Invalid` for a label that is no class, or another number of labels than of samples.
    ///
    /// ```
    /// use emberlens_linfa::{Batch, Classes};
    /// use linfa_ndarray::array; // ndarray 0.16
    ///
    /// let classes = Classes::new(["bad", "good"]);
    /// let batch = Batch { records: array![[7.4], [9.9]], targets: vec![0, 0] };
    /// let predicted = array!["good", "bad"]; // model.predict(&batch.records)
    /// let columns = classes.prediction_columns(&batch, predicted.view())?;
    /// assert_eq!(columns.names().collect::<Vec<_>>(), ["predicted", "accuracy"]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn prediction_columns<F>(
        &self,
        batch: &Batch<F>,
        predicted: ArrayView1<'_, L>,
    ) -> Result<Columns> {
        let indices = self.indices("predicted label of sample", predicted)?;
        check_length("predicted", batch.targets.len(), indices.len())?;
        let right = indices.iter().zip(&batch.targets);
        let accuracy: Vec<f32> = right
            .map(|(&index, &target)| f32::from(index as i64 == target))
            .collect();
        let predicted: Vec<i32> = indices.into_iter().map(|index| index as i32).collect();
        let predicted = Column::from(predicted).role(self.role());
        Ok(Columns::new()
            .with("predicted", predicted)
            .with("accuracy", accuracy))
    }

    fn scores<F: Value>(
        &self,
        batch: &Batch<F>,
        columns: impl IntoIterator<Item = (impl Borrow<L>, ArrayBase<impl Data<Elem = F>, Ix1>)>,
        missing: f32,
    ) -> Result<Labelled> {
        let samples = batch.targets.len();
        let mut scores = ndarray::Array2::from_elem((samples, self.len()), missing);
        let mut given = vec![false; self.len()];
        for (label, values) in columns {
            let label = label.borrow();
            let class = self.class(|| "class of the model".into(), label)?;
            if std::mem::replace(&mut given[class], true) {
                return Err(Error::invalid(
                    "class of the model",
                    format!("{label:?}"),
                    "it has scores already",
                    "give each class one column",
                ));
            }
            check_length(&format!("scores of class {label:?}"), samples, values.len())?;
            for (score, &value) in scores.column_mut(class).iter_mut().zip(&values) {
                *score = value.single();
            }
        }
        Ok(Labelled {
            scores,
            labels: batch.targets.clone(),
        })
    }
}

fn check_length(column: &str, expected: usize, found: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        column: column.into(),
        expected,
        found,
        place: "a batch of linfa samples".into(),
    })
}
