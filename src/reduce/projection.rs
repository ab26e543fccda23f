//! The file of a fitted projection.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `EMBLPROJ` |
//! | 8..12 | format version, u32 little-endian: 1 |
//! | 12..16 | `H`, length of the header, u32 little-endian |
//! | 16..24 | `P`, length of the payload, u64 little-endian |
//! | 24..24 + `H` | header, UTF-8 JSON |
//! | then `P` bytes | payload: the header's arrays one after the other, little-endian, row-major |
//! | last 4 | CRC-32 (IEEE) of everything before, u32 little-endian |
//!
//! The header: `{"method", "params", "seed", "width", "dims", "arrays": [{"name", "type", "shape"}]}`.
//! `type` is `f64` or `f32`; a reader refuses types, methods and versions that it does not know.

use serde::{Deserialize, Serialize};

use super::pacmap::{self, Pacmap};
use super::pca::{self, Pca};
use super::reducer::Projection;
use super::umap::{self, Umap};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"EMBLPROJ";
const VERSION: u32 = 1;
const FIXED: usize = 24;
const CHECKSUM: usize = 4;

/// What a projection file holds, whatever the method.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Saved {
    pub(super) method: String,
    pub(super) params: serde_json::Value,
    pub(super) seed: Option<u64>,
    pub(super) width: usize,
    pub(super) dims: usize,
    pub(super) arrays: Vec<SavedArray>,
}

/// A named array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SavedArray {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// The values of an array, in one of the types that a file knows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    F64(Vec<f64>),
    F32(Vec<f32>),
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        Self::F64(values)
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl Values {
    fn kind(&self) -> &'static str {
        match self {
            Self::F64(_) => "f64",
            Self::F32(_) => "f32",
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F64(values) => values.len() * 8,
            Self::F32(values) => values.len() * 4,
        }
    }

    fn write(&self, file: &mut Vec<u8>) {
        match self {
            Self::F64(values) => values
                .iter()
                .for_each(|value| file.extend(value.to_le_bytes())),
            Self::F32(values) => values
                .iter()
                .for_each(|value| file.extend(value.to_le_bytes())),
        }
    }

    fn are_finite(&self) -> bool {
        match self {
            Self::F64(values) => values.iter().all(|value| value.is_finite()),
            Self::F32(values) => values.iter().all(|value| value.is_finite()),
        }
    }
}

impl SavedArray {
    pub(super) fn new(name: &str, shape: &[usize], values: impl Into<Values>) -> Self {
        Self {
            name: name.into(),
            shape: shape.into(),
            values: values.into(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    method: String,
    params: serde_json::Value,
    seed: Option<u64>,
    width: usize,
    dims: usize,
    arrays: Vec<Described>,
}

#[derive(Serialize, Deserialize)]
struct Described {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    shape: Vec<usize>,
}

/// Reads a projection that [`Projection::to_bytes`] wrote; `place` is named in errors.
///
/// # Errors
/// `Corrupt` when the bytes are cut, altered, of a newer format or of an unknown method. Nothing is
/// allocated for sizes that the file claims before they are checked against its length.
pub fn load(bytes: &[u8], place: &str) -> Result<Box<dyn Projection>> {
    let saved = Saved::from_bytes(bytes, place)?;
    match saved.method.as_str() {
        pca::METHOD => Ok(Box::new(Pca::from_saved(saved, place)?)),
        pacmap::METHOD => Ok(Box::new(Pacmap::from_saved(saved, place)?)),
        umap::METHOD => Ok(Box::new(Umap::from_saved(saved, place)?)),
        other => Err(corrupt(
            place,
            format!("its method `{other}` is not known to this version of Emberlens; upgrade"),
        )),
    }
}

impl Saved {
    /// The file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let describe = |array: &SavedArray| Described {
            name: array.name.clone(),
            kind: array.values.kind().into(),
            shape: array.shape.clone(),
        };
        let header = Header {
            method: self.method.clone(),
            params: self.params.clone(),
            seed: self.seed,
            width: self.width,
            dims: self.dims,
            arrays: self.arrays.iter().map(describe).collect(),
        };
        let refused = |reason: String| {
            Error::invalid(
                "projection",
                &self.method,
                reason,
                "reduce with fewer parameters",
            )
        };
        let header = serde_json::to_vec(&header).map_err(|error| refused(error.to_string()))?;
        let header_length = u32::try_from(header.len())
            .map_err(|_| refused(format!("its header of {} bytes is too long", header.len())))?;
        let payload: usize = self.arrays.iter().map(|array| array.values.bytes()).sum();

        let mut file = Vec::with_capacity(FIXED + header.len() + payload + CHECKSUM);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&header_length.to_le_bytes());
        file.extend_from_slice(&(payload as u64).to_le_bytes());
        file.extend_from_slice(&header);
        for array in &self.arrays {
            array.values.write(&mut file);
        }
        file.extend_from_slice(&crc32fast::hash(&file).to_le_bytes());
        Ok(file)
    }

