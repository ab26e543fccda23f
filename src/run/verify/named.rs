//! What the documents of a run name beside its own tables: models, and tables that it read.

use std::collections::BTreeSet;

use super::{Verification, VerifiedTable};
use crate::progress::Progress;
use crate::run::RunReader;
use crate::storage::Location;
use crate::table::DeltaTable;
use crate::{Error, Result};

/// What the file of a fitted projection begins with.
const MODEL: &[u8] = b"EMBLPROJ";

impl RunReader {
    /// The models of the run's coordinates, and the tables of the project that it read, by their
    /// addresses; those of tables with the revision. What lies outside the project is not the run's.
    fn named(&self) -> BTreeSet<(&str, Option<u64>)> {
        let infos = self.state.projections.iter();
        let models = infos.flat_map(|info| &info.models);
        let models = models.map(|model| (model.url.as_str(), None));
        let inputs = self.inputs().iter().map(|input| {
            let is_model = input.url.ends_with(".bin");
            (input.url.as_str(), (!is_model).then_some(input.revision))
        });
        let named = models.chain(inputs);
        named.filter(|(url, _)| is_inside(url)).collect()
    }

    /// Reads everything that the documents name beside the run's tables.
    pub(super) fn verify_named(
        &self,
        progress: &dyn Progress,
        before: u64,
        verification: &mut Verification,
    ) {
        for (done, (url, revision)) in (before + 1..).zip(self.named()) {
            let read = self
                .project_location()
                .inside(url)
                .and_then(|place| match revision {
                    Some(revision) => verify_input(&place, url, revision, verification),
                    None => verify_model(&place),
                });
            verification.problems.extend(read.err());
            progress.update(done);
        }
    }

    pub(super) fn count_named(&self) -> u64 {
        self.named().len() as u64
    }
}

/// Whether an address is relative to the project.
fn is_inside(url: &str) -> bool {
    !url.contains("://") && !url.starts_with('/')
}

fn verify_input(
    place: &Location,
    url: &str,
    revision: u64,
    verification: &mut Verification,
) -> Result<()> {
    let check = DeltaTable::open(place.clone())?.verify(Some(revision), |_| ());
    verification.tables.push(VerifiedTable {
        folder: format!("../../{url}"),
        version: check.version,
        files: check.files,
        rows: check.rows,
        size_bytes: check.size_bytes,
    });
    verification.problems.extend(check.problems);
    Ok(())
}

/// A model ends in the checksum of everything before it.
fn verify_model(place: &Location) -> Result<()> {
    let bytes = place.read()?;
    let reason = match bytes.split_last_chunk::<4>() {
        Some((content, told)) if content.starts_with(MODEL) => {
            let (told, crc32) = (u32::from_le_bytes(*told), crc32fast::hash(content));
            if crc32 == told {
                return Ok(());
            }
            format!("its checksum is {crc32:08x} and it says {told:08x}")
        }
        _ => "it does not begin as a projection does, or is cut off".to_owned(),
    };
    Err(Error::Corrupt {
        what: "projection",
        reason,
        path: place.url(),
    })
}
