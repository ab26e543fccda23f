//! Arrow values as JSON in which no value is lost: NaN and infinities are strings, not null.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, Float32Array, Float64Array, StringArray};
use arrow_json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, Writer, WriterBuilder,
    make_encoder,
};
use arrow_schema::{ArrowError, DataType, FieldRef};

/// A float as JSON: a number, or `"NaN"`, `"Infinity"`, `"-Infinity"` as a string.
///
/// ```
/// use emberlens::table::export::float_as_json;
/// assert_eq!(float_as_json(0.5).to_string(), "0.5");
/// assert_eq!(float_as_json(f64::NAN).to_string(), "\"NaN\"");
/// ```
pub fn float_as_json(value: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        None => spelled(value).into(),
    }
}

fn spelled(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A writer of one JSON object a line; nulls are written, so every line has every column.
pub(super) fn line_writer<W: Write>(file: W) -> Writer<W, LineDelimited> {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(SpelledFloats))
        .build(file)
}

/// Each value of `array` as JSON text; null stays null.
pub(super) fn as_text(field: &FieldRef, array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(SpelledFloats));
    let mut encoder = make_encoder(field, array.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        let text = std::str::from_utf8(&text)
            .map_err(|error| ArrowError::JsonError(format!("column {}: {error}", field.name())))?;
        texts.append_value(text);
    }
    Ok(texts.finish())
}

/// Encodes floats so that NaN and infinities survive; everything else as Arrow does.
#[derive(Debug)]
struct SpelledFloats;

impl EncoderFactory for SpelledFloats {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float32 => Box::new(Singles(array.as_primitive::<Float32Type>())),
            DataType::Float64 => Box::new(Doubles(array.as_primitive::<Float64Type>())),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

struct Singles<'a>(&'a Float32Array);

impl Encoder for Singles<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        // Written as f32, a value keeps its own shortest spelling: 0.1, not 0.10000000149011612.
        if !value.is_finite() || serde_json::to_writer(&mut *out, &value).is_err() {
            push_spelled(f64::from(value), out);
        }
    }
}

struct Doubles<'a>(&'a Float64Array);

impl Encoder for Doubles<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        if !value.is_finite() || serde_json::to_writer(&mut *out, &value).is_err() {
            push_spelled(value, out);
        }
    }
}

fn push_spelled(value: f64, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(spelled(value).as_bytes());
    out.push(b'"');
}
