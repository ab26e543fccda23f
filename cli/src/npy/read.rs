//! Reading a matrix as f32, row-major, in one copy.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use emberlens::{Error, Result};
use ndarray::Array2;

use super::header::Header;
use super::values::Type;

/// How every `.npy` file begins.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest header that is read; NumPy's own limit for files it does not trust is 10,000.
const MAX_HEADER: u64 = 64 << 10;

/// Bytes read and converted at a time; whole values of every type.
const CHUNK: usize = 1 << 20;

/// Rows of a column-major matrix that are put in order at a time: small enough for the cache.
const BLOCK_ROWS: usize = 4096;

/// Reads a file of float32 or float64; f64 is rounded to the nearest f32.
///
/// `go_on` is asked once a megabyte.
///
/// # Memory
/// The matrix, and a megabyte.
///
/// # Errors
/// `Import` for a file that is no such matrix, with the place; `NonFinite` for an f64 beyond the
/// range of f32; `TooLarge`; those of `go_on`.
pub fn read(path: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<Array2<f32>> {
    let failed = |error: io::Error| Error::storage("reading", path.to_string_lossy(), error);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    read_from(&mut file, length, &path.to_string_lossy(), go_on)
}

fn read_from(
    file: &mut (impl Read + Seek),
    length: u64,
    place: &str,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Array2<f32>> {
    let file = &mut Source { file, place, go_on };
    let (header, start) = file.header()?;
    let [rows, columns] = header.shape[..] else {
        return Err(file.malformed(
            format!(
                "an array of {} axes where a matrix has two",
                header.shape.len()
            ),
            "the header",
            "save it as rows x columns, for example with numpy.reshape",
        ));
    };
    let of = Type::of(&header.descr).map_err(|reason| {
        let hint = "save it as float32: numpy.save(path, x.astype(\"float32\"))";
        file.malformed(reason, "the header", hint)
    })?;
    let needed = (rows.checked_mul(columns)).and_then(|count| count.checked_mul(of.size() as u64));
    let found = length.saturating_sub(start);
    if needed != Some(found) {
        let needed = needed.map_or("more than any file".to_owned(), |needed| needed.to_string());
        return Err(file.malformed(
            format!("{rows} x {columns} values take {needed} bytes where {found} follow"),
            "the end of the header",
            "copy or save the file again",
        ));
    }
    // Both fit: their product is at most the length of a file that exists, or one of them is zero.
    let too_large = || Error::TooLarge {
        what: format!("reading {place}"),
        needed: rows.saturating_mul(columns).saturating_mul(4),
        limit: isize::MAX as u64,
        hint: "read fewer rows".into(),
    };
    let size = |axis: u64| usize::try_from(axis).map_err(|_| too_large());
    let (rows, columns) = (size(rows)?, size(columns)?);
    let room = Vec::<f32>::new().try_reserve_exact(rows * columns);
    room.map_err(|_| too_large())?;
    let mut values = vec![0.0; rows * columns]; // by the system, when a page is first written
    match header.is_fortran {
        false => file.row_major(&mut values, columns, of)?,
        true => file.column_major(&mut values, (rows, columns), start, of)?,
    }
    Array2::from_shape_vec((rows, columns), values).map_err(|_| too_large())
}

struct Source<'a, F> {
    file: &'a mut F,
    place: &'a str,
    go_on: &'a dyn Fn() -> Result<()>,
}

impl<F: Read + Seek> Source<'_, F> {
    /// The header and the position of the first value.
    fn header(&mut self) -> Result<(Header, u64)> {
        let mut fixed = [0; 8];
        self.fill(&mut fixed, "the first bytes")?;
        let [.., major, minor] = fixed;
        if !fixed.starts_with(MAGIC) {
            let reason = "no .npy file".to_owned();
            return Err(self.malformed(reason, "the first bytes", "save it with numpy.save"));
        }
        let (length, fixed) = match (major, minor) {
            (1, 0) => {
                let mut length = [0; 2];
                self.fill(&mut length, "the length of the header")?;
                (u64::from(u16::from_le_bytes(length)), 10)
            }
            (2 | 3, 0) => {
                let mut length = [0; 4];
                self.fill(&mut length, "the length of the header")?;
                (u64::from(u32::from_le_bytes(length)), 12)
            }
            _ => {
                let reason = format!("format {major}.{minor} where 1.0, 2.0 and 3.0 are known");
                let hint = "save it with numpy.save";
                return Err(self.malformed(reason, "the first bytes", hint));
            }
        };
        if length > MAX_HEADER {
            let reason = format!("a header of {length} bytes where {MAX_HEADER} are allowed");
            return Err(self.malformed(reason, "the first bytes", "save it with numpy.save"));
        }
        let mut text = vec![0; length as usize];
        self.fill(&mut text, "the header")?;
        let header = String::from_utf8(text)
            .map_err(|_| "it is no text".to_owned())
            .and_then(|text| text.parse());
        match header {
            Ok(header) => Ok((header, fixed + length)),
            Err(reason) => {
                let reason = format!("a header that is none: {reason}");
                Err(self.malformed(reason, "the first bytes", "save it with numpy.save"))
            }
        }
    }

    fn row_major(&mut self, values: &mut [f32], columns: usize, of: Type) -> Result<()> {
        let mut bytes = vec![0; CHUNK];
        let per_chunk = CHUNK / of.size();
        for (chunk, places) in values.chunks_mut(per_chunk).enumerate() {
            (self.go_on)()?;
            let bytes = &mut bytes[..places.len() * of.size()];
            self.fill(bytes, "the values")?;
            of.convert(bytes, places.iter_mut());
            if let Some((at, value)) = of.first_beyond_f32(bytes) {
                let at = chunk * per_chunk + at;
                return Err(self.beyond(at / columns, at % columns, value));
            }
        }
        Ok(())
    }

    /// Puts blocks of rows in order: a piece of each column at a time.
    fn column_major(
        &mut self,
        values: &mut [f32],
        (rows, columns): (usize, usize),
        start: u64,
        of: Type,
    ) -> Result<()> {
        let mut bytes = vec![0; BLOCK_ROWS.min(rows) * of.size()];
        for (block, ordered) in values.chunks_mut((BLOCK_ROWS * columns).max(1)).enumerate() {
            (self.go_on)()?;
            let first = block * BLOCK_ROWS;
            let chunk = &mut bytes[..ordered.len() / columns * of.size()];
            for column in 0..columns {
                let at = start + ((column * rows + first) * of.size()) as u64;
                let sought = self.file.seek(SeekFrom::Start(at));
                sought.map_err(|error| Error::storage("reading", self.place, error))?;
                self.fill(chunk, "the values")?;
                of.convert(chunk, ordered[column..].iter_mut().step_by(columns));
                if let Some((at, value)) = of.first_beyond_f32(chunk) {
                    return Err(self.beyond(first + at, column, value));
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8], position: &str) -> Result<()> {
        self.file
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.malformed(
                    "the file ends".to_owned(),
                    position,
                    "copy or save the file again",
                ),
                _ => Error::storage("reading", self.place, error),
            })
    }

    fn malformed(&self, reason: String, position: &str, hint: &str) -> Error {
        Error::Import {
            reason,
            position: position.to_owned(),
            hint: hint.to_owned(),
            path: self.place.to_owned(),
        }
    }

    fn beyond(&self, row: usize, column: usize, value: f64) -> Error {
        Error::NonFinite {
            what: self.place.to_owned(),
            row,
            column,
            value: format!("{value:e}, beyond the range of float32,"),
            hint: "scale the column".into(),
        }
    }
}

#[cfg(test)]
mod tests {
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
        read_from(&mut source, bytes.len() as u64, "x.npy", &|| Ok(()))
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
        let types = [
            ("<f4", counted(6, |k| (k as f32).to_le_bytes())),
            (">f4", counted(6, |k| (k as f32).to_be_bytes())),
            ("<f8", counted(6, |k| (k as f64).to_le_bytes())),
            (">f8", counted(6, |k| (k as f64).to_be_bytes())),
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
    fn what_is_no_matrix_of_floats_is_refused_with_the_way_out() {
        let cases = [
            (header("|O", "False", "2, 3"), "Python objects"),
            (header("<i8", "False", "2, 3"), "\"<i8\""),
            (header("<f2", "False", "2, 3"), "astype"),
            (header("|b1", "False", "2, 3"), "astype"),
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
}
