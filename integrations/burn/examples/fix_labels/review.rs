//! The samples that a person would look through, and what became of them.

use std::fmt::Write;

use emberlens::run::RunReader;
use emberlens::run::ranking::{Epochs, RankBy, RankedSample};
use emberlens::table::Table;

use crate::data::{CLASSES, Sample};
use crate::program::Failure;

const SHOWN: usize = 10;

/// What the reviewer found.
pub struct Review {
    /// The same as text.
    pub text: String,
    /// Row and right label of every sample that was looked at and had a wrong one.
    pub corrections: Vec<(u64, u8)>,
    looked_at: usize,
}

/// Ranks the training samples by their mean loss over the epochs, and has the first ones reviewed.
pub fn suspects(run: &RunReader, train: &[Sample], share: f64) -> Result<Review, Failure> {
    let by_mean = RankBy::column("loss").split("train").epochs(Epochs::Mean);
    let ranked = run.rank(&by_mean)?.ranking.samples;
    let looked_at = (train.len() as f64 * share).round() as usize;

    let mut corrections = Vec::new();
    for suspect in ranked.iter().take(looked_at) {
        let (row, sample) = row(suspect, train)?;
        let answer = answer_of_the_reviewer(sample);
        if answer != sample.label {
            corrections.push((row, answer));
        }
    }
    let mut text = format!(
        "\nthe first {} of the {looked_at} samples to review, by mean loss over the epochs:\n  \
         example_id  mean loss  label    predicted  the reviewer says\n",
        SHOWN.min(looked_at)
    );
    for suspect in ranked.iter().take(SHOWN.min(looked_at)) {
        let (row, sample) = row(suspect, train)?;
        let predicted = suspect.predicted.as_ref();
        let answer = answer_of_the_reviewer(sample);
        writeln!(
            text,
            "  {row:>10}  {:>9.3}  {:<7}  {:<9}  {}",
            suspect.value,
            CLASSES[usize::from(sample.label)],
            predicted
                .and_then(|class| class.name.as_deref())
                .unwrap_or("-"),
            match answer == sample.label {
                true => "right as it is",
                false => CLASSES[usize::from(answer)],
            },
        )?;
    }
    let planted = train.iter().filter(|sample| sample.planted()).count();
    writeln!(
        text,
        "planted label errors ({planted}) among the {looked_at} reviewed: {}",
        corrections.len()
    )?;
    Ok(Review {
        text,
        corrections,
        looked_at,
    })
}

/// What a person would say who looks at the image.
fn answer_of_the_reviewer(sample: &Sample) -> u8 {
    sample.true_label
}

fn row<'a>(suspect: &RankedSample, train: &'a [Sample]) -> Result<(u64, &'a Sample), Failure> {
    let row = usize::try_from(suspect.example_id)?;
    let sample = train.get(row);
    let missing = || format!("example_id {row} is not in the table");
    Ok((row as u64, sample.ok_or_else(missing)?))
}

impl Review {
    /// Writes the corrections as the next revision of the table.
    pub fn correct(&self, table: &Table, run: &RunReader) -> Result<Table, Failure> {
        let note = format!(
            "{} of the {} samples of highest mean loss in run {} were mislabelled",
            self.corrections.len(),
            self.looked_at,
            run.id()
        );
        let edit = table.edit().set_each("label", self.corrections.clone());
        Ok(edit.author("the reviewer").note(note).commit()?.table)
    }
}
