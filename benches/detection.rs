//! Evaluates boxes by class, for `benches/detection.py` to measure beside pycocotools.
//!
//! ```text
//! detection load|evaluate FILE
//! ```
//! `load` only reads the boxes. FILE holds rows of nine little-endian f64: image, class, 1 for a
//! prediction, x, y, width, height, confidence or area, crowd. Rows are sorted by image.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

use std::time::Instant;

use emberlens::metrics::{
    AxisAlignedBoxes, BBox, ImageInstances, InstanceOptions, PredictedInstance, TrueInstance,
    evaluate,
};
use emberlens::table::{BoxFormat, CoordinateUnit};
use emberlens::{Error, Result};

const CLASSES: usize = 80;
const ROW: usize = 9 * size_of::<f64>();

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let [mode, file] = arguments.as_slice() else {
        eprintln!("usage: detection load|evaluate FILE");
        return Ok(());
    };
    let images = read(file)?;
    if mode == "load" {
        println!("{} images", images.len());
        return Ok(());
    }
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let started = Instant::now();
    let evaluation = evaluate(&task, &images, &InstanceOptions::new(CLASSES))?;
    let seconds = started.elapsed().as_secs_f64();
    let numbers: [Option<f64>; 3] = [
        evaluation.mean(|class| class.ap),
        evaluation.mean(|class| class.ap_50),
        evaluation.mean(|class| class.ar_small),
    ];
    let numbers = numbers.map(|number| number.unwrap_or(-1.0));
    println!(
        "{}",
        serde_json::json!({ "seconds": seconds, "numbers": numbers })
    );
    Ok(())
}

/// The images of a file, read row by row: the file itself is not kept.
fn read(path: &str) -> Result<Vec<ImageInstances<BBox>>> {
    use std::io::Read;
    let failed = |error| Error::storage("read boxes", path, error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut file = std::io::BufReader::new(file);
    let mut images: Vec<ImageInstances<BBox>> = Vec::new();
    let mut row = [0; ROW];
    loop {
        match file.read_exact(&mut row) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(images),
            other => other.map_err(failed)?,
        }
        let mut values = [0.0; 9];
        for (value, bytes) in values.iter_mut().zip(row.chunks_exact(8)) {
            *value = f64::from_le_bytes(bytes.try_into().unwrap_or_default());
        }
        let [image, class, kind, x, y, width, height, number, crowd] = values;
        if images.len() <= image as usize {
            images.resize_with(image as usize + 1, ImageInstances::default);
        }
        let (image, class) = (&mut images[image as usize], class as i64);
        let bbox = BBox::new([x, y, width, height], BoxFormat::Xywh);
        if kind == 1.0 {
            image
                .predicted
                .push(PredictedInstance::new(bbox, class, number));
        } else {
            let truth = TrueInstance::new(bbox, class).crowd(crowd == 1.0);
            image.truth.push(truth.area(number));
        }
    }
}
