//! What documents claim, checked before anybody follows it: paths that lead out of the run, and counts
//! that no run has.

use super::facts::Fact;
use super::{InputTable, PassRecord, ProjectionInfo};
use crate::storage::{leads_out, without_credentials};

/// More rows than a pass can have; sums of thousands of them fit into 64 bits.
const MAX_ROWS: u64 = 1 << 48;

/// More coordinates than a reduction gives.
const MAX_DIMS: usize = 1 << 16;

/// Takes the credentials out of the addresses of a document: none of ours has them, and readers show
/// addresses and quote them in errors.
pub(super) fn strip(fact: &mut Fact) {
    let bare = |url: &mut String| *url = without_credentials(url);
    match fact {
        Fact::Input(input) => bare(&mut input.url),
        Fact::Output(output) => bare(&mut output.url),
        Fact::PassCompleted(pass) => pass.table.iter_mut().for_each(|table| bare(&mut table.url)),
        Fact::Projected(info) => {
            for model in &mut info.models {
                bare(&mut model.url);
                model.table.iter_mut().for_each(bare);
            }
        }
        _ => {}
    }
}

/// What is wrong with the claims of a document, if anything is.
pub(super) fn check(fact: &Fact) -> Result<(), String> {
    match fact {
        Fact::Input(input) => check_input(input),
        Fact::PassCompleted(pass) => check_pass(pass),
        Fact::Projected(info) => check_projection(info),
        _ => Ok(()),
    }
}

fn check_pass(pass: &PassRecord) -> Result<(), String> {
    check_rows(pass.rows)?;
    for file in &pass.files {
        check_path("file", &file.url)?;
        check_rows(file.rows)?;
    }
    pass.table.as_ref().map_or(Ok(()), check_input)
}

fn check_projection(info: &ProjectionInfo) -> Result<(), String> {
    check_path("projection", &info.name)?;
    if info.name.contains('/') {
        let name = without_credentials(&info.name);
        return Err(format!("the projection {name:?} is no folder of its own"));
    }
    for rows in [info.rows, info.rows_not_finite, info.rows_without_embedding] {
        check_rows(rows)?;
    }
    if info.dims > MAX_DIMS {
        return Err(format!("it has {} coordinates for each row", info.dims));
    }
    info.models
        .iter()
        .try_for_each(|model| check_address("model", &model.url))
}

fn check_input(input: &InputTable) -> Result<(), String> {
    check_address("input", &input.url)
}

/// An address is a URL or an absolute path, which users may choose, or a path inside the project.
fn check_address(what: &str, url: &str) -> Result<(), String> {
    if url.chars().any(char::is_control) {
        return Err(format!("the {what} {url:?} holds control characters"));
    }
    match url.contains("://") || url.starts_with('/') {
        true => Ok(()),
        false => check_path(what, url),
    }
}

fn check_path(what: &str, path: &str) -> Result<(), String> {
    match leads_out(path) {
        None => Ok(()),
        Some(why) => Err(format!("the {what} {:?} {why}", without_credentials(path))),
    }
}

fn check_rows(rows: u64) -> Result<(), String> {
    match rows {
        ..=MAX_ROWS => Ok(()),
        _ => Err(format!("{rows} rows are more than a pass can have")),
    }
}
