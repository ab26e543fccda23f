//! The sentences as versioned tables, with the text itself.

use emberlens::run::Project;
use emberlens::table::{Column, Columns, Role, Table};

use crate::corpus::Sentence;
use crate::program::Failure;
use crate::table;

/// The table of these sentences; their labels may have been edited since it was made.
pub fn open_or_create(
    project: &Project,
    name: &str,
    sentences: &[Sentence],
    classes: &[&str],
) -> Result<Table, Failure> {
    let create = || Ok(project.create_table(name, columns(sentences, classes))?);
    table::open_or_create(project, name, create, |table| {
        let texts = table.column::<String>("text")?;
        Ok(texts.iter().eq(sentences.iter().map(|one| &one.text)))
    })
}

/// The sentences with the labels that they have in this revision of their table.
pub fn labelled(sentences: &[Sentence], table: &Table) -> Result<Vec<Sentence>, Failure> {
    let labels = table.column::<i32>("label")?;
    let labelled = sentences.iter().zip(labels);
    labelled
        .map(|(sentence, label)| {
            Ok(Sentence {
                label: usize::try_from(label)?,
                ..sentence.clone()
            })
        })
        .collect()
}

fn columns(sentences: &[Sentence], classes: &[&str]) -> Columns {
    let labels = |of: fn(&Sentence) -> usize| {
        let labels: Vec<i32> = sentences.iter().map(|one| of(one) as i32).collect();
        Column::from(labels).role(Role::category(classes.iter().copied()))
    };
    let texts: Vec<String> = sentences.iter().map(|one| one.text.clone()).collect();
    let words = sentences
        .iter()
        .map(|one| one.text.split_whitespace().count() as i32);
    let planted: Vec<bool> = sentences.iter().map(Sentence::planted).collect();
    Columns::new()
        .with("text", texts)
        .with("label", labels(|one| one.label))
        .with("true_label", labels(|one| one.true_label))
        .with("planted", planted)
        .with("words", words.collect::<Vec<_>>())
}
