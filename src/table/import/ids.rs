//! Ids of classes as a data set numbers them, and class indices from 0.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;

use super::malformed;
use crate::table::Role;
use crate::{Error, Result};

/// What becomes of every id.
pub(super) struct Ids {
    names: Arc<[String]>,
    /// The void in the table.
    void: Option<u16>,
    /// Class index, or the void, of each of 65,536 ids.
    class_of: Vec<Option<u16>>,
}

impl Ids {
    /// # Errors
    /// `Invalid` for no names, a name that two ids have, a blank one, or a void that has a name.
    pub(super) fn new(names: &BTreeMap<u16, String>, void: Option<u16>) -> Result<Self> {
        if names.is_empty() {
            return Err(Error::invalid(
                "names",
                "none",
                "masks hold ids of classes",
                "give the name of every id",
            ));
        }
        let mut known: BTreeMap<&str, u16> = BTreeMap::new();
        let mut class_of = vec![None; 1 << 16];
        for (class, (&id, name)) in (0_u16..).zip(names) {
            let twin = known.insert(name, id);
            let reason = match twin {
                Some(twin) => format!("id {twin} has this name too"),
                None if name.trim().is_empty() => "a class needs a name".into(),
                None if void == Some(id) => {
                    "it is the void, whose pixels belong to no class".into()
                }
                None => {
                    class_of[usize::from(id)] = Some(class);
                    continue;
                }
            };
            return Err(Error::invalid(
                "names",
                format!("{id} {name:?}"),
                reason,
                "give every class an id and a name of its own",
            ));
        }
        // With all 65,536 ids named there is no void that has none.
        let stored = void.map(|void| match void {
            void if usize::from(void) >= names.len() => void,
            _ if names.len() <= 255 => 255,
            _ => u16::MAX,
        });
        if let Some(void) = void {
            class_of[usize::from(void)] = stored;
        }
        Ok(Self {
            names: names.values().cloned().collect(),
            void: stored,
            class_of,
        })
    }

    /// The role of a column of masks.
    pub(super) fn role(&self) -> Role {
        Role::ClassMask {
            names: Arc::clone(&self.names),
            void: self.void,
        }
    }

    /// Whether classes and void fit 8 bits.
    pub(super) fn fit_bytes(&self) -> bool {
        self.names.len() <= 1 << 8 && self.void.is_none_or(|void| void <= 255)
    }

    /// Class indices for the ids of a mask.
    ///
    /// # Errors
    /// `Import` with the first pixel whose id has no name.
    pub(super) fn classes(&self, path: &Path, ids: &Array2<u16>) -> Result<Array2<u16>> {
        let unknown = ids
            .indexed_iter()
            .find(|&(_, &id)| self.class_of[usize::from(id)].is_none());
        if let Some(((row, column), id)) = unknown {
            return Err(malformed(
                path,
                format!("id {id} has no name"),
                format!("row {row}, column {column} (the first pixel is 0, 0)"),
                "name it, or make it the void",
            ));
        }
        Ok(ids.mapv(|id| self.class_of[usize::from(id)].unwrap_or(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn names(ids: &[u16]) -> BTreeMap<u16, String> {
        ids.iter().map(|&id| (id, format!("class {id}"))).collect()
    }

    #[test]
    fn ids_become_indices_and_the_void_stays_apart() {
        let ids = Ids::new(&names(&[26, 7]), Some(255)).unwrap();
        let found = ids.classes(Path::new("m"), &arr2(&[[7, 26, 255]])).unwrap();
        assert_eq!(found, arr2(&[[0, 1, 255]]));
        // A void of 0 would be class 0.
        let ids = Ids::new(&names(&[1, 2]), Some(0)).unwrap();
        let found = ids.classes(Path::new("m"), &arr2(&[[0, 1, 2]])).unwrap();
        assert_eq!(found, arr2(&[[255, 0, 1]]));
        assert!(ids.fit_bytes());
        let many: Vec<u16> = (1..=256).collect();
        let ids = Ids::new(&names(&many), Some(0)).unwrap();
        let found = ids.classes(Path::new("m"), &arr2(&[[0, 256]])).unwrap();
        assert_eq!(found, arr2(&[[65535, 255]]));
        assert!(!ids.fit_bytes());
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        assert!(Ids::new(&names(&[]), None).is_err());
        assert!(Ids::new(&names(&[3]), Some(3)).is_err());
        let twins = BTreeMap::from([(1, "a".to_owned()), (2, "a".to_owned())]);
        let error = Ids::new(&twins, None).err().unwrap().to_string();
        assert!(error.contains("id 1 has this name too"), "{error}");
        let ids = Ids::new(&names(&[1]), None).unwrap();
        let error = ids
            .classes(Path::new("m.png"), &arr2(&[[1, 1], [1, 9]]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("id 9") && error.contains("row 1, column 1") && error.contains("m.png"),
            "{error}"
        );
    }
}
