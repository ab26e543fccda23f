//! The pictures of a table, as the networks take them.

use std::io::Cursor;

use emberlens::table::{Table, values};
use image::imageops::{FilterType, resize};
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::SIDE;
use crate::program::Failure;

/// A picture at the size of the networks.
#[derive(Clone, Debug)]
pub struct Picture {
    /// `SIDE * SIDE` grey values, row by row, 0 (black) to 255.
    pub grey: Vec<u8>,
    /// Width and height in the table, in pixels.
    #[allow(
        dead_code,
        reason = "boxes are in these pixels; masks are brought to the networks' size"
    )]
    pub size: [u32; 2],
}

impl Picture {
    /// Decodes PNG or JPEG, turned as its EXIF orientation says, and brings it to the networks' size.
    fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        let size = [image.width(), image.height()];
        let (grey, side) = (image.into_luma8(), u32::try_from(SIDE)?);
        let grey = match size == [side, side] {
            true => grey,
            false => resize(&grey, side, side, FilterType::Triangle),
        };
        Ok(Self {
            grey: grey.into_raw(),
            size,
        })
    }

    /// The grey values with a mean of 0 and a standard deviation of 1, whatever the light was.
    pub fn standardised(&self) -> Vec<f32> {
        let count = self.grey.len() as f32;
        let grey = || self.grey.iter().map(|&grey| f32::from(grey));
        let mean = grey().sum::<f32>() / count;
        let variance = grey().map(|grey| (grey - mean).powi(2)).sum::<f32>() / count;
        grey()
            .map(|grey| (grey - mean) / variance.sqrt().max(1.0))
            .collect()
    }
}

/// The pictures of the table's rows, in their order; a batch of encoded images is in memory at a time.
pub fn pictures(table: &Table) -> Result<Vec<Picture>, Failure> {
    let mut pictures = Vec::new();
    for batch in table.snapshot().batches(Some(&["image"]))? {
        for bytes in values::<Vec<u8>>(&batch?, "image")? {
            let place = pictures.len();
            let picture = Picture::decode(&bytes)
                .map_err(|error| format!("row {place} of table `{}`: {error}", table.name()))?;
            pictures.push(picture);
        }
    }
    Ok(pictures)
}
