//! A mask of classes as a grey PNG.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, ImageReader, Limits, Luma};
use ndarray::{Array2, ArrayView2};

use crate::{Error, Result};

/// Bytes that decoding a mask may allocate.
const MOST_DECODED: u64 = 1 << 30;

/// Where every PNG says how many bits a pixel has.
const DEPTH_AT: usize = 24;

/// A mask as a grey PNG, of 8 bits a pixel or of 16.
///
/// # Shapes and units
/// `mask` `[height, width]`; the grey value is the class index.
///
/// # Errors
/// `Invalid` for a mask without pixels, a side that is not below 2^32, or, with 8 bits, a value
/// beyond 255.
///
/// ```
/// use emberlens::table::{class_mask_from_png, class_mask_to_png};
/// let mask = ndarray::arr2(&[[0_u16, 1, 255], [2, 2, 0]]);
/// let png = class_mask_to_png(mask.view(), true)?;
/// assert_eq!(class_mask_from_png(&png)?, mask);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn class_mask_to_png(mask: ArrayView2<'_, u16>, eight_bits: bool) -> Result<Vec<u8>> {
    let wrong = |value: String, reason: String| {
        Error::invalid(
            "mask",
            value,
            reason,
            "a mask has pixels, and classes of its depth",
        )
    };
    let size = format!("{} x {}", mask.nrows(), mask.ncols());
    let side = |length: usize| u32::try_from(length).ok().filter(|&side| side > 0);
    let (Some(height), Some(width)) = (side(mask.nrows()), side(mask.ncols())) else {
        return Err(wrong(size, "PNG has no such image".into()));
    };
    let whole: Option<DynamicImage> = if eight_bits {
        let bytes: Result<Vec<u8>, u16> = mask
            .iter()
            .map(|&v| u8::try_from(v).map_err(|_| v))
            .collect();
        let bytes = bytes.map_err(|value| {
            wrong(
                value.to_string(),
                "a pixel of 8 bits holds at most 255".into(),
            )
        })?;
        GrayImage::from_raw(width, height, bytes).map(Into::into)
    } else {
        let values = mask.iter().copied().collect();
        ImageBuffer::<Luma<u16>, Vec<u16>>::from_raw(width, height, values).map(Into::into)
    };
    let mut png = Cursor::new(Vec::new());
    let written = whole.map(|image| image.write_to(&mut png, ImageFormat::Png));
    match written {
        Some(Ok(())) => Ok(png.into_inner()),
        Some(Err(error)) => Err(wrong(size, error.to_string())),
        None => Err(wrong(size, "the pixels do not fill it".into())),
    }
}

/// The mask of a grey PNG of 8 or 16 bits.
///
/// # Memory
/// Up to three bytes a pixel; an image that claims more than 1 GiB is refused before it is allocated.
///
/// # Errors
/// `Invalid` for bytes that are no PNG, or one that is not grey.
pub fn class_mask_from_png(png: &[u8]) -> Result<Array2<u16>> {
    let wrong = |reason: String| {
        Error::invalid(
            "mask",
            format!("{} bytes", png.len()),
            reason,
            "a mask is a grey PNG of 8 or 16 bits",
        )
    };
    // Lower depths are scaled up when they are decoded, and the classes would be others.
    if let Some(&depth @ ..8) = png.get(DEPTH_AT) {
        return Err(wrong(format!("its pixels have {depth} bits")));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| wrong(error.to_string()))?;
    let shape = (image.height() as usize, image.width() as usize);
    let values: Vec<u16> = match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw().into_iter().map(u16::from).collect(),
        DynamicImage::ImageLuma16(grey) => grey.into_raw(),
        other => return Err(wrong(format!("its pixels are {:?}", other.color()))),
    };
    Array2::from_shape_vec(shape, values).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_depths_keep_their_values() {
        let small = Array2::from_shape_fn((5, 7), |(r, c)| (r * 50 + c) as u16);
        let large = &small * 200;
        for (mask, eight) in [(&small, true), (&small, false), (&large, false)] {
            let png = class_mask_to_png(mask.view(), eight).unwrap();
            // The colour type follows: 0 is grey.
            assert_eq!(
                &png[DEPTH_AT..DEPTH_AT + 2],
                [if eight { 8 } else { 16 }, 0]
            );
            assert_eq!(class_mask_from_png(&png).unwrap(), *mask);
        }
        let error = class_mask_to_png(large.view(), true).unwrap_err();
        assert!(error.to_string().contains("at most 255"), "{error}");
        assert!(class_mask_to_png(Array2::zeros((0, 3)).view(), true).is_err());
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        assert!(class_mask_from_png(b"no image").is_err());
        let mut colour = Cursor::new(Vec::new());
        image::RgbImage::new(2, 2)
            .write_to(&mut colour, ImageFormat::Png)
            .unwrap();
        let error = class_mask_from_png(&colour.into_inner()).unwrap_err();
        assert!(error.to_string().contains("Rgb8"), "{error}");
        // A PNG of 60 bytes that claims 60000 x 60000 pixels of 16 bits.
        let mut png = class_mask_to_png(Array2::zeros((1, 1)).view(), false).unwrap();
        for side in [16..20, 20..24] {
            png[side].copy_from_slice(&60_000_u32.to_be_bytes());
        }
        let crc = crc32fast::hash(&png[12..29]).to_be_bytes();
        png[29..33].copy_from_slice(&crc);
        let error = class_mask_from_png(&png).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("limit"), "{error}");
    }
}
