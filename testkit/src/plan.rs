//! Which calls to a store fail, and how.

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes an object unless it exists.
    Create,
    /// Writes an object, whether it exists or not.
    Replace,
    /// Reads an object or its size.
    Read,
    /// Lists names.
    List,
    /// Deletes an object.
    Delete,
    /// Copies or renames an object, or writes it in parts.
    Other,
}

/// One call to the store.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counted from 0 among the calls that the plan was asked about.
    pub number: usize,
    /// What it does.
    pub operation: Operation,
    /// The object or the folder.
    pub path: String,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done, and the error says that something is wrong.
    Before,
    /// Nothing was done, and the store says that it does not permit it.
    Refused,
    /// It was done, and the error says that something is wrong.
    After,
    /// It was done, and the store says that it waited too long.
    TimeOut,
    /// The store says that it waited too long; a write is done only when the next one to the same
    /// object comes.
    Late,
    /// The store says that it waited too long; a write is done only when
    /// [`FaultStore::deliver`](crate::FaultStore::deliver) is called.
    Later,
    /// The store panics before anything was done.
    Panic,
    /// A listing leaves out the objects that were written last.
    Stale,
    /// A listing leaves out one object that is not the last of those that were written.
    Gap,
    /// A read gives fewer bytes than the store says that it gives.
    Short,
    /// A write is sent twice, as by a client that repeats what got no answer; the answer is that to the
    /// second. Other calls are done.
    Twice,
}

impl Fault {
    /// A plan by which `percent` of the writes fail before they are done, as many after it or are sent
    /// twice, as many in a time-out, of which every other one arrives late. Of the reads `percent` fail or, every other one, are short; of the listings `percent`
    /// fail, are stale or have a gap. The same seed gives the same plan.
    pub fn at_random(
        seed: u64,
        percent: u64,
    ) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
        let mut state = seed;
        move |call| {
            let drawn = split_mix(&mut state);
            let is_odd = (drawn >> 32) % 2 == 1;
            let faults: &[Fault] = match call.operation {
                Operation::Read if is_odd => &[Fault::Short],
                Operation::List if is_odd && drawn >> 63 == 1 => &[Fault::Gap],
                Operation::List if is_odd => &[Fault::Stale],
                Operation::Read | Operation::List => &[Fault::Before],
                _ if is_odd => &[Fault::Before, Fault::After, Fault::TimeOut],
                _ => &[Fault::Before, Fault::Twice, Fault::Late],
            };
            let place = drawn % 100 / percent.max(1);
            faults
                .get(usize::try_from(place).unwrap_or(usize::MAX))
                .copied()
        }
    }
}

/// The next number of a generator with that state.
///
/// # Source
/// Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (2014).
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_at_random_come_as_often_as_they_should() {
        let writes = [Fault::After, Fault::Twice, Fault::TimeOut, Fault::Late].as_slice();
        for (operation, faults, each) in [
            (Operation::Create, [Fault::Before].as_slice(), 2_000),
            (Operation::Create, writes, 1_000),
            (Operation::Read, &[Fault::Before, Fault::Short], 1_000),
            (Operation::List, &[Fault::Before], 1_000),
            (Operation::List, &[Fault::Stale, Fault::Gap], 500),
        ] {
            let mut plan = Fault::at_random(7, 20);
            let call = Call {
                number: 0,
                operation,
                path: String::new(),
            };
            let drawn: Vec<_> = (0..10_000).map(|_| plan(&call)).collect();
            let count = |of| drawn.iter().filter(|&&one| one == of).count();
            for &fault in faults {
                assert!(count(Some(fault)).abs_diff(each) < 200, "{fault:?}");
            }
            let without = if operation == Operation::Create {
                4_000
            } else {
                8_000
            };
            assert!(count(None).abs_diff(without) < 300);
        }
    }
}
