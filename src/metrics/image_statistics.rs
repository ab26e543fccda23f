//! What an image is like: size, brightness, contrast, sharpness.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits};
use ndarray::{Array2, ArrayView3, Axis};

use crate::table::Columns;
use crate::{Error, Result};

/// Bytes that decoding an image may allocate.
const MOST_DECODED: u64 = 1 << 30;
/// Pixels of an image: 16 bytes each are needed.
const MOST_PIXELS: usize = 1 << 28;

/// Numbers that tell dark, flat and blurred images from others.
///
/// Grey is `0.299 red + 0.587 green + 0.114 blue`, not rounded, from 0 to 255; an alpha channel is
/// left out.
///
/// # Source
/// Grey: ITU-R BT.601, as OpenCV's `COLOR_RGB2GRAY` before rounding. Sharpness: Pech-Pacheco et al.,
/// *Diatom autofocusing in brightfield microscopy* (2000), as `cv2.Laplacian(grey, cv2.CV_64F).var()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageStatistics {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Mean grey, 0 to 255.
    pub brightness: f64,
    /// Standard deviation of grey (population), 0 to 127.5.
    pub contrast: f64,
    /// Variance of the Laplacian of grey (population); grows with the number and strength of edges.
    pub sharpness: f64,
}

impl ImageStatistics {
    /// Of pixels.
    ///
    /// # Shapes and units
    /// `[height, width, channels]`, 0 to 255; 1 channel is grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    ///
    /// # Errors
    /// `Invalid` for another number of channels, no pixel, more than 2^28 of them, or a side that is not
    /// below 2^31.
    ///
    /// ```
    /// use emberlens::metrics::ImageStatistics;
    /// use ndarray::Array3;
    /// // Stripes of one pixel: the Laplacian is 2 * 255 up or down.
    /// let stripes = Array3::from_shape_fn((4, 6, 1), |(_, x, _)| if x % 2 == 0 { 0 } else { 255 });
    /// let found = ImageStatistics::of_pixels(stripes.view())?;
    /// assert_eq!((found.width, found.height), (6, 4));
    /// assert_eq!((found.brightness, found.contrast, found.sharpness), (127.5, 127.5, 510.0 * 510.0));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn of_pixels(pixels: ArrayView3<'_, u8>) -> Result<Self> {
        let (height, width, channels) = pixels.dim();
        let side = |length: usize| i32::try_from(length).ok().filter(|&side| side > 0);
        if height.saturating_mul(width) > MOST_PIXELS {
            return Err(Error::invalid(
                "pixels",
                format!("{height} x {width}"),
                format!("an image has at most {MOST_PIXELS} pixels"),
                "make it smaller",
            ));
        }
        let (Some(_), Some(_), 1..=4) = (side(height), side(width), channels) else {
            return Err(Error::invalid(
                "pixels",
                format!("{height} x {width} x {channels}"),
                "an image is [height, width, channels] with pixels and 1 to 4 channels",
                "move the channels to the last axis",
            ));
        };
        let grey = pixels.map_axis(Axis(2), |pixel| {
            let of = |channel: usize| f64::from(pixel[channel]);
            if channels < 3 {
                of(0)
            } else {
                0.299 * of(0) + 0.587 * of(1) + 0.114 * of(2)
            }
        });
        let (brightness, variance) = moments(&grey);
        let (_, sharpness) = moments(&laplacian(&grey));
        Ok(Self {
            width: width as u32,
            height: height as u32,
            brightness,
            contrast: variance.sqrt(),
            sharpness,
        })
    }

    /// Of an encoded image, PNG or JPEG, as its EXIF orientation turns it: `width` and `height` are those
    /// of the image as it is shown, and of an imported table.
    ///
    /// # Memory
    /// Up to 20 bytes a pixel; an image that claims more than 1 GiB is refused before it is allocated.
    ///
    /// # Errors
    /// `Invalid` for bytes that cannot be decoded.
    pub fn of_encoded(bytes: &[u8]) -> Result<Self> {
        let wrong = |reason: String| {
            Error::invalid(
                "image",
                format!("{} bytes", bytes.len()),
                reason,
                "give a whole PNG or JPEG",
            )
        };
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_DECODED);
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|error| wrong(error.to_string()))?;
        reader.limits(limits.clone());
        let image = decoded(reader, limits).map_err(|error| wrong(error.to_string()))?;
        let (height, width) = (image.height() as usize, image.width() as usize);
        let (channels, bytes) = match image {
            DynamicImage::ImageLuma8(grey) => (1, grey.into_raw()),
            DynamicImage::ImageRgb8(colours) => (3, colours.into_raw()),
            other => (3, other.to_rgb8().into_raw()),
        };
        let pixels = ArrayView3::from_shape((height, width, channels), &bytes);
        Self::of_pixels(pixels.map_err(|error| wrong(error.to_string()))?)
    }
}

/// The pixels as the image is shown; those that the header claims must be within the limits.
fn decoded(reader: ImageReader<Cursor<&[u8]>>, mut limits: Limits) -> ImageResult<DynamicImage> {
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Mean and population variance, each by a pass of its own.
fn moments(values: &Array2<f64>) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.sum() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, squares.sum::<f64>() / count)
}

/// The sum of the four neighbours less four times the pixel; beyond the border the image is mirrored
/// without repeating its edge, as OpenCV's `BORDER_DEFAULT`.
fn laplacian(grey: &Array2<f64>) -> Array2<f64> {
    let (height, width) = grey.dim();
    let before = |at: usize, length: usize| if at > 0 { at - 1 } else { 1.min(length - 1) };
    let after = |at: usize, length: usize| {
        if at + 1 < length {
            at + 1
        } else {
            length.saturating_sub(2)
        }
    };
    Array2::from_shape_fn((height, width), |(y, x)| {
        grey[[before(y, height), x]]
            + grey[[after(y, height), x]]
            + grey[[y, before(x, width)]]
            + grey[[y, after(x, width)]]
            - 4.0 * grey[[y, x]]
    })
}

