//! COCO's compressed text: runs as numbers of five bits a character.

use crate::{Error, Result};

/// The character for 0; those for the next 63 numbers follow it.
const FIRST: u8 = b'0';
/// Says that more bits follow.
const MORE: u8 = 0x20;
/// The sign, in the last character of a number.
const SIGN: u8 = 0x10;
/// A number of more characters would not fit 64 bits.
const MOST_CHARACTERS: u32 = 12;

/// The runs of a text.
pub(super) fn decode(text: &str) -> Result<Vec<u32>> {
    let wrong = |value: String, reason: &str| {
        Error::invalid(
            "counts",
            value,
            reason,
            "give the text as COCO's tools write it, uncut",
        )
    };
    let mut counts: Vec<u32> = Vec::new();
    let (mut number, mut characters) = (0_i64, 0_u32);
    for (at, byte) in text.bytes().enumerate() {
        let code = byte.wrapping_sub(FIRST);
        if code > 0x3f {
            let value = format!("byte {byte} at {at}");
            return Err(wrong(
                value,
                "the alphabet is the 64 characters from 0 to o",
            ));
        }
        if characters == MOST_CHARACTERS {
            return Err(wrong(
                format!("the number that ends at {at}"),
                "it is too long",
            ));
        }
        number |= i64::from(code & 0x1f) << (5 * characters);
        characters += 1;
        if code & MORE != 0 {
            continue;
        }
        if code & SIGN != 0 {
            number |= -1 << (5 * characters);
        }
        // From the fourth run on, the text holds the difference to the run two before.
        if let (3.., Some(before)) = (counts.len(), counts.len().checked_sub(2)) {
            number += i64::from(counts[before]);
        }
        let count = u32::try_from(number)
            .map_err(|_| wrong(format!("{number}, run {}", counts.len()), "it is no length"))?;
        counts.push(count);
        (number, characters) = (0, 0);
    }
    if characters > 0 {
        return Err(wrong(
            format!("{} characters", text.len()),
            "the text ends within a number",
        ));
    }
    Ok(counts)
}

/// The text of runs.
pub(super) fn encode(counts: &[u32]) -> String {
    let mut text = String::with_capacity(2 * counts.len());
    for (at, &count) in counts.iter().enumerate() {
        let before = if at > 2 { counts[at - 2] } else { 0 };
        let mut number = i64::from(count) - i64::from(before);
        loop {
            let bits = (number & 0x1f) as u8;
            number >>= 5;
            let last = number == if bits & SIGN != 0 { -1 } else { 0 };
            let code = if last { bits } else { bits | MORE };
            text.push(char::from(FIRST + code));
            if last {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn damaged_text_is_told() {
        for (text, part) in [
            ("1~", "byte 126 at 1"),
            ("1 2", "byte 32 at 1"),
            ("1P", "ends within a number"),
            ("PPPPPPPPPPPPP0", "too long"),
            ("O", "-1, run 0"),
        ] {
            let found = decode(text).map(|_| String::new());
            let found = found.unwrap_or_else(|error| error.to_string());
            assert!(found.contains(part), "{text}: {found}");
        }
        assert!(decode("").unwrap().is_empty());
    }

    #[test]
    fn lengths_up_to_the_largest_survive() {
        let counts = vec![0, u32::MAX, 1, 0, u32::MAX, u32::MAX, 0];
        assert_eq!(decode(&encode(&counts)).unwrap(), counts);
    }

    proptest! {
        #[test]
        fn any_runs_survive(counts in prop::collection::vec(any::<u32>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&counts)).unwrap(), counts);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~]{0,40}") {
            if let Ok(counts) = decode(&text) {
                prop_assert!(counts.len() <= text.len());
            }
        }
    }
}
