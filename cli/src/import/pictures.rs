//! How imports take images.

use clap::Args;
use emberlens::table::ImageStorage;
use emberlens::table::import::ImageFolder;

/// The options of imports with images.
#[derive(Args)]
pub struct Pictures {
    /// Keep the addresses of the images in the table, not their bytes; they must then stay there
    #[arg(long)]
    urls: bool,

    /// Largest image, in bytes, that goes into the table
    #[arg(long, value_name = "BYTES", default_value_t = ImageFolder::default().max_image_bytes, conflicts_with = "urls")]
    max_image_bytes: u64,

    /// Look at the images' headers only, and not for damage in them
    #[arg(long)]
    headers_only: bool,
}

impl Pictures {
    pub fn options(&self) -> ImageFolder {
        ImageFolder {
            storage: match self.urls {
                true => ImageStorage::Url,
                false => ImageStorage::Bytes,
            },
            max_image_bytes: self.max_image_bytes,
            check_pixels: !self.headers_only,
            ..ImageFolder::default()
        }
    }
}
