//! Walking over Thrift's compact protocol, in which Parquet's footers and page headers are written.
//!
//! Decoders make room for as many elements as a list claims before they read the first. Here nothing is
//! kept: every claim is compared with the bytes that are left.
//!
//! The protocol: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Structs in structs; Parquet has less than ten.
const MAX_DEPTH: u32 = 32;

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end within a value.
    Cut,
    /// A list, a map or a text claims more than the bytes that are left.
    Claim(u64),
    /// A type that there is not, or structs in structs without end.
    Malformed,
}

/// A place in the bytes.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A type on the wire.
pub(super) type Kind = u8;

/// The type of structs.
pub(super) const STRUCT: Kind = 12;

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.bytes.get(self.at).ok_or(Stop::Cut)?;
        self.at += 1;
        Ok(*byte)
    }

    fn skip_bytes(&mut self, count: u64) -> Result<(), Stop> {
        let count = self.fits(count)?;
        self.at += count;
        Ok(())
    }

    /// A claim of that many bytes, or elements of a byte at least.
    fn fits(&self, count: u64) -> Result<usize, Stop> {
        let fitting = usize::try_from(count).ok();
        fitting
            .filter(|count| *count <= self.left())
            .ok_or(Stop::Claim(count))
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Malformed)
    }

    /// A signed integer.
    pub(super) fn integer(&mut self) -> Result<i64, Stop> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The fields of a struct; `field` is told the number and type of each and takes its value.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i64, Kind) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut number = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            number = match head >> 4 {
                0 => self.integer()?,
                step => number.saturating_add(i64::from(step)),
            };
            field(self, number, head & 0x0f)?;
        }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: Kind, depth: u32) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Malformed);
        }
        match kind {
            // Of a boolean field the type is the value.
            1 | 2 => Ok(()),
            3 => self.skip_bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            8 => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            9 | 10 => self.skip_list(depth),
            11 => self.skip_map(depth),
            STRUCT => self.fields(|walk, _, kind| walk.skip(kind, depth + 1)),
            13 => self.skip_bytes(16),
            _ => Err(Stop::Malformed),
        }
    }

    fn skip_list(&mut self, depth: u32) -> Result<(), Stop> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        self.fits(count)?;
        for _ in 0..count {
            self.skip_element(head & 0x0f, depth)?;
        }
        Ok(())
    }

    fn skip_map(&mut self, depth: u32) -> Result<(), Stop> {
        let count = self.varint()?;
        if count == 0 {
            return Ok(());
        }
        self.fits(count)?;
        let kinds = self.byte()?;
        for _ in 0..count {
            self.skip_element(kinds >> 4, depth)?;
            self.skip_element(kinds & 0x0f, depth)?;
        }
        Ok(())
    }

    /// In lists and maps a boolean takes a byte.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Result<(), Stop> {
        match kind {
            1 | 2 => self.skip_bytes(1),
            kind => self.skip(kind, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_claims_too_much_is_told() {
        // Field 1, a list of 2^31 - 1 structs, of which the bytes hold none.
        let bytes = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00];
        let found = Walk::new(&bytes).skip(STRUCT, 0);
        assert_eq!(found, Err(Stop::Claim((1 << 31) - 1)));
    }

    #[test]
    fn values_of_every_type_are_passed_over() {
        let bytes = [
            0x11, // true
            0x13, 0x05, // a byte
            0x15, 0x80, 0x01, // an integer of two bytes
            0x17, 0, 0, 0, 0, 0, 0, 0, 0, // a double
            0x18, 0x02, b'a', b'b', // text
            0x19, 0x21, 0x01, 0x00, // a list of two booleans
            0x1b, 0x01, 0x85, b'k', 0x02, 0x04, // a map of text to an integer
            0x1c, 0x00, // an empty struct
            0x00, 0xff,
        ];
        // The map's key is text of the length that its first byte tells.
        let mut bytes = bytes.to_vec();
        let key = bytes.iter().position(|byte| *byte == b'k').unwrap();
        bytes[key] = 0x01;
        bytes[key + 1] = b'k';
        let mut walk = Walk::new(&bytes);
        assert_eq!(walk.skip(STRUCT, 0), Ok(()));
        assert_eq!(walk.at(), bytes.len() - 1);
    }

    #[test]
    fn structs_without_end_are_refused() {
        assert_eq!(
            Walk::new(&[0x1c; 10_000]).skip(STRUCT, 0),
            Err(Stop::Malformed)
        );
        assert_eq!(Walk::new(&[0x1c; 10]).skip(STRUCT, 0), Err(Stop::Cut));
    }

    #[test]
    fn integers_are_zigzag() {
        for (bytes, value) in [
            (vec![0], 0),
            (vec![1], -1),
            (vec![2], 1),
            (vec![0xff, 0x01], -128),
        ] {
            assert_eq!(Walk::new(&bytes).integer(), Ok(value));
        }
    }
}
