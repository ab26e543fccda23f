//! Masks of classes as data sets keep them: PNG files whose samples are ids.

use std::io::Cursor;
use std::path::Path;

use ndarray::Array2;
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::{malformed, unreadable};
use crate::{Error, Result};

/// Bytes that decoding a mask may allocate.
const MOST_DECODED: usize = 1 << 30;

/// A mask as its file has it.
pub(super) struct MaskFile {
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// `[height, width]`, ids.
    pub(super) ids: Array2<u16>,
    /// Whether the file is a grey image of 8 or 16 bits without a transparent grey, as tables store
    /// masks.
    pub(super) is_plain: bool,
}

/// Reads the samples of a PNG with a palette (its indices) or of a grey one, of 1 to 16 bits.
///
/// # Errors
/// `Import` for a file that is damaged, no PNG, or one of colours, with its path.
pub(super) fn read(path: &Path) -> Result<MaskFile> {
    let bytes = std::fs::read(path).map_err(|error| unreadable("read", path, error))?;
    let (ids, is_plain) = samples(path, &bytes)?;
    Ok(MaskFile {
        bytes,
        ids,
        is_plain,
    })
}

fn samples(path: &Path, bytes: &[u8]) -> Result<(Array2<u16>, bool)> {
    let broken = |error: &dyn std::fmt::Display| -> Error {
        let reason = format!("no readable PNG ({error})");
        let hint =
            "a mask is a PNG with a palette, or a grey one; replace the file, or move it away";
        malformed(path, reason, "the file's content", hint)
    };
    let limits = Limits {
        bytes: MOST_DECODED,
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    // Without it a palette is replaced by its colours, and small samples are scaled up.
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|error| broken(&error))?;
    let (color, depth) = (reader.info().color_type, reader.info().bit_depth);
    if !matches!(color, ColorType::Indexed | ColorType::Grayscale) {
        let hint = "write masks of ids: a PNG with a palette, or a grey one";
        return Err(malformed(
            path,
            format!("the mask has colours ({color:?}) where ids are needed"),
            "its header",
            hint,
        ));
    }
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let needed = reader
        .output_buffer_size()
        .filter(|&needed| needed <= MOST_DECODED);
    let Some(needed) = needed else {
        return Err(broken(&format!("{width} x {height} pixels are too many")));
    };
    let mut buffer = vec![0; needed];
    let frame = reader
        .next_frame(&mut buffer)
        .map_err(|error| broken(&error))?;
    // What follows the pixels is read too: a file that was cut off is found here.
    reader.finish().map_err(|error| broken(&error))?;
    let lines = buffer.chunks_exact(frame.line_size.max(1)).take(height);
    let ids: Vec<u16> = lines.flat_map(|line| unpack(line, depth, width)).collect();
    let ids = Array2::from_shape_vec((height, width), ids).map_err(|error| broken(&error))?;
    let is_plain = color == ColorType::Grayscale
        && matches!(depth, BitDepth::Eight | BitDepth::Sixteen)
        && reader.info().trns.is_none();
    Ok((ids, is_plain))
}

/// The samples of one line; those of less than 8 bits lie in bytes from the highest bit on.
fn unpack(line: &[u8], depth: BitDepth, width: usize) -> Vec<u16> {
    let bits = depth as usize;
    match depth {
        BitDepth::Sixteen => line
            .chunks_exact(2)
            .take(width)
            .map(|pair| {
                pair.iter()
                    .fold(0, |value, &byte| value << 8 | u16::from(byte))
            })
            .collect(),
        BitDepth::Eight => line.iter().take(width).map(|&byte| byte.into()).collect(),
        BitDepth::One | BitDepth::Two | BitDepth::Four => line
            .iter()
            .flat_map(|&byte| {
                let places = (0..8 / bits).rev();
                places.map(move |place| u16::from(byte) >> (place * bits) & ((1 << bits) - 1))
            })
            .take(width)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(color: ColorType, depth: BitDepth, width: u32, height: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![9; 3 * 16]);
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn ids(bytes: &[u8]) -> Result<Vec<Vec<u16>>> {
        let (ids, _) = samples(Path::new("m.png"), bytes)?;
        Ok(ids.rows().into_iter().map(|row| row.to_vec()).collect())
    }

    #[test]
    fn samples_of_every_depth_are_ids() {
        use BitDepth::*;
        for color in [ColorType::Indexed, ColorType::Grayscale] {
            // Three pixels a line: the rest of its last byte is no pixel.
            let one = encode(color, One, 3, 2, &[0b1010_0000, 0b0110_0000]);
            assert_eq!(ids(&one).unwrap(), [[1, 0, 1], [0, 1, 1]]);
            let two = encode(color, Two, 3, 1, &[0b11_01_00_00]);
            assert_eq!(ids(&two).unwrap(), [[3, 1, 0]]);
            let four = encode(color, Four, 3, 1, &[0xf7, 0x20]);
            assert_eq!(ids(&four).unwrap(), [[15, 7, 2]]);
            let eight = encode(color, Eight, 3, 1, &[0, 7, 15]);
            assert_eq!(ids(&eight).unwrap(), [[0, 7, 15]]);
        }
        let sixteen = encode(ColorType::Grayscale, Sixteen, 2, 1, &[1, 0, 255, 254]);
        assert_eq!(ids(&sixteen).unwrap(), [[256, 65534]]);
    }

    #[test]
    fn a_grey_that_is_transparent_is_an_id_but_the_file_is_written_anew() {
        for (transparent, is_plain) in [(None, true), (Some(vec![0, 7]), false)] {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::Eight);
            if let Some(grey) = transparent {
                encoder.set_trns(grey);
            }
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&[7, 1]).unwrap();
            writer.finish().unwrap();
            let (ids, found) = samples(Path::new("m.png"), &bytes).unwrap();
            assert_eq!((ids.row(0).to_vec(), found), (vec![7, 1], is_plain));
        }
    }

    #[test]
    fn colours_and_damage_are_refused() {
        let colours = encode(ColorType::Rgb, BitDepth::Eight, 1, 1, &[1, 2, 3]);
        let error = ids(&colours).unwrap_err().to_string();
        assert!(
            error.contains("colours (Rgb)") && error.contains("m.png"),
            "{error}"
        );
        let whole = encode(ColorType::Grayscale, BitDepth::Eight, 64, 64, &[7; 64 * 64]);
        for end in 0..whole.len() {
            assert!(
                ids(&whole[..end]).is_err(),
                "{end} of {} bytes",
                whole.len()
            );
        }
        assert!(ids(b"BM no png").is_err());
    }
}
