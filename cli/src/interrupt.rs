//! Ctrl-C: the first asks the work to stop cleanly, the second ends the process.

use std::process;

use emberlens::{CancelFlag, Error, Result};

/// Exit status of a process that ended by Ctrl-C, as shells report it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// A flag that Ctrl-C sets; at most one for a process.
///
/// # Errors
/// `Storage` when the system refuses the handler.
pub fn on_ctrl_c() -> Result<CancelFlag> {
    let flag = CancelFlag::new();
    let asked = flag.clone();
    let handler = move || match asked.is_cancelled() {
        true => process::exit(EXIT_INTERRUPTED.into()),
        false => asked.cancel(),
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Error::storage("listening to Ctrl-C", "this process", error))?;
    Ok(flag)
}

/// Refuses to go on once the flag is set.
pub fn check(flag: &CancelFlag, during: &str) -> Result<()> {
    match flag.is_cancelled() {
        true => Err(Error::Interrupted {
            during: during.to_owned(),
            kept: "nothing was changed",
        }),
        false => Ok(()),
    }
}
