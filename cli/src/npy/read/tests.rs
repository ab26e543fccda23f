use super::*;
use ndarray::arr2;
use std::io::Cursor;

fn file(version: u8, header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn open(bytes: &[u8]) -> Result<Array2<f32>> {
    let mut source = Cursor::new(bytes);
    let (matrix, _) = read_from(&mut source, bytes.len() as u64, "x.npy", &|| Ok(()))?;
    Ok(matrix)
}

fn header(descr: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n")
}

/// 0, 1, 2, ... as bytes.
fn counted<const N: usize>(count: usize, bytes: impl Fn(usize) -> [u8; N]) -> Vec<u8> {
    (0..count).flat_map(bytes).collect()
}

#[test]
fn every_type_order_and_version_gives_the_same_matrix() {
    let expected = arr2(&[[0.0_f32, 1.0, 2.0], [3.0, 4.0, 5.0]]);
    let halves = [0_u16, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500];
    let types = [
        ("<f4", counted(6, |k| (k as f32).to_le_bytes())),
        (">f4", counted(6, |k| (k as f32).to_be_bytes())),
        ("<f8", counted(6, |k| (k as f64).to_le_bytes())),
        (">f8", counted(6, |k| (k as f64).to_be_bytes())),
        ("|i1", counted(6, |k| (k as i8).to_le_bytes())),
        ("<i2", counted(6, |k| (k as i16).to_le_bytes())),
        (">i4", counted(6, |k| (k as i32).to_be_bytes())),
        ("<i8", counted(6, |k| (k as i64).to_le_bytes())),
        ("|u1", counted(6, |k| (k as u8).to_le_bytes())),
        (">u2", counted(6, |k| (k as u16).to_be_bytes())),
        ("<u4", counted(6, |k| (k as u32).to_le_bytes())),
        (">u8", counted(6, |k| (k as u64).to_be_bytes())),
        // numpy.arange(6, dtype="float16").view("uint16")
        ("<f2", halves.iter().flat_map(|k| k.to_le_bytes()).collect()),
        (">f2", halves.iter().flat_map(|k| k.to_be_bytes()).collect()),
    ];
    for (descr, values) in types {
        for version in [1, 2, 3] {
            let rows = file(version, &header(descr, "False", "2, 3"), &values);
            assert_eq!(open(&rows).unwrap(), expected, "{descr} {version}");
            let columns = file(version, &header(descr, "True", "3, 2"), &values);
            assert_eq!(open(&columns).unwrap(), expected.t(), "{descr} {version}");
        }
    }
}

#[test]
fn integers_and_booleans_are_rounded_as_those_of_tables_are() {
    let values = [-1, i64::MAX, (1 << 24) + 1, 0];
    let bytes = counted(4, |k| values[k].to_le_bytes());
    let read = open(&file(1, &header("<i8", "False", "2, 2"), &bytes)).unwrap();
    // 2^63 and 2^24 are the nearest f32.
    assert_eq!(
        read,
        arr2(&[[-1.0, 9_223_372_036_854_775_808.0], [16_777_216.0, 0.0]])
    );
    let read = open(&file(1, &header("|b1", "False", "2, 1"), &[0, 1])).unwrap();
    assert_eq!(read, arr2(&[[0.0], [1.0]]));
}

#[test]
fn what_f32_cannot_hold_is_told() {
    let tiny = counted(6, |k| if k == 4 { 1e-50 } else { k as f64 }.to_le_bytes());
    let near = counted(6, |k| (1e9 + k as f64).to_le_bytes());
    for (order, place) in [("False", "row 1, column 1"), ("True", "row 1, column 1")] {
        let shape = if order == "False" { "2, 3" } else { "3, 2" };
        let bytes = file(1, &header("<f8", order, shape), &tiny);
        let mut source = Cursor::new(&bytes);
        let (_, note) = read_from(&mut source, bytes.len() as u64, "x.npy", &|| Ok(())).unwrap();
        let note = note.unwrap();
        assert!(note.contains(place) && note.contains("1e-50"), "{note}");
        let error = open(&file(1, &header("<f8", order, shape), &near)).unwrap_err();
        assert!(
            error.to_string().contains("all equal as float32"),
            "{error}"
        );
    }
}

#[test]
fn matrices_beyond_one_chunk_come_whole_in_either_order() {
    // 3 x 4096 rows and some: several blocks of rows, several chunks of bytes.
    let (rows, columns) = (3 * BLOCK_ROWS + 17, 61);
    let value = |row: usize, column: usize| (row * 64 + column) as f32;
    let expected = Array2::from_shape_fn((rows, columns), |(row, column)| value(row, column));
    let shape = format!("{rows}, {columns}");
    let count = rows * columns;
    let by_row = counted(count, |k| value(k / columns, k % columns).to_le_bytes());
    let read = open(&file(1, &header("<f4", "False", &shape), &by_row)).unwrap();
    assert_eq!(read, expected);
    let by_column = counted(count, |k| {
        f64::from(value(k % rows, k / rows)).to_be_bytes()
    });
    let read = open(&file(1, &header(">f8", "True", &shape), &by_column)).unwrap();
    assert_eq!(read, expected);
    assert!(read.is_standard_layout());
}

#[test]
fn matrices_without_values_are_read() {
    for (shape, order) in [
        ("0, 5", "False"),
        ("5, 0", "False"),
        ("5, 0", "True"),
        ("0, 0", "True"),
    ] {
        let read = open(&file(1, &header("<f4", order, shape), &[])).unwrap();
        assert!(read.is_empty(), "{shape}");
    }
}

#[test]
fn a_header_that_lies_about_the_shape_is_refused_before_memory_is_taken() {
    let values = counted(6, |k| (k as f32).to_le_bytes());
    let shapes = [
        "3, 3",
        "1, 3",
        "4611686018427387904, 4",
        "18446744073709551615, 18446744073709551615",
        "1099511627776, 1",
    ];
    for shape in shapes {
        for order in ["False", "True"] {
            let error = open(&file(1, &header("<f4", order, shape), &values)).unwrap_err();
            assert!(error.to_string().contains("24 follow"), "{shape}: {error}");
        }
    }
    // No bytes follow, and none are needed: only the other axis is absurd.
    let empty = open(&file(
        1,
        &header("<f4", "False", "0, 18446744073709551615"),
        &[],
    ));
    assert!(empty.is_err());
}

#[test]
fn what_is_no_matrix_of_numbers_is_refused_with_the_way_out() {
    let cases = [
        (header("|O", "False", "2, 3"), "Python objects"),
        (header("<c8", "False", "2, 3"), "\"<c8\""),
        (header("<f16", "False", "2, 3"), "astype"),
        (header("<M8[s]", "False", "2, 3"), "astype"),
        (header("", "False", "2, 3"), "the type \"\""),
        (header("<f4", "False", "6,"), "1 axes"),
        (header("<f4", "False", "1, 2, 3"), "3 axes"),
        ("{".repeat(60_000), "a header that is none"),
        ("\n".into(), "a header that is none"),
    ];
    for (header, told) in cases {
        let error = open(&file(1, &header, &[0; 24])).unwrap_err();
        assert_eq!(error.kind(), emberlens::ErrorKind::Invalid);
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let values = counted(6, |k| (k as f32).to_le_bytes());
    let whole = file(2, &header("<f4", "False", "2, 3"), &values);
    for end in 0..whole.len() {
        assert!(open(&whole[..end]).is_err(), "{end}");
    }
    // The file became shorter after its length was taken.
    let mut source = Cursor::new(&whole[..whole.len() - 1]);
    let error = read_from(&mut source, whole.len() as u64, "x.npy", &|| Ok(())).unwrap_err();
    assert!(error.to_string().contains("the file ends"), "{error}");
}

#[test]
fn other_files_versions_and_absurd_headers_are_refused() {
    assert!(
        open(b"PAR1 and more")
            .unwrap_err()
            .to_string()
            .contains("no .npy")
    );
    assert!(
        open(&file(4, "{}", &[]))
            .unwrap_err()
            .to_string()
            .contains("format 4.0")
    );
    let mut long = file(2, "{}", &[]);
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(open(&long).unwrap_err().to_string().contains("4294967295"));
}

#[test]
fn a_number_beyond_f32_is_named_by_row_and_column() {
    let values = counted(6, |k| if k == 5 { 1e300_f64 } else { 0.0 }.to_le_bytes());
    for (order, shape) in [("False", "3, 2"), ("True", "2, 3")] {
        let error = open(&file(1, &header("<f8", order, shape), &values)).unwrap_err();
        let text = error.to_string();
        let place = match order {
            "False" => "row 2, column 1",
            _ => "row 1, column 2",
        };
        assert!(text.contains("1e300") && text.contains(place), "{text}");
    }
    let infinite = counted(1, |_| f64::INFINITY.to_le_bytes());
    let read = open(&file(1, &header("<f8", "False", "1, 1"), &infinite)).unwrap();
    assert_eq!(read[[0, 0]], f32::INFINITY);
}

#[test]
fn reading_stops_when_asked() {
    let values = counted(6, |k| (k as f32).to_le_bytes());
    for order in ["False", "True"] {
        let bytes = file(1, &header("<f4", order, "2, 3"), &values);
        let stop = || Err(Error::user("stop"));
        let length = bytes.len() as u64;
        assert!(read_from(&mut Cursor::new(&bytes), length, "x.npy", &stop).is_err());
    }
}
