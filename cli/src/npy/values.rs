//! The types of values that are read, and what makes f32 of them.

/// How the values lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    F32 { is_big: bool },
    F64 { is_big: bool },
}

impl Type {
    pub fn of(descr: &str) -> Result<Self, String> {
        let is_big = match descr.get(..1) {
            Some(">") => true,
            Some("<") => false,
            Some("=" | "|") => cfg!(target_endian = "big"),
            _ => return Err(format!("values of the type {descr:?}")),
        };
        match descr.get(1..) {
            Some("f4") => Ok(Self::F32 { is_big }),
            Some("f8") => Ok(Self::F64 { is_big }),
            Some("O" | "O8") => Err("Python objects, which only Python can read,".to_owned()),
            _ => Err(format!("values of the type {descr:?}")),
        }
    }

    pub fn size(self) -> usize {
        match self {
            Self::F32 { .. } => 4,
            Self::F64 { .. } => 8,
        }
    }

    pub fn convert<'a>(self, bytes: &[u8], places: impl Iterator<Item = &'a mut f32>) {
        let (four, eight) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match self {
            Self::F32 { is_big: false } => {
                let values = four.iter().map(|value| f32::from_le_bytes(*value));
                places.zip(values).for_each(|(place, value)| *place = value);
            }
            Self::F32 { is_big: true } => {
                let values = four.iter().map(|value| f32::from_be_bytes(*value));
                places.zip(values).for_each(|(place, value)| *place = value);
            }
            Self::F64 { is_big } => {
                let values = eight.iter().map(|value| wide(*value, is_big) as f32);
                places.zip(values).for_each(|(place, value)| *place = value);
            }
        }
    }

    /// The first finite value that f32 cannot hold.
    pub fn first_beyond_f32(self, bytes: &[u8]) -> Option<(usize, f64)> {
        let Self::F64 { is_big } = self else {
            return None;
        };
        let values = bytes.as_chunks::<8>().0.iter().map(|b| wide(*b, is_big));
        let is_beyond = |value: f64| value.is_finite() && !(value as f32).is_finite();
        values.enumerate().find(|(_, value)| is_beyond(*value))
    }
}

fn wide(bytes: [u8; 8], is_big: bool) -> f64 {
    match is_big {
        true => f64::from_be_bytes(bytes),
        false => f64::from_le_bytes(bytes),
    }
}
