//! Passes of several ranks: which parts make one pass, and whose are missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{PassPart, PassRecord};

/// Where a pass belongs: stream, split, epoch.
pub(super) type Place<'a> = (&'a str, &'a str, Option<i64>);

/// What was completed at one place.
#[derive(Default)]
pub(super) struct AtPlace<'a> {
    /// The last whole pass, where it stands in the order of completion, and of how many ranks it is.
    pub(super) whole: Option<(usize, PassRecord, Option<u32>)>,
    /// The latest parts that may make the next one.
    pub(super) parts: Option<Parts<'a>>,
}

/// The latest part of each rank, of one world size.
pub(super) struct Parts<'a> {
    pub(super) world: u32,
    of_rank: BTreeMap<u32, &'a PassRecord>,
}

/// The place of a completed pass, or of a part of one.
pub(super) fn place_of(record: &PassRecord) -> Place<'_> {
    (&record.stream, &record.split, record.epoch)
}

/// Completed passes by place, from those records in order of completion.
///
/// Every part of a rank replaces the one that the rank had at that place before. A pass is whole as
/// soon as every rank of its world has a part. A pass without ranks, or of another world size, is a
/// new beginning: parts from before it do not mix with those that come after.
pub(super) fn by_place<'a>(
    complete: impl Iterator<Item = &'a PassRecord>,
) -> HashMap<Place<'a>, AtPlace<'a>> {
    let mut places: HashMap<Place<'_>, AtPlace<'_>> = HashMap::new();
    for (position, record) in complete.enumerate() {
        places
            .entry(place_of(record))
            .or_default()
            .add(position, record);
    }
    places
}

impl<'a> AtPlace<'a> {
    fn add(&mut self, position: usize, record: &'a PassRecord) {
        let Some(rank) = record.rank else {
            self.whole = Some((position, record.clone(), None));
            self.parts = None;
            return;
        };
        let parts = match self.parts.take() {
            Some(parts) if parts.world == rank.world => parts,
            _ => Parts {
                world: rank.world,
                of_rank: BTreeMap::new(),
            },
        };
        let parts = self.parts.insert(parts);
        parts.of_rank.insert(rank.index, record);
        if parts.missing().next().is_none() {
            self.whole = Some((position, parts.joined(record), Some(rank.world)));
        }
    }
}

impl Parts<'_> {
    /// The ranks that have no part.
    pub(super) fn missing(&self) -> impl Iterator<Item = u32> {
        (0..self.world).filter(|rank| !self.of_rank.contains_key(rank))
    }

    /// The first part, of the lowest rank.
    pub(super) fn first(&self) -> Option<&PassRecord> {
        self.of_rank.values().next().copied()
    }

    /// All parts as one pass; it has the id of the part that came last.
    fn joined(&self, last: &PassRecord) -> PassRecord {
        let parts = || self.of_rank.iter();
        let tables: BTreeSet<_> = parts()
            .map(|(_, part)| {
                part.table
                    .as_ref()
                    .map(|table| (&table.url, table.revision))
            })
            .collect();
        PassRecord {
            rows: parts().fold(0, |rows, (_, part)| part.rows.saturating_add(rows)),
            files: parts().flat_map(|(_, part)| part.files.clone()).collect(),
            // Ids that count the rows of different tables join none.
            table: last.table.clone().filter(|_| tables.len() == 1),
            finished_us: parts()
                .map(|(_, part)| part.finished_us)
                .fold(last.finished_us, i64::max),
            rank: None,
            parts: parts()
                .map(|(&rank, part)| PassPart {
                    rank,
                    pass_id: part.pass_id.clone(),
                    rows: part.rows,
                })
                .collect(),
            ..last.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Rank;

    fn part(pass_id: &str, rank: Option<(u32, u32)>, rows: u64) -> PassRecord {
        PassRecord {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: Some(0),
            rows,
            files: Vec::new(),
            table: None,
            finished_us: 0,
            rank: rank.map(|(index, world)| Rank::new(index, world).unwrap()),
            parts: Vec::new(),
        }
    }

    /// A whole pass: its id, rows and parts.
    type Whole = Option<(String, u64, Vec<String>)>;

    /// The whole pass, and the ranks that are missing from the next.
    fn fold(complete: &[PassRecord]) -> (Whole, Vec<u32>) {
        let mut places = by_place(complete.iter());
        let place = places.remove(&("default", "train", Some(0))).unwrap();
        let missing = place.parts.map(|parts| parts.missing().collect());
        let whole = place.whole.map(|(_, pass, _)| {
            let parts = pass.parts.into_iter().map(|part| part.pass_id).collect();
            (pass.pass_id, pass.rows, parts)
        });
        (whole, missing.unwrap_or_default())
    }

    fn whole(id: &str, rows: u64, parts: &[&str]) -> Whole {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        Some((id.to_owned(), rows, parts))
    }

    #[test]
    fn a_pass_is_whole_when_every_rank_has_a_part() {
        let mut complete = vec![part("c", Some((2, 3)), 4), part("a", Some((0, 3)), 1)];
        assert_eq!(fold(&complete), (None, vec![1]));
        complete.push(part("b", Some((1, 3)), 2));
        assert_eq!(fold(&complete), (whole("b", 7, &["a", "b", "c"]), vec![]));
        // A rank that does its part again replaces its own.
        complete.push(part("c2", Some((2, 3)), 5));
        assert_eq!(fold(&complete), (whole("c2", 8, &["a", "b", "c2"]), vec![]));
    }

    #[test]
    fn parts_of_other_launches_do_not_mix() {
        let mut complete = vec![
            part("a", Some((0, 2)), 1),
            part("b", Some((1, 2)), 2),
            part("alone", None, 3),
            part("a2", Some((0, 2)), 4),
        ];
        assert_eq!(fold(&complete), (whole("alone", 3, &[]), vec![1]));
        complete.push(part("a3", Some((0, 1)), 5));
        assert_eq!(fold(&complete), (whole("a3", 5, &["a3"]), vec![]));
        complete.push(part("b2", Some((1, 2)), 6));
        assert_eq!(fold(&complete), (whole("a3", 5, &["a3"]), vec![0]));
    }
}
