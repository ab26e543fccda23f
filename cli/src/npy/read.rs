//! Reading a matrix as f32, row-major, in one copy.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use emberlens::{Error, Result};
use ndarray::Array2;

use super::header::Header;
use super::values::Type;
use crate::narrow::Narrowing;

/// How every `.npy` file begins.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest header that is read; NumPy's own limit for files it does not trust is 10,000.
const MAX_HEADER: u64 = 64 << 10;

/// Bytes read and converted at a time; whole values of every type.
const CHUNK: usize = 1 << 20;

/// Rows of a column-major matrix that are put in order at a time: small enough for the cache.
const BLOCK_ROWS: usize = 4096;

/// A matrix, and what was lost on the way to f32, in words.
pub type Read = (Array2<f32>, Option<String>);

/// Reads a file of floats, integers or booleans; each is rounded to the nearest f32, as those of
/// tables are.
///
/// `go_on` is asked once a megabyte.
///
/// # Memory
/// The matrix, and a megabyte.
///
/// # Errors
/// `Import` for a file that is no such matrix, with the place; `NonFinite` for an f64 beyond the
/// range of f32; `Invalid` for f64 that f32 cannot tell apart; `TooLarge`; those of `go_on`.
pub fn read(path: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<Read> {
    let failed = |error: io::Error| Error::storage("reading", path.to_string_lossy(), error);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    read_from(&mut file, length, &path.to_string_lossy(), go_on)
}

/// Reads a file of one number per row, `[rows]` or `[rows, 1]`, as [`read`] does.
///
/// # Errors
/// As [`read`].
pub fn read_column(path: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<Read> {
    let failed = |error: io::Error| Error::storage("reading", path.to_string_lossy(), error);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let place = path.to_string_lossy();
    let file = &mut Source {
        file: &mut file,
        place: &place,
        go_on,
    };
    let (header, start) = file.header()?;
    match header.shape[..] {
        [rows] | [rows, 1] => file.matrix(&header, (rows, 1), length, start),
        _ => {
            let reason = "an array of more than one number per row".to_owned();
            Err(file.malformed(reason, "the header", "save it as one axis"))
        }
    }
}

fn read_from(
    file: &mut (impl io::Read + Seek),
    length: u64,
    place: &str,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Read> {
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
    file.matrix(&header, (rows, columns), length, start)
}

struct Source<'a, F> {
    file: &'a mut F,
    place: &'a str,
    go_on: &'a dyn Fn() -> Result<()>,
}

impl<F: io::Read + Seek> Source<'_, F> {
    /// The values after the header, rounded.
    fn matrix(
        &mut self,
        header: &Header,
        (rows, columns): (u64, u64),
        length: u64,
        start: u64,
    ) -> Result<Read> {
        let place = self.place;
        let of = Type::of(&header.descr).map_err(|reason| {
            let hint = "save it as float32: numpy.save(path, x.astype(\"float32\"))";
            self.malformed(reason, "the header", hint)
        })?;
        let needed =
            (rows.checked_mul(columns)).and_then(|count| count.checked_mul(of.size() as u64));
        let found = length.saturating_sub(start);
        if needed != Some(found) {
            let needed =
                needed.map_or("more than any file".to_owned(), |needed| needed.to_string());
            return Err(self.malformed(
                format!("{rows} x {columns} values take {needed} bytes where {found} follow"),
                "the end of the header",
                "copy or save the file again",
            ));
        }
        if rows.max(columns) > isize::MAX as u64 {
            let reason = format!("an axis of {}", rows.max(columns));
            return Err(self.malformed(reason, "the header", "save it again"));
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
        let mut narrowing = Narrowing::new(place);
        match header.is_fortran {
            false => self.row_major(&mut values, columns, of, &mut narrowing)?,
            true => self.column_major(&mut values, (rows, columns), (start, of), &mut narrowing)?,
        }
        let matrix = Array2::from_shape_vec((rows, columns), values).map_err(|_| too_large())?;
        Ok((matrix, narrowing.finish()?))
    }

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

    fn row_major(
        &mut self,
        values: &mut [f32],
        columns: usize,
        of: Type,
        narrowing: &mut Narrowing,
    ) -> Result<()> {
        let mut bytes = vec![0; CHUNK];
        let per_chunk = CHUNK / of.size();
        for (chunk, places) in values.chunks_mut(per_chunk).enumerate() {
            (self.go_on)()?;
            let bytes = &mut bytes[..places.len() * of.size()];
            self.fill(bytes, "the values")?;
            let mut places = places.iter_mut();
            of.convert(bytes, put_into(&mut places), |at, value| {
                let at = chunk * per_chunk + at;
                narrowing.narrow_wide(at / columns, at % columns, value)
            })?;
        }
        Ok(())
    }

    /// Puts blocks of rows in order: a piece of each column at a time.
    fn column_major(
        &mut self,
        values: &mut [f32],
        (rows, columns): (usize, usize),
        (start, of): (u64, Type),
        narrowing: &mut Narrowing,
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
                let mut places = ordered[column..].iter_mut().step_by(columns);
                of.convert(chunk, put_into(&mut places), |at, value| {
                    narrowing.narrow_wide(first + at, column, value)
                })?;
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
}

/// Puts one value after another into its place.
fn put_into<'a>(places: &mut impl Iterator<Item = &'a mut f32>) -> impl FnMut(f32) {
    move |value| {
        if let Some(place) = places.next() {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests;
