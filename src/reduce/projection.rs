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
//! `type` is `f64` for every array that version 1 knows; a reader refuses types, methods and
//! versions that it does not know.

use serde::{Deserialize, Serialize};

use super::checksum::crc32;
use super::pca::{self, Pca};
use super::reducer::Projection;
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
    pub(super) values: Vec<f64>,
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
            kind: "f64".into(),
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
        let payload: usize = self.arrays.iter().map(|array| array.values.len() * 8).sum();

        let mut file = Vec::with_capacity(FIXED + header.len() + payload + CHECKSUM);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&header_length.to_le_bytes());
        file.extend_from_slice(&(payload as u64).to_le_bytes());
        file.extend_from_slice(&header);
        for value in self.arrays.iter().flat_map(|array| &array.values) {
            file.extend_from_slice(&value.to_le_bytes());
        }
        file.extend_from_slice(&crc32(&file).to_le_bytes());
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

    /// Takes the finite values of the array of that name and shape out.
    pub(super) fn take(&mut self, name: &str, shape: &[usize], place: &str) -> Result<Vec<f64>> {
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
        if array.values.iter().any(|value| !value.is_finite()) {
            let reason = format!("array `{name}` holds values that are not finite");
            return Err(corrupt(place, reason));
        }
        Ok(std::mem::take(&mut array.values))
    }
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
    if field(checksum, 0) != Some(crc32(content).to_le_bytes()) {
        return Err("its checksum does not match: the file was altered or damaged".into());
    }
    Ok(content[FIXED..].split_at(header as usize))
}

/// `N` bytes at an offset.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The values of one array and the rest of the payload.
fn read_array<'a>(array: &Described, payload: &'a [u8]) -> Result<(Vec<f64>, &'a [u8]), String> {
    let Described { name, kind, shape } = array;
    if kind != "f64" {
        return Err(format!("array `{name}` is of the unknown type `{kind}`"));
    }
    let needed = shape
        .iter()
        .try_fold(8_usize, |size, &side| size.checked_mul(side));
    let (values, rest) = needed
        .and_then(|needed| payload.split_at_checked(needed))
        .ok_or_else(|| {
            let left = payload.len();
            format!("array `{name}` of shape {shape:?} is larger than the {left} bytes left")
        })?;
    let values = values.as_chunks::<8>().0;
    Ok((
        values
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes))
            .collect(),
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::reduce::Reducer;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn file() -> Vec<u8> {
        let x = Array2::from_shape_fn((9, 4), |(i, j)| ((i * 5 + j * j * 3) % 7) as f32);
        Pca::params()
            .dims(2)
            .fit(x.view())
            .unwrap()
            .to_bytes()
            .unwrap()
    }

    fn saved() -> Saved {
        Saved::from_bytes(&file(), "model.bin").unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        let error = load(bytes, "models/embedding-pca.bin").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        error.to_string()
    }

    /// The file with another header, its lengths and checksum made to fit.
    fn with_header(header: &serde_json::Value) -> Vec<u8> {
        let file = file();
        let length = u32::from_le_bytes(field(&file, 12).unwrap()) as usize;
        let header = serde_json::to_vec(header).unwrap();
        let mut bytes = file[..12].to_vec();
        bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&file[16..FIXED]);
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&file[FIXED + length..file.len() - CHECKSUM]);
        let checksum = crc32(&bytes).to_le_bytes();
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn header() -> serde_json::Value {
        let file = file();
        let length = u32::from_le_bytes(field(&file, 12).unwrap()) as usize;
        serde_json::from_slice(&file[FIXED..FIXED + length]).unwrap()
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let file = file();
        for length in 0..file.len() {
            refusal(&file[..length]);
        }
    }

    #[test]
    fn every_single_flipped_bit_is_refused() {
        let file = file();
        for bit in 0..file.len() * 8 {
            let mut altered = file.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            refusal(&altered);
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut newer = file();
        newer[8] = 2;
        assert!(refusal(&newer).contains("format 2"));
    }

    #[test]
    fn an_unknown_method_is_named_although_the_file_is_whole() {
        let other = Saved {
            method: "isomap".into(),
            ..saved()
        };
        assert!(refusal(&other.to_bytes().unwrap()).contains("isomap"));
    }

    #[test]
    fn shapes_that_contradict_each_other_are_refused_although_the_checksum_holds() {
        let wider = Saved {
            width: 5,
            ..saved()
        };
        assert!(refusal(&wider.to_bytes().unwrap()).contains("[2, 4] where [2, 5]"));
        let deeper = Saved {
            dims: usize::MAX,
            ..saved()
        };
        refusal(&deeper.to_bytes().unwrap());
        let mut infinite = saved();
        infinite.arrays[0].values[0] = f64::INFINITY;
        assert!(refusal(&infinite.to_bytes().unwrap()).contains("not finite"));
        let mut missing = saved();
        missing.arrays.pop();
        assert!(refusal(&missing.to_bytes().unwrap()).contains("missing"));
    }

    #[test]
    fn claimed_sizes_are_checked_before_anything_is_allocated() {
        for shape in [
            vec![usize::MAX / 8],
            vec![usize::MAX, usize::MAX],
            vec![1 << 40],
        ] {
            let mut header = header();
            header["arrays"][0]["shape"] = serde_json::json!(shape);
            assert!(refusal(&with_header(&header)).contains("larger than"));
        }
        let mut header = header();
        header["arrays"].as_array_mut().unwrap().pop();
        assert!(refusal(&with_header(&header)).contains("belong to no array"));
    }

    #[test]
    fn an_array_type_of_the_future_is_refused() {
        let mut header = header();
        header["arrays"][1]["type"] = "f16".into();
        assert!(refusal(&with_header(&header)).contains("f16"));
    }

    #[test]
    fn extra_header_keys_are_allowed() {
        let mut header = header();
        header["note"] = "written by a later minor version".into();
        assert!(load(&with_header(&header), "model.bin").is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(load(&bytes, "x").is_err());
        }

        #[test]
        fn arbitrary_headers_with_a_true_checksum_never_panic(
            text in ".{0,80}",
            payload in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(&VERSION.to_le_bytes());
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
            bytes.extend_from_slice(&payload);
            let checksum = crc32(&bytes).to_le_bytes();
            bytes.extend_from_slice(&checksum);
            prop_assert!(load(&bytes, "x").is_err());
        }
    }
}
