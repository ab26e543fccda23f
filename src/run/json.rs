//! `serde_json::to_value` that keeps what it would lose.
//!
//! `serde_json` turns NaN and infinities into `null`, and an `f32` of 0.001 into
//! 0.0010000000474974513. Parameters keep both: as strings, and as the shortest decimal.

use serde::ser::{self, Serialize};
use serde_json::{Error, Map, Number, Value};

/// Anything that serde serialises as JSON, with nothing lost: NaN and infinities become the strings
/// `NaN`, `Infinity` and `-Infinity`, an `f32` its shortest decimal.
///
/// For values that are handed on before they are logged, such as
/// [`TrainingContext::hyperparameters`](crate::callback::TrainingContext::hyperparameters);
/// [`Run::log_parameters`](super::Run::log_parameters) does it by itself.
///
/// # Errors
/// `Invalid` for what JSON cannot hold, such as a map keyed by pairs.
///
/// ```
/// use emberlens::run::to_json;
/// let parameters = to_json(&[0.001_f32, f32::INFINITY])?;
/// assert_eq!(parameters.to_string(), r#"[0.001,"Infinity"]"#);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn to_json(value: &impl Serialize) -> crate::Result<Value> {
    to_value(value).map_err(|error| {
        crate::Error::invalid(
            "parameters",
            std::any::type_name_of_val(value),
            error.to_string(),
            "use values that JSON can hold",
        )
    })
}

fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    value.serialize(ToValue)
}

struct ToValue;

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

fn tagged(variant: &'static str, value: Value) -> Value {
    Value::Object(Map::from_iter([(variant.to_owned(), value)]))
}

macro_rules! as_number {
    ($($method:ident: $from:ty),*) => {$(
        fn $method(self, value: $from) -> Result<Value, Error> {
            Ok(Value::from(value))
        }
    )*};
}

impl ser::Serializer for ToValue {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    as_number! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_str: &str
    }

    fn serialize_i128(self, value: i128) -> Result<Value, Error> {
        Ok(i64::try_from(value).map_or_else(|_| Value::from(value.to_string()), Value::from))
    }

    fn serialize_u128(self, value: u128) -> Result<Value, Error> {
        Ok(u64::try_from(value).map_or_else(|_| Value::from(value.to_string()), Value::from))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        let shortest = value.to_string().parse().unwrap_or(f64::from(value));
        Ok(float(shortest))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        Ok(float(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, Error> {
        Ok(Value::from(value.to_string()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Error> {
        Ok(Value::from(value))
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(tagged(variant, to_value(value)?))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List, Error> {
        Ok(List::default())
    }

    fn serialize_tuple(self, _length: usize) -> Result<List, Error> {
        Ok(List::default())
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<List, Error> {
        Ok(List::default())
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List, Error> {
        Ok(List {
            variant: Some(variant),
            ..List::default()
        })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields {
            variant: Some(variant),
            ..Fields::default()
        })
    }
}

/// A list under construction, inside its enum variant if it is one.
#[derive(Default)]
struct List {
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(to_value(value)?);
        Ok(())
    }

    fn finish(self) -> Result<Value, Error> {
        let list = Value::Array(self.items);
        Ok(match self.variant {
            Some(variant) => tagged(variant, list),
            None => list,
        })
    }
}

macro_rules! list {
    ($($interface:ident: $method:ident),*) => {$(
        impl ser::$interface for List {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }

            fn end(self) -> Result<Value, Error> {
                self.finish()
            }
        }
    )*};
}
list! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

/// An object under construction, inside its enum variant if it is one.
#[derive(Default)]
struct Fields {
    fields: Map<String, Value>,
    key: String,
    variant: Option<&'static str>,
}

impl Fields {
    fn finish(self) -> Result<Value, Error> {
        let object = Value::Object(self.fields);
        Ok(match self.variant {
            Some(variant) => tagged(variant, object),
            None => object,
        })
    }
}

impl ser::SerializeMap for Fields {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = match to_value(key)? {
            Value::String(key) => key,
            plain @ (Value::Bool(_) | Value::Number(_)) => plain.to_string(),
            other => {
                return Err(ser::Error::custom(format!(
                    "the map key {other} is no plain value"
                )));
            }
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.fields.insert(key, to_value(value)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        self.finish()
    }
}

macro_rules! fields {
    ($($interface:ident),*) => {$(
        impl ser::$interface for Fields {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.fields.insert(key.to_owned(), to_value(value)?);
                Ok(())
            }

            fn end(self) -> Result<Value, Error> {
                self.finish()
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use super::{Value, to_value};
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(i8, i16),
        Struct { a: Option<char>, b: (), c: bool },
    }

    #[test]
    fn finite_values_are_spelled_as_serde_json_spells_them() {
        let shapes = vec![
            Shape::Unit,
            Shape::New(3),
            Shape::Tuple(-1, 300),
            Shape::Struct {
                a: Some('x'),
                b: (),
                c: true,
            },
        ];
        assert_eq!(
            to_value(&shapes).unwrap(),
            serde_json::to_value(&shapes).unwrap()
        );
        let map = BTreeMap::from([(1_u32, 0.5_f64), (2, -1e300)]);
        assert_eq!(to_value(&map).unwrap(), serde_json::to_value(&map).unwrap());
        assert_eq!(
            to_value(&u128::MAX).unwrap(),
            Value::from(u128::MAX.to_string())
        );
    }

    #[test]
    fn no_float_turns_into_null_or_grows_digits() {
        let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(
            to_value(&floats).unwrap().to_string(),
            r#"["NaN","Infinity","-Infinity"]"#
        );
        assert_eq!(
            to_value(&[0.001_f32, 0.1]).unwrap().to_string(),
            "[0.001,0.1]"
        );
        assert_eq!(to_value(&f32::NAN).unwrap(), Value::from("NaN"));
    }
}
