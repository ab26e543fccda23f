//! One image file: what it is, whether it is whole, and its size.

use std::io::{BufReader, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::folder::ImageFolder;
use super::{malformed, unreadable};
use crate::table::ImageStorage;
use crate::{Error, Result};

/// What a file's ending says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// PNG or JPEG.
    Image,
    /// An image of a format that is not read.
    OtherImage,
    /// No image.
    Other,
}

/// What the file's ending says, whatever its case.
pub(super) fn kind(path: &Path) -> FileKind {
    let ending = path
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "png" | "jpg" | "jpeg" => FileKind::Image,
        "gif" | "bmp" | "webp" | "tif" | "tiff" | "avif" | "heic" | "jp2" | "jxl" | "ppm"
        | "pgm" | "tga" | "ico" | "exr" => FileKind::OtherImage,
        _ => FileKind::Other,
    }
}

/// An error for an image of a format that is not read.
pub(super) fn other_format(path: &Path) -> Error {
    let hint = "convert it to PNG or JPEG, or move it away";
    malformed(
        path,
        "an image of a format that is not read",
        "its ending",
        hint,
    )
}

/// The address of a file.
pub(super) fn file_url(path: &Path) -> Result<String> {
    url::Url::from_file_path(path)
        .map(String::from)
        .map_err(|()| {
            let hint = "store the bytes instead";
            Error::invalid("path", path.display(), "it has no file:// URL", hint)
        })
}

/// An image as it goes into a row.
pub(super) struct Image {
    /// The encoded bytes; empty where the table holds URLs.
    pub(super) bytes: Vec<u8>,
    /// Pixels, of the image as its EXIF orientation turns it.
    pub(super) width: i32,
    /// Pixels, likewise.
    pub(super) height: i32,
}

/// Reads and checks an image; the format is told from the content, not from the ending.
pub(super) fn read(path: &Path, options: &ImageFolder) -> Result<Image> {
    let keep = options.storage == ImageStorage::Bytes;
    if !keep && !options.check_pixels {
        let file = std::fs::File::open(path).map_err(|error| unreadable("open", path, error))?;
        let reader = ImageReader::new(BufReader::new(file));
        let size = dimensions(reader, false, path)?;
        return Ok(Image {
            bytes: Vec::new(),
            width: size.0,
            height: size.1,
        });
    }
    let found = std::fs::metadata(path)
        .map_err(|error| unreadable("open", path, error))?
        .len();
    if keep && found > options.max_image_bytes {
        return Err(malformed(
            path,
            format!(
                "the image has {found} bytes where at most {} go into a table",
                options.max_image_bytes
            ),
            "the file's size",
            "store URLs, or raise max_image_bytes",
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable("read", path, error))?;
    let (width, height) = dimensions(
        ImageReader::new(Cursor::new(&bytes)),
        options.check_pixels,
        path,
    )?;
    let bytes = if keep { bytes } else { Vec::new() };
    Ok(Image {
        bytes,
        width,
        height,
    })
}

/// Whether width and height change places: annotations are drawn on the image as it is shown.
fn turns_over(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    )
}

/// Width and height as the image is shown.
fn dimensions<R: std::io::BufRead + std::io::Seek>(
    reader: ImageReader<R>,
    check_pixels: bool,
    path: &Path,
) -> Result<(i32, i32)> {
    let broken = |error: image::ImageError| {
        let hint = "replace the file, or move it away";
        malformed(
            path,
            format!("no readable image ({error})"),
            "the file's content",
            hint,
        )
    };
    let reader = reader
        .with_guessed_format()
        .map_err(|error| unreadable("read", path, error))?;
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let (width, height) = match turns_over(orientation) {
        false => decoder.dimensions(),
        true => (decoder.dimensions().1, decoder.dimensions().0),
    };
    if check_pixels {
        Limits::default()
            .reserve(decoder.total_bytes())
            .map_err(broken)?;
        DynamicImage::from_decoder(decoder).map_err(broken)?;
    }
    let side = |pixels: u32| {
        let hint = "replace the file";
        i32::try_from(pixels)
            .map_err(|_| malformed(path, format!("{pixels} pixels a side"), "its header", hint))
    };
    Ok((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG of 6 x 4 pixels that says how it is to be turned.
    fn turned(orientation: u8) -> Vec<u8> {
        let mut plain = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(6, 4)
            .write_to(&mut plain, image::ImageFormat::Jpeg)
            .unwrap();
        let plain = plain.into_inner();
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
        // Tag 0x112, one number of 16 bits; no further directory.
        exif.extend([
            0x12,
            0x01,
            3,
            0,
            1,
            0,
            0,
            0,
            orientation,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        let mut bytes = plain[..2].to_vec();
        bytes.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
        bytes.extend(exif);
        bytes.extend(&plain[2..]);
        bytes
    }

    #[test]
    fn sides_are_those_of_the_image_as_it_is_shown() {
        let folder = tempfile::TempDir::new().unwrap();
        for orientation in 0..=8 {
            let path = folder.path().join(format!("{orientation}.jpg"));
            std::fs::write(&path, turned(orientation)).unwrap();
            let expected = if orientation >= 5 { (4, 6) } else { (6, 4) };
            for storage in [ImageStorage::Bytes, ImageStorage::Url] {
                for check_pixels in [true, false] {
                    let options = ImageFolder {
                        storage,
                        check_pixels,
                        ..ImageFolder::default()
                    };
                    let image = read(&path, &options).unwrap();
                    assert_eq!((image.width, image.height), expected, "{orientation}");
                }
            }
        }
    }
}
