//! The types of values that are read, and what makes f32 of them.

/// How the values lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    kind: Kind,
    is_big: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// A number as f64, and whether it is that number.
pub type Wide = (f64, bool);

fn exact(value: f64) -> Wide {
    (value, true)
}

/// An integer of 8 bytes.
pub fn wide(value: i128) -> Wide {
    let wide = value as f64;
    (wide, wide as i128 == value)
}

impl Type {
    pub fn of(descr: &str) -> Result<Self, String> {
        let is_big = match descr.get(..1) {
            Some(">") => true,
            Some("<") => false,
            Some("=" | "|") => cfg!(target_endian = "big"),
            _ => return Err(format!("values of the type {descr:?}")),
        };
        let kind = match descr.get(1..) {
            Some("b1") => Kind::Bool,
            Some("i1") => Kind::I8,
            Some("i2") => Kind::I16,
            Some("i4") => Kind::I32,
            Some("i8") => Kind::I64,
            Some("u1") => Kind::U8,
            Some("u2") => Kind::U16,
            Some("u4") => Kind::U32,
            Some("u8") => Kind::U64,
            Some("f2") => Kind::F16,
            Some("f4") => Kind::F32,
            Some("f8") => Kind::F64,
            Some("O" | "O8") => return Err("Python objects, which only Python can read,".into()),
            _ => return Err(format!("values of the type {descr:?}")),
        };
        Ok(Self { kind, is_big })
    }

    pub fn size(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// Calls `take` with every value, rounded to the nearest f32; f64 and integers of 4 bytes or more go
    /// through `narrow` with the number of the value.
    ///
    /// # Errors
    /// Those of `narrow`.
    pub fn convert<E>(
        self,
        bytes: &[u8],
        mut take: impl FnMut(f32),
        narrow: impl FnMut(usize, Wide) -> Result<f32, E>,
    ) -> Result<(), E> {
        match self.kind {
            Kind::Bool => self.each(bytes, |[byte]| take(f32::from(u8::from(byte != 0)))),
            Kind::I8 => self.each(bytes, |value| take(i8::from_le_bytes(value) as f32)),
            Kind::I16 => self.each(bytes, |value| take(i16::from_le_bytes(value) as f32)),
            Kind::U8 => self.each(bytes, |value| take(u8::from_le_bytes(value) as f32)),
            Kind::U16 => self.each(bytes, |value| take(u16::from_le_bytes(value) as f32)),
            Kind::F16 => self.each(bytes, |value| take(half(u16::from_le_bytes(value)))),
            Kind::F32 => self.each(bytes, |value| take(f32::from_le_bytes(value))),
            Kind::I32 => {
                self.narrowed(bytes, |v| exact(i32::from_le_bytes(v).into()), take, narrow)?
            }
            Kind::I64 => {
                self.narrowed(bytes, |v| wide(i64::from_le_bytes(v).into()), take, narrow)?
            }
            Kind::U32 => {
                self.narrowed(bytes, |v| exact(u32::from_le_bytes(v).into()), take, narrow)?
            }
            Kind::U64 => {
                self.narrowed(bytes, |v| wide(u64::from_le_bytes(v).into()), take, narrow)?
            }
            Kind::F64 => self.narrowed(bytes, |v| exact(f64::from_le_bytes(v)), take, narrow)?,
        }
        Ok(())
    }

    fn narrowed<const N: usize, E>(
        self,
        bytes: &[u8],
        wide: impl Fn([u8; N]) -> Wide,
        mut take: impl FnMut(f32),
        mut narrow: impl FnMut(usize, Wide) -> Result<f32, E>,
    ) -> Result<(), E> {
        for (number, value) in bytes.as_chunks::<N>().0.iter().enumerate() {
            take(narrow(number, wide(self.little(*value)))?);
        }
        Ok(())
    }

    fn each<const N: usize>(self, bytes: &[u8], mut take: impl FnMut([u8; N])) {
        for value in bytes.as_chunks::<N>().0 {
            take(self.little(*value));
        }
    }

    /// The bytes in little-endian order.
    fn little<const N: usize>(self, mut value: [u8; N]) -> [u8; N] {
        if self.is_big {
            value.reverse();
        }
        value
    }
}

/// The f32 of an IEEE 754 binary16, which holds them all.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    let size = match exponent {
        // Below the least normal number, 2^-14, in steps of 2^-24.
        0 => fraction as f32 * (-24_f32).exp2(),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        // The biases of the exponents are 15 and 127.
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    match bits >> 15 {
        0 => size,
        _ => -size,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::{ArrowPrimitiveType, Float16Type};

    use super::*;

    #[test]
    fn every_half_is_the_number_that_arrow_says() {
        for bits in 0..=u16::MAX {
            let expected = <Float16Type as ArrowPrimitiveType>::Native::from_bits(bits).to_f32();
            let found = half(bits);
            let are_nan = found.is_nan() && expected.is_nan();
            assert!(
                are_nan || found.to_bits() == expected.to_bits(),
                "{bits:#x}"
            );
        }
    }
}