    /// Reads the file, checking every length and the checksum first.
    pub(super) fn from_bytes(bytes: &[u8], place: &str) -> Result<Self> {
        let (header, mut payload) = parts(bytes).map_err(|reason| corrupt(place, reason))?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| corrupt(place, format!("its header is malformed: {error}")))?;
        let mut arrays = Vec::new();
        for array in header.arrays {
            let (values, rest) =
                read_array(&array, payload).map_err(|reason| corrupt(place, reason))?;
            payload = rest;
            arrays.push(SavedArray {
                name: array.name,
                shape: array.shape,
                values,
            });
        }
        if !payload.is_empty() {
            let reason = format!("{} bytes of its payload belong to no array", payload.len());
            return Err(corrupt(place, reason));
        }
        Ok(Self {
            method: header.method,
            params: header.params,
            seed: header.seed,
            width: header.width,
            dims: header.dims,
            arrays,
        })
    }

    /// Takes the finite values of the f64 array of that name and shape out.
    pub(super) fn take(&mut self, name: &str, shape: &[usize], place: &str) -> Result<Vec<f64>> {
        match self.take_any(name, shape, place)? {
            Values::F64(values) => Ok(values),
            other => Err(wrong_type(name, &other, place)),
        }
    }

    /// The same for an f32 array.
    pub(super) fn take_f32(
        &mut self,
        name: &str,
        shape: &[usize],
        place: &str,
    ) -> Result<Vec<f32>> {
        match self.take_any(name, shape, place)? {
            Values::F32(values) => Ok(values),
            other => Err(wrong_type(name, &other, place)),
        }
    }

    fn take_any(&mut self, name: &str, shape: &[usize], place: &str) -> Result<Values> {
        let array = self
            .arrays
            .iter_mut()
            .find(|array| array.name == name)
            .ok_or_else(|| corrupt(place, format!("array `{name}` is missing")))?;
        if array.shape != shape {
            let found = &array.shape;
            let reason = format!("array `{name}` is {found:?} where {shape:?} is needed");
            return Err(corrupt(place, reason));
        }
        if !array.values.are_finite() {
            let reason = format!("array `{name}` holds values that are not finite");
            return Err(corrupt(place, reason));
        }
        Ok(std::mem::replace(
            &mut array.values,
            Values::F64(Vec::new()),
        ))
    }
}

fn wrong_type(name: &str, values: &Values, place: &str) -> Error {
    corrupt(
        place,
        format!("array `{name}` is of the type `{}`", values.kind()),
    )
}

pub(super) fn corrupt(place: &str, reason: String) -> Error {
    Error::Corrupt {
        what: "the projection",
        reason,
        path: place.to_owned(),
    }
}

/// Header and payload of a file whose lengths and checksum hold.
fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    if !bytes.starts_with(MAGIC) {
        return Err("it does not begin as a projection file".into());
    }
    let cut = || format!("it is cut after {} bytes", bytes.len());
    let version = u32::from_le_bytes(field(bytes, 8).ok_or_else(cut)?);
    if version != VERSION {
        return Err(format!(
            "it is of format {version} where this version of Emberlens reads {VERSION}"
        ));
    }
    let header = u32::from_le_bytes(field(bytes, 12).ok_or_else(cut)?);
    let payload = u64::from_le_bytes(field(bytes, 16).ok_or_else(cut)?);
    let claimed = payload
        .checked_add(u64::from(header))
        .and_then(|length| length.checked_add((FIXED + CHECKSUM) as u64));
    if claimed != Some(bytes.len() as u64) {
        return Err(format!(
            "it holds {} bytes where its lengths ask for {}",
            bytes.len(),
            claimed.map_or("more than 2^64".into(), |length| length.to_string()),
        ));
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if field(checksum, 0) != Some(crc32fast::hash(content).to_le_bytes()) {
        return Err("its checksum does not match: the file was altered or damaged".into());
    }
    Ok(content[FIXED..].split_at(header as usize))
}

/// `N` bytes at an offset.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The values of one array and the rest of the payload.
fn read_array<'a>(array: &Described, payload: &'a [u8]) -> Result<(Values, &'a [u8]), String> {
    let Described { name, kind, shape } = array;
    let size = match kind.as_str() {
        "f64" => 8,
        "f32" => 4,
        _ => return Err(format!("array `{name}` is of the unknown type `{kind}`")),
    };
    let needed = shape
        .iter()
        .try_fold(size, |size: usize, &side| size.checked_mul(side));
    let (values, rest) = needed
        .and_then(|needed| payload.split_at_checked(needed))
        .ok_or_else(|| {
            let left = payload.len();
            format!("array `{name}` of shape {shape:?} is larger than the {left} bytes left")
        })?;
    let values = if size == 8 {
        let values = values.as_chunks::<8>().0;
        Values::F64(
            values
                .iter()
                .map(|&bytes| f64::from_le_bytes(bytes))
                .collect(),
        )
    } else {
        let values = values.as_chunks::<4>().0;
        Values::F32(
            values
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes))
                .collect(),
        )
    };
    Ok((values, rest))
}

#[cfg(test)]
mod tests;
