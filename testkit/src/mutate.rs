//! Inputs that are nearly right: good ones, changed at random.

use crate::split_mix;

/// Numbers that overflow something, as text.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999",
    "1e999",
];

/// Words that mean something to readers of paths, JSON, dictionaries and logs.
const WORDS: [&str; 24] = [
    "null", "true", "{}", "[]", "\"\"", "{\"", "\":", "../", "..\\", "%2e%2e", "://", "\0",
    "\\u0000", "NaN", "Infinity", "é", "\u{feff}", "\n", "\n--\n", "file:///", "add", "path",
    "epoch", "rank",
];

/// Bytes at the edges of their range.
const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

/// An endless sequence of inputs; the same seed gives the same ones.
///
/// It knows nothing of the program that reads them: coverage does not guide it.
#[derive(Clone, Debug)]
pub struct Mutations {
    good: Vec<Vec<u8>>,
    state: u64,
}

impl Mutations {
    /// Changes of these inputs, of which there may be none.
    pub fn new(seed: u64, good: Vec<Vec<u8>>) -> Self {
        Self { good, state: seed }
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        let drawn = split_mix(&mut self.state);
        usize::try_from(drawn % (end.max(1) as u64)).unwrap_or(0)
    }

    fn one_of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> Option<&'a T> {
        let index = self.below(list.len());
        list.get(index).copied()
    }

    fn good(&mut self) -> Vec<u8> {
        let index = self.below(self.good.len());
        self.good.get(index).cloned().unwrap_or_default()
    }

    /// A place in the input and one at or after it, mostly near.
    fn range(&mut self, input: &[u8]) -> (usize, usize) {
        let start = self.below(input.len() + 1);
        let most = if self.below(4) == 0 { input.len() } else { 16 };
        let length = self.below(most.min(input.len() - start) + 1);
        (start, start + length)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let (start, end) = self.range(input);
        match self.below(10) {
            0 => {
                let bit = 1 << self.below(8);
                input
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= bit);
            }
            1 => {
                let edge = self.below(EDGES.len());
                let edge = EDGES.get(edge).copied().unwrap_or_default();
                input
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = edge);
            }
            2 => {
                let random: Vec<u8> = (0..1 + self.below(8))
                    .map(|_| split_mix(&mut self.state).to_le_bytes()[0])
                    .collect();
                input.splice(start..start, random);
            }
            3 => drop(input.drain(start..end)),
            4 => {
                let again = input[start..end].to_vec();
                input.splice(start..start, again);
            }
            5 => {
                let word = self.one_of(&WORDS).unwrap_or_default();
                input.splice(start..end, word.bytes());
            }
            6 => {
                let word = self.one_of(&WORDS).unwrap_or_default();
                input.splice(start..start, word.bytes());
            }
            7 => self.replace_number(input),
            8 => {
                let other = self.good();
                let (from, to) = self.range(&other);
                input.splice(start..end, other[from..to].iter().copied());
            }
            _ => input.truncate(start),
        }
    }

    /// Puts another number where digits stand.
    fn replace_number(&mut self, input: &mut Vec<u8>) {
        let from = self.below(input.len());
        let Some(start) = input.iter().skip(from).position(u8::is_ascii_digit) else {
            return;
        };
        let start = from + start;
        let digits = input
            .iter()
            .skip(start)
            .take_while(|byte| byte.is_ascii_digit());
        let end = start + digits.count();
        let number = self.one_of(&NUMBERS).unwrap_or_default();
        input.splice(start..end, number.bytes());
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.good();
        for _ in 0..1 + self.below(6) {
            self.change(&mut input);
        }
        Some(input)
    }
}
