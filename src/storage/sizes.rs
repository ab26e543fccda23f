//! What a Parquet file claims of its sizes, compared with the file before a decoder makes room for it.
//!
//! A list in the footer that claims two billion row groups, or a dictionary page that claims as many
//! values, would take all memory before the decoder finds that the file is too short.

use bytes::Bytes;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::thrift::{STRUCT, Stop, Walk};

const MAGIC: &[u8; 4] = b"PAR1";

/// Length of the footer and magic, at the end of every file.
const TAIL: u64 = 8;

/// A page larger than this is refused; writers make pages of a megabyte, or of one value.
const MAX_PAGE_BYTES: i64 = 1 << 30;

/// Bytes in which a page's header is looked for first.
const HEADER_BYTES: u64 = 256;

/// The type of dictionary pages.
const DICTIONARY: i64 = 2;

/// Refuses a file that claims more than it has.
pub(super) fn check_file(file: &Bytes) -> Result<(), String> {
    check_footer(file)?;
    match ParquetMetaDataReader::new().parse_and_finish(file) {
        Ok(metadata) => check_pages(file, &metadata),
        Err(error) => Err(error.to_string()),
    }
}

/// Refuses a footer whose lists claim more elements than it has bytes. What else is wrong with a file,
/// the decoder tells.
pub(crate) fn check_footer(file: &impl ChunkReader) -> Result<(), String> {
    let Some(start) = file.len().checked_sub(TAIL) else {
        return Ok(());
    };
    let tail = read(file, start, TAIL)?;
    let (length, magic) = tail.split_at(4);
    let length = length.try_into().map_or(0, u32::from_le_bytes);
    let Some(start) = start.checked_sub(u64::from(length)) else {
        return Ok(());
    };
    if magic != MAGIC {
        return Ok(());
    }
    let footer = read(file, start, u64::from(length))?;
    match Walk::new(&footer).skip(STRUCT, 0) {
        Err(Stop::Claim(count)) => Err(format!(
            "its footer of {length} bytes claims to hold {count} things"
        )),
        _ => Ok(()),
    }
}

/// Refuses pages that claim more than their column has, or more values than bytes.
pub(crate) fn check_pages(
    file: &impl ChunkReader,
    metadata: &ParquetMetaData,
) -> Result<(), String> {
    for group in metadata.row_groups() {
        for column in group.columns() {
            let (start, length) = column.byte_range();
            let end = start.checked_add(length).filter(|end| *end <= file.len());
            let name = column.column_path().string();
            let end = end.ok_or_else(|| {
                format!("its column `{name}` claims {length} bytes from byte {start} on")
            })?;
            let mut at = start;
            while at < end {
                let (header, page) = page_at(file, at, end)?;
                let wrong = page.wrong(end - at - header);
                if let Some(wrong) = wrong {
                    return Err(format!("a page of its column `{name}` claims {wrong}"));
                }
                at += header + page.compressed.unsigned_abs();
            }
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Page {
    kind: i64,
    uncompressed: i64,
    compressed: i64,
    values: i64,
}

impl Page {
    /// What is wrong, with so many bytes left of the column.
    fn wrong(&self, left: u64) -> Option<String> {
        let Self {
            uncompressed,
            compressed,
            values,
            ..
        } = *self;
        if !u64::try_from(compressed).is_ok_and(|bytes| bytes <= left) {
            Some(format!("{compressed} bytes where {left} are left"))
        } else if !(0..=MAX_PAGE_BYTES).contains(&uncompressed) {
            Some(format!("{uncompressed} bytes when it is unpacked"))
        } else if values < 0 {
            Some(format!("{values} values"))
        } else if self.kind == DICTIONARY && values > uncompressed {
            Some(format!("{values} values in {uncompressed} bytes"))
        } else {
            None
        }
    }
}

/// The header of a page, and its length.
fn page_at(file: &impl ChunkReader, at: u64, end: u64) -> Result<(u64, Page), String> {
    let mut length = HEADER_BYTES.min(end - at);
    loop {
        let bytes = read(file, at, length)?;
        match header(&bytes) {
            Ok((header, page)) => return Ok((header as u64, page)),
            // Statistics of long texts make long headers.
            Err(_) if length < end - at => length = length.saturating_mul(16).min(end - at),
            Err(stop) => return Err(format!("the header of a page is damaged ({stop:?})")),
        }
    }
}

fn header(bytes: &[u8]) -> Result<(usize, Page), Stop> {
    let mut walk = Walk::new(bytes);
    let mut page = Page::default();
    walk.fields(|walk, number, kind| match (number, kind) {
        (1, 5) => walk.integer().map(|kind| page.kind = kind),
        (2, 5) => walk.integer().map(|size| page.uncompressed = size),
        (3, 5) => walk.integer().map(|size| page.compressed = size),
        // Headers of data pages, dictionaries and data pages of version 2 begin with their values.
        (5 | 7 | 8, STRUCT) => walk.fields(|walk, number, kind| match (number, kind) {
            (1, 5) => walk.integer().map(|values| page.values = values),
            _ => walk.skip(kind, 1),
        }),
        _ => walk.skip(kind, 0),
    })?;
    Ok((walk.at(), page))
}

fn read(file: &impl ChunkReader, start: u64, length: u64) -> Result<Bytes, String> {
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    file.get_bytes(start, length)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(kind: u8, uncompressed: &[u8], compressed: &[u8], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, kind << 1, 0x15];
        bytes.extend(uncompressed);
        bytes.push(0x15);
        bytes.extend(compressed);
        // The header of a dictionary is field 7, of a data page field 5.
        bytes.push(if kind == 2 { 0x4c } else { 0x2c });
        bytes.push(0x15);
        bytes.extend(values);
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn a_page_claims_no_more_than_there_is() {
        let wrong = |bytes: &[u8]| header(bytes).unwrap().1.wrong(100).is_some();
        assert!(!wrong(&page(0, &[0x14], &[0x14], &[0x14])));
        assert!(!wrong(&page(2, &[0x14], &[0x14], &[0x14])));
        // A data page may hold more values than bytes: they are run-length encoded.
        assert!(!wrong(&page(0, &[0x14], &[0x14], &[0xfe, 0xff, 0x01])));
        assert!(wrong(&page(2, &[0x14], &[0x14], &[0xfe, 0xff, 0x01])));
        assert!(wrong(&page(
            0,
            &[0xfe, 0xff, 0xff, 0xff, 0x0f],
            &[0x14],
            &[0x14]
        )));
        assert!(wrong(&page(0, &[0x14], &[0xfe, 0x01], &[0x14])));
        assert!(wrong(&page(0, &[0x14], &[0x01], &[0x14])));
    }
}
