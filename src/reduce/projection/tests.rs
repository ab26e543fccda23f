//! Files that were cut, altered or forged.

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
    let checksum = crc32fast::hash(&bytes).to_le_bytes();
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
    infinite.arrays[0].values = vec![f64::INFINITY; 4].into();
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
        let checksum = crc32fast::hash(&bytes).to_le_bytes();
        bytes.extend_from_slice(&checksum);
        prop_assert!(load(&bytes, "x").is_err());
    }
}
