//! The sentences as versioned tables, with the text itself.

use emberlens::ErrorKind;
use emberlens::run::Project;
use emberlens::table::{Column, Columns, Role, Table};

use crate::corpus::Sentence;
use crate::program::Failure;

/// The table of these sentences: created, or the one that an earlier run created, at its latest
/// revision.
pub fn open_or_create(
    project: &Project,
    name: &str,
    sentences: &[Sentence],
    classes: &[&str],
) -> Result<Table, Failure> {
    let found = match project.table(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match project.create_table(name, columns(sentences, classes)) {
                Ok(table) => return Ok(table),
                // Another run of this program, started at the same time, was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => project.table(name)?,
                Err(error) => return Err(error.into()),
            }
        }
        found => found?,
    };
    let texts = found.column::<String>("text")?;
    match texts.iter().eq(sentences.iter().map(|one| &one.text)) {
        true => Ok(found),
        false => Err(format!(
            "table `{name}` holds other sentences; delete it or use another --root ({})",
            found.url()
        )
        .into()),
    }
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
