//! Files that commands write: what becomes of one that exists.

use emberlens::Error;
use emberlens::table::export::Existing;

/// What `--force` says about a file that exists.
pub fn existing(force: bool) -> Existing {
    match force {
        true => Existing::Replace,
        false => Existing::Refuse,
    }
}

/// Tells the way out in the words of the command line.
pub fn name_force(error: Error) -> Error {
    match error {
        Error::AlreadyExists {
            what, name, place, ..
        } => Error::AlreadyExists {
            what,
            name,
            hint: "choose another name, or replace it with --force".into(),
            place,
        },
        other => other,
    }
}
