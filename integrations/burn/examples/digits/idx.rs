//! MNIST's own file format: IDX, plain or compressed with gzip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::Failure;
use crate::data::{CLASSES, Sample};

/// Pixels along one edge of an MNIST image.
pub const SIDE: usize = 28;

const IMAGES: u32 = 0x0000_0803;
const LABELS: u32 = 0x0000_0801;

/// One part of MNIST (`train` or `t10k`); `None` when neither of its files is there.
pub fn read(folder: &Path, part: &str) -> Result<Option<Vec<Sample>>, Failure> {
    if !folder.is_dir() {
        return Err(format!("--path: no folder {}", folder.display()).into());
    }
    let names = [
        format!("{part}-images-idx3-ubyte"),
        format!("{part}-labels-idx1-ubyte"),
    ];
    let (images, labels) = match names.each_ref().map(|name| find(folder, name)) {
        [None, None] => return Ok(None),
        [Some(images), Some(labels)] => (images, labels),
        [images, _] => {
            let missing = if images.is_none() {
                &names[0]
            } else {
                &names[1]
            };
            return Err(format!("{missing} (or .gz) is missing from {}", folder.display()).into());
        }
    };
    let pixels = payload(&images, IMAGES, &[SIDE as u32, SIDE as u32])?;
    let classes = payload(&labels, LABELS, &[])?;
    let count = pixels.len() / (SIDE * SIDE);
    if count != classes.len() {
        return Err(format!(
            "{count} images but {} labels; the files do not belong together ({}, {})",
            classes.len(),
            images.display(),
            labels.display()
        )
        .into());
    }
    if let Some(index) = classes
        .iter()
        .position(|&class| usize::from(class) >= CLASSES.len())
    {
        let class = classes[index];
        return Err(format!(
            "label {index} is {class}, not a digit ({})",
            labels.display()
        )
        .into());
    }
    Ok(Some(
        pixels
            .chunks_exact(SIDE * SIDE)
            .zip(classes)
            .map(|(image, label)| Sample::new(image.to_vec(), label))
            .collect(),
    ))
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.is_file())
}

/// The values of an IDX file after its header: magic number, count, then the extent of one item.
fn payload(path: &Path, magic: u32, extents: &[u32]) -> Result<Vec<u8>, Failure> {
    let fail = |reason: String| -> Failure { format!("{reason} ({})", path.display()).into() };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    match path.extension().is_some_and(|extension| extension == "gz") {
        true => GzDecoder::new(file).read_to_end(&mut bytes),
        false => { file }.read_to_end(&mut bytes),
    }
    .map_err(|error| fail(error.to_string()))?;

    let header = 8 + 4 * extents.len();
    let word = |index: usize| -> Option<u32> {
        Some(u32::from_be_bytes(
            bytes.get(4 * index..4 * index + 4)?.try_into().ok()?,
        ))
    };
    if word(0) != Some(magic) {
        return Err(fail(format!(
            "not an IDX file with the magic number {magic:#010x}"
        )));
    }
    for (index, extent) in extents.iter().enumerate() {
        if word(2 + index) != Some(*extent) {
            return Err(fail(format!("images are not {SIDE}x{SIDE}")));
        }
    }
    let count = word(1).ok_or_else(|| fail("the header is cut off".into()))?;
    let size = extents
        .iter()
        .fold(count as u64, |size, &extent| size * u64::from(extent));
    let found = bytes.len() - header.min(bytes.len());
    if found as u64 != size {
        return Err(fail(format!(
            "{size} bytes of values announced, {found} found"
        )));
    }
    Ok(bytes.split_off(header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn part(folder: &Path, images: &[u8], labels: &[u8]) {
        fs::write(folder.join("t10k-images-idx3-ubyte"), images).unwrap();
        fs::write(folder.join("t10k-labels-idx1-ubyte"), labels).unwrap();
    }

    fn images(count: u32) -> Vec<u8> {
        let mut bytes = [IMAGES, count, 28, 28].map(u32::to_be_bytes).concat();
        bytes.resize(16 + count as usize * 784, 9);
        bytes
    }

    #[test]
    fn images_and_labels_come_in_order() {
        let folder = tempfile::tempdir().unwrap();
        part(folder.path(), &images(2), &[0, 0, 8, 1, 0, 0, 0, 2, 4, 7]);
        let samples = read(folder.path(), "t10k").unwrap().unwrap();
        assert_eq!(
            samples
                .iter()
                .map(|sample| sample.label)
                .collect::<Vec<_>>(),
            [4, 7]
        );
        assert_eq!(samples[1].pixels, vec![9; 784]);
        assert!(read(folder.path(), "train").unwrap().is_none());
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, labels, reason) in [
            (
                &images(2)[..900],
                &[0, 0, 8, 1, 0, 0, 0, 2, 4, 7][..],
                "announced",
            ),
            (
                &images(2),
                &[0, 0, 8, 1, 0, 0, 0, 1, 4],
                "2 images but 1 labels",
            ),
            (&images(1), &[0, 0, 8, 1, 0, 0, 0, 1, 12], "not a digit"),
            (b"<html>", &[0, 0, 8, 1, 0, 0, 0, 1, 4], "not an IDX file"),
        ] {
            part(folder.path(), bytes, labels);
            let error = read(folder.path(), "t10k").unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
        let error = read(folder.path(), "t10k").unwrap_err().to_string();
        assert!(
            error.contains("t10k-labels-idx1-ubyte") && error.contains("missing"),
            "{error}"
        );
    }
}
