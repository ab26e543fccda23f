//! The loop closed: train, rank the suspects, correct them in the table, train on the new revision,
//! and compare the two runs sample by sample.
//!
//! `cargo run --release -p emberlens-burn --example fix_labels`; `-- --help` lists the options.
//!
//! The digits come with right labels, and the example plants wrong ones. A person who looks at the
//! most suspicious images stands between the two trainings; here the label that an image came with is
//! that person's answer, for the images looked at and for no other.

mod args;
mod compare;
mod review;
mod train;

#[path = "../digits/batch.rs"]
mod batch;
#[path = "../digits/data.rs"]
mod data;
#[path = "../digits/idx.rs"]
mod idx;
#[path = "../digits/model.rs"]
mod model;
#[path = "../digits/source.rs"]
mod source;
#[path = "../digits/tables.rs"]
mod tables;

#[path = "../shared/arguments.rs"]
mod arguments;
#[path = "../shared/program.rs"]
mod program;
#[path = "../shared/reduction.rs"]
mod reduction;
#[path = "../shared/screen.rs"]
mod screen;
#[path = "../shared/share.rs"]
mod share;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use emberlens::run::RunReader;
use emberlens::table::Table;

use args::Args;
use data::Sample;
use program::{Ending, Failure};
use screen::say;
use train::Recipe;

const PROJECT: &str = "fix-labels";

fn main() -> ExitCode {
    program::end(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Ending, Failure> {
    let started = Instant::now();
    let splits = args.source.load(args.label_noise, args.seed)?;
    let project = program::open_project(args.root.as_deref(), PROJECT)?;
    let table = |part: &str, samples| {
        let data = args.source.name();
        let name = format!(
            "{data}-{part}-noise-{}-seed-{}",
            args.label_noise, args.seed
        );
        tables::open_or_create(&project, &name, samples, splits.side)
    };
    let noisy = with_planted_labels(table("train", &splits.train)?, &splits.train)?;
    let recipe = Recipe {
        project: &project,
        config: train::config(args, splits.side),
        valid_table: table("valid", &splits.valid)?,
        valid: splits.valid,
        side: splits.side,
        reduce: args.reduce,
    };

    say(&format!(
        "revision {} of `{}`: {} samples, {} of them with a planted wrong label\n",
        noisy.revision(),
        noisy.name(),
        splits.train.len(),
        splits.train.iter().filter(|one| one.planted()).count(),
    ));
    let first = recipe.train("noisy", &splits.train, &noisy)?;
    let before = first.run.reader()?;
    if first.interrupted.is_some() {
        return interrupted(&before);
    }

    let review = review::suspects(&before, &splits.train, args.review)?;
    say(&review.text);
    let fixed = review.correct(&noisy, &before)?;
    say(&format!(
        "\nrevision {} of `{}`: {} labels corrected\n",
        fixed.revision(),
        fixed.name(),
        review.corrections.len(),
    ));

    let samples = tables::labelled(&splits.train, &fixed)?;
    let second = recipe.train("corrected", &samples, &fixed)?;
    let after = second.run.reader()?;
    if second.interrupted.is_some() {
        return interrupted(&after);
    }
    let runs = [&before, &after];
    say(&compare::render(runs, &noisy, &recipe.valid_table, &fixed)?);
    say(&format!(
        "\nboth trainings and the comparison: {:.1} s\n",
        started.elapsed().as_secs_f64()
    ));
    say(&next(runs, args.root.as_deref(), &noisy, &fixed));
    Ok(Ending::Complete)
}

/// The table with the planted labels: as it was created, or, where an earlier run of this program has
/// corrected it, in a new revision that plants them anew.
fn with_planted_labels(table: Table, samples: &[Sample]) -> Result<Table, Failure> {
    let planted = (0_u64..).zip(samples.iter().map(|sample| sample.label));
    let edit = table.edit().set_each("label", planted);
    let edited = edit.note("the example plants its wrong labels").commit()?;
    Ok(edited.table)
}

fn interrupted(run: &RunReader) -> Result<Ending, Failure> {
    say(&format!(
        "\nrun `{}`: {}; nothing was corrected after it\n  {}\n",
        run.name(),
        run.status(),
        program::place(run)
    ));
    Ok(Ending::Interrupted)
}

fn next(
    [before, after]: [&RunReader; 2],
    root: Option<&str>,
    noisy: &Table,
    fixed: &Table,
) -> String {
    let Some(cli) = program::command_line(before, root) else {
        return String::new();
    };
    let (before, after, table) = (before.name(), after.name(), noisy.name());
    let (old, new) = (noisy.revision(), fixed.revision());
    let command = |arguments: String| format!("  {cli} --project {PROJECT} {arguments}\n");
    [
        "\nnext:\n".to_owned(),
        command(format!("top {before} --by loss --mean --split train -n 20")),
        command(format!("revisions {table}")),
        command(format!("diff {table}@{old} {table}@{new}")),
        command(format!("top {after} --by loss --mean --split train -n 20")),
        command(format!(
            "plot embedding {after} --split train --color loss -o corrected.png"
        )),
        command(format!(
            "undo {table}@{new}    # should the reviewer have been wrong"
        )),
    ]
    .concat()
}