/// The statistics of images as columns `width`, `height` (i32, pixels), `brightness`, `contrast` and
/// `sharpness` (f32).
///
/// ```
/// use emberlens::metrics::{ImageStatistics, image_statistics_columns};
/// let grey = ndarray::Array3::from_elem((2, 3, 1), 7_u8);
/// let columns = image_statistics_columns(&[ImageStatistics::of_pixels(grey.view())?]);
/// assert_eq!(columns.names().collect::<Vec<_>>()[..2], ["width", "height"]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn image_statistics_columns(images: &[ImageStatistics]) -> Columns {
    let sides = |of: fn(&ImageStatistics) -> u32| -> Vec<i32> {
        images.iter().map(|image| of(image) as i32).collect()
    };
    let numbers = |of: fn(&ImageStatistics) -> f64| -> Vec<f32> {
        images.iter().map(|image| of(image) as f32).collect()
    };
    Columns::new()
        .with("width", sides(|image| image.width))
        .with("height", sides(|image| image.height))
        .with("brightness", numbers(|image| image.brightness))
        .with("contrast", numbers(|image| image.contrast))
        .with("sharpness", numbers(|image| image.sharpness))
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};
    use ndarray::{Array3, arr3};

    use super::*;
    use crate::table::import::{ImageFolder, image_folder};

    /// A JPEG of 6 x 4 pixels, dark above and light below, that says how it is to be turned.
    fn turned(orientation: u8) -> Vec<u8> {
        let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
        // Tag 0x112, one number of 16 bits; no further directory.
        exif.extend([0x12, 1, 3, 0, 1, 0, 0, 0, orientation]);
        exif.extend([0; 7]);
        let grey: Vec<u8> = (0..24).map(|at| 60 * (at / 6) + at % 6).collect();
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
        encoder.set_exif_metadata(exif).unwrap();
        encoder
            .write_image(&grey, 6, 4, ExtendedColorType::L8)
            .unwrap();
        bytes
    }

    #[test]
    fn a_turned_photo_has_the_sides_that_its_table_has() {
        let folder = tempfile::TempDir::new().unwrap();
        let class = folder.path().join("class");
        std::fs::create_dir(&class).unwrap();
        let upright = ImageStatistics::of_encoded(&turned(1)).unwrap();
        let mut sides = Vec::new();
        for orientation in 1..=8 {
            let photo = turned(orientation);
            let found = ImageStatistics::of_encoded(&photo).unwrap();
            sides.push((found.width as i32, found.height as i32));
            assert!((found.brightness - upright.brightness).abs() < 1e-9);
            assert!((found.contrast - upright.contrast).abs() < 1e-9);
            assert!((found.sharpness - upright.sharpness).abs() < 1e-9);
            std::fs::write(class.join(format!("{orientation}.jpg")), photo).unwrap();
        }
        let tables = crate::storage::Location::open("memory://").unwrap();
        let options = ImageFolder::default();
        let table = image_folder(&tables, "photos", folder.path(), options).unwrap();
        let of = |side| table.table.column::<i32>(side).unwrap();
        let imported: Vec<_> = of("width").into_iter().zip(of("height")).collect();
        assert_eq!(sides, imported);
        assert_eq!((sides[0], sides[5]), ((6, 4), (4, 6)));
    }

    #[test]
    fn one_colour_is_flat() {
        let red = Array3::from_shape_fn((3, 3, 3), |(_, _, c)| if c == 0 { 200 } else { 0 });
        let found = ImageStatistics::of_pixels(red.view()).unwrap();
        assert!((found.brightness - 59.8).abs() < 1e-12);
        assert!(found.contrast < 1e-12 && found.sharpness < 1e-12);
    }

    #[test]
    fn one_pixel_and_one_row_have_numbers() {
        let one = ImageStatistics::of_pixels(arr3(&[[[9_u8]]]).view()).unwrap();
        assert_eq!(
            (one.brightness, one.contrast, one.sharpness),
            (9.0, 0.0, 0.0)
        );
        // A row 0, 10, 0: mirrored, the Laplacian is 20, -20, 20.
        let row = arr3(&[[[0_u8], [10], [0]]]);
        let row = ImageStatistics::of_pixels(row.view()).unwrap();
        assert!((row.sharpness - 3200.0 / 9.0).abs() < 1e-9, "{row:?}");
    }

    #[test]
    fn alpha_is_left_out() {
        let grey = ImageStatistics::of_pixels(arr3(&[[[9_u8, 0], [3, 255]]]).view()).unwrap();
        assert_eq!(grey.brightness, 6.0);
        let shape = (1, 2, 4);
        let colour = Array3::from_shape_fn(shape, |(_, x, c)| if c == 3 { x as u8 } else { 8 });
        let colour = ImageStatistics::of_pixels(colour.view()).unwrap();
        assert!((colour.brightness - 8.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for shape in [(0, 3, 1), (3, 3, 5), (3, 3, 0)] {
            let error = ImageStatistics::of_pixels(Array3::zeros(shape).view()).unwrap_err();
            assert!(error.to_string().contains("pixels ="), "{error}");
        }
        let error = ImageStatistics::of_encoded(b"GIF89a")
            .unwrap_err()
            .to_string();
        assert!(error.contains("6 bytes"), "{error}");
    }
}
