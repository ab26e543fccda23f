//! Passes that readers leave out: those that were begun and not completed, and parts of ranks that make
//! no pass yet.

use super::IncompletePass;
use super::parts::{self, place_of};
use super::passes::Passes;

impl Passes {
    /// Passes without a completion record, except those that a later complete pass replaced; those of
    /// several ranks once, with the ranks that are missing.
    pub(crate) fn incomplete(&self) -> Vec<IncompletePass> {
        let places = parts::by_place(self.complete.iter());
        let mut found: Vec<(Option<u32>, IncompletePass)> = Vec::new();
        for open in &self.open {
            let (pass, world) = (&open.pass, open.rank.map(|rank| rank.world));
            let place = (&*pass.stream, &*pass.split, pass.epoch);
            let at = places.get(&place);
            let whole = at.and_then(|at| at.whole.as_ref());
            let by_whole = whole.is_some_and(|(_, whole, of)| {
                // A whole pass of the same ranks may be without this very part.
                (world.is_none() || *of != world) && whole.finished_us >= pass.started_us
            });
            let by_rank = open.rank.is_some_and(|rank| {
                self.complete.iter().any(|done| {
                    done.rank.is_some_and(|other| other.index == rank.index)
                        && place_of(done) == place
                        && done.finished_us >= pass.started_us
                })
            });
            if by_whole || by_rank {
                continue;
            }
            let Some(rank) = open.rank else {
                found.push((None, pass.clone()));
                continue;
            };
            let told = pass.reason.as_ref();
            let reason = told.map(|reason| format!("rank {}: {reason}", rank.index));
            let group = entry(&mut found, rank.world, pass);
            group.started_us = group.started_us.min(pass.started_us);
            group.missing_ranks.push(rank.index);
            group.reason = match (group.reason.take(), reason) {
                (Some(one), Some(other)) if one != other => Some(format!("{one}; {other}")),
                (one, other) => one.or(other),
            };
        }
        for (place, at) in &places {
            let Some(parts) = &at.parts else { continue };
            let (Some(first), true) = (parts.first(), parts.missing().next().is_some()) else {
                continue;
            };
            let (stream, split, epoch) = *place;
            let group = entry(
                &mut found,
                parts.world,
                &IncompletePass {
                    pass_id: first.pass_id.clone(),
                    stream: stream.to_owned(),
                    split: split.to_owned(),
                    epoch,
                    started_us: first.finished_us,
                    reason: None,
                    missing_ranks: Vec::new(),
                },
            );
            group.missing_ranks.extend(parts.missing());
        }
        for (world, pass) in &mut found {
            let place = (&*pass.stream, &*pass.split, pass.epoch);
            let parts = places.get(&place).and_then(|at| at.parts.as_ref());
            if let Some(world) = *world
                && parts.is_none_or(|parts| parts.world != world)
            {
                pass.missing_ranks = (0..world).collect();
            }
            pass.missing_ranks.sort_unstable();
            pass.missing_ranks.dedup();
        }
        found.sort_by(|(_, one), (_, other)| {
            (one.started_us, &one.pass_id).cmp(&(other.started_us, &other.pass_id))
        });
        found.into_iter().map(|(_, pass)| pass).collect()
    }
}

/// The entry for the pass of so many ranks at that place.
fn entry<'a>(
    found: &'a mut Vec<(Option<u32>, IncompletePass)>,
    world: u32,
    pass: &IncompletePass,
) -> &'a mut IncompletePass {
    let known = found.iter().position(|(of, other)| {
        *of == Some(world)
            && (&other.stream, &other.split, other.epoch) == (&pass.stream, &pass.split, pass.epoch)
    });
    let index = known.unwrap_or_else(|| {
        let fresh = IncompletePass {
            reason: None,
            missing_ranks: Vec::new(),
            ..pass.clone()
        };
        found.push((Some(world), fresh));
        found.len() - 1
    });
    &mut found[index].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{PassRecord, Rank};

    fn open(pass_id: &str, started_us: i64) -> IncompletePass {
        IncompletePass {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: Some(0),
            started_us,
            reason: None,
            missing_ranks: Vec::new(),
        }
    }

    fn rank(index: u32) -> Option<Rank> {
        Some(Rank::new(index, 3).unwrap())
    }

    fn part(pass_id: &str, index: u32, finished_us: i64) -> PassRecord {
        PassRecord {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: Some(0),
            rows: 1,
            files: Vec::new(),
            table: None,
            finished_us,
            rank: rank(index),
            parts: Vec::new(),
        }
    }

    #[test]
    fn a_pass_of_ranks_is_reported_once_with_those_that_are_missing() {
        let mut passes = Passes::default();
        passes.start(open("a", 1), rank(0));
        passes.start(open("b", 2), rank(1));
        passes.finish(part("a", 0, 3));
        passes.abandon("b", "out of memory".into());
        let missing = |passes: &Passes| {
            let incomplete = passes.incomplete();
            assert!(incomplete.len() < 2, "{incomplete:?}");
            incomplete.into_iter().next()
        };
        let told = missing(&passes).unwrap();
        assert_eq!(told.missing_ranks, [1, 2]);
        assert_eq!(told.reason.as_deref(), Some("rank 1: out of memory"));
        assert!(passes.latest("default").is_empty());
        // The restarted rank and the late one complete theirs.
        passes.start(open("b2", 4), rank(1));
        passes.finish(part("b2", 1, 5));
        assert_eq!(missing(&passes).unwrap().missing_ranks, [2]);
        passes.finish(part("c", 2, 6));
        assert_eq!(missing(&passes), None);
        assert_eq!(passes.latest("default")[0].rows, 3);
        // A part that is done again is missing, and the pass stays whole with the one it had.
        passes.start(open("c2", 7), rank(2));
        assert_eq!(missing(&passes).unwrap().missing_ranks, [2]);
        assert_eq!(passes.latest("default")[0].pass_id, "c");
    }
}
