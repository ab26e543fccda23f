//! One image file: what it is, whether it is whole, and its size.

use std::io::{BufReader, Cursor};
use std::path::Path;

use image::ImageReader;

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
    /// Pixels.
    pub(super) width: i32,
    /// Pixels.
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
    let (width, height) = match check_pixels {
        true => reader.decode().map(|image| (image.width(), image.height())),
        false => reader.into_dimensions(),
    }
    .map_err(broken)?;
    let side = |pixels: u32| {
        let hint = "replace the file";
        i32::try_from(pixels)
            .map_err(|_| malformed(path, format!("{pixels} pixels a side"), "its header", hint))
    };
    Ok((side(width)?, side(height)?))
}
