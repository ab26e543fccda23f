//! Ranks: the processes of one distributed training, which write one run together.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// More ranks than any training has; bounds what a damaged document can ask for.
const MAX_WORLD: u32 = 100_000;

/// One of the processes (or threads) that train one model together.
///
/// ```
/// use emberlens::run::{Project, Rank};
/// let rank = Rank::new(0, 8)?;
/// assert!(Rank::new(8, 8).is_err());
/// let run = Project::open("memory://", "docs")?.run("cnn").rank(rank.index, rank.world).start()?;
/// assert_eq!(run.rank(), Some(rank));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Rank {
    /// Which one it is, from 0.
    pub index: u32,
    /// How many there are.
    pub world: u32,
}

/// A rank as a document tells it.
#[derive(Deserialize)]
struct Unchecked {
    index: u32,
    world: u32,
}

impl TryFrom<Unchecked> for Rank {
    type Error = Error;

    fn try_from(told: Unchecked) -> Result<Self> {
        Self::new(told.index, told.world)
    }
}

impl Rank {
    /// The rank `index` of `world`.
    ///
    /// # Errors
    /// `Invalid` for an index that is not below `world`, and for more than 100,000 ranks.
    pub fn new(index: u32, world: u32) -> Result<Self> {
        let reason = if world > MAX_WORLD {
            format!("there are at most {MAX_WORLD} ranks")
        } else if index >= world {
            "ranks count from 0 to one below the world size".to_owned()
        } else {
            return Ok(Self { index, world });
        };
        let hint = "pass the rank and the world size of the launcher";
        Err(Error::invalid(
            "rank",
            format!("{index} of {world}"),
            reason,
            hint,
        ))
    }

    /// What launchers such as torchrun say in the environment variables `RANK` and `WORLD_SIZE`;
    /// `None` when neither is set. Nothing else in the library reads them.
    ///
    /// ```no_run
    /// use emberlens::run::{Project, Rank};
    /// let mut run = Project::open_default("digits")?.run("cnn");
    /// if let Some(rank) = Rank::from_env()? {
    ///     run = run.rank(rank.index, rank.world);
    /// }
    /// let run = run.start()?;
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` when only one of them is set, when one is no number, and as [`Rank::new`].
    pub fn from_env() -> Result<Option<Self>> {
        Self::of_variables(|name| std::env::var_os(name))
    }

    fn of_variables(get: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Option<Self>> {
        let number = |name: &str| -> Result<Option<u32>> {
            let Some(text) = get(name) else {
                return Ok(None);
            };
            let number = text.to_str().and_then(|text| text.trim().parse().ok());
            number.map(Some).ok_or_else(|| {
                let shown = format!("{text:?}");
                let hint = "unset it, or set it to a number from 0";
                Error::invalid(name, shown, "it is not the number of a process", hint)
            })
        };
        match (number("RANK")?, number("WORLD_SIZE")?) {
            (None, None) => Ok(None),
            (Some(index), Some(world)) => Self::new(index, world).map(Some),
            (index, _) => {
                let (set, unset) = match index {
                    Some(_) => ("RANK", "WORLD_SIZE"),
                    None => ("WORLD_SIZE", "RANK"),
                };
                let reason = format!("{unset} is not set");
                Err(Error::invalid(set, "set", reason, "set both or neither"))
            }
        }
    }

    /// Whether this process speaks for the run: it makes it, and says how it ends.
    pub(crate) fn leads(self) -> bool {
        self.index == 0
    }
}

impl std::fmt::Display for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.index, self.world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rank: Option<&str>, world: Option<&str>) -> Result<Option<Rank>> {
        Rank::of_variables(|name| {
            let value = if name == "RANK" { rank } else { world };
            value.map(Into::into)
        })
    }

    #[test]
    fn both_variables_or_neither_say_the_rank() {
        assert_eq!(of(None, None).unwrap(), None);
        let rank = Rank { index: 3, world: 8 };
        assert_eq!(of(Some("3"), Some("8")).unwrap(), Some(rank));
        for (rank, world) in [
            (Some("3"), None),
            (None, Some("8")),
            (Some("8"), Some("8")),
            (Some("-1"), Some("8")),
            (Some(""), Some("8")),
            (Some("0"), Some("0")),
        ] {
            let error = of(rank, world).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{error}");
        }
    }
}
