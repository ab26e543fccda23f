//! JSON that others wrote: read as a stream, of any type, also with the NaN that JSON does not have.

use std::fmt;
use std::io::{self, Read};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// One value of a list, such as an annotation; lists of numbers are kept as such.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Numbers(Vec<f64>),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A field of an object; of equal ones the last, as other readers take it. Null is none.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let named = fields.iter().rev().find(|(field, _)| field == name);
        named
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// A whole number, also one that was written as `7.0`.
    pub(super) fn integer(&self) -> Option<i64> {
        // Up to here every whole number is an f64.
        const MOST: f64 = (1_u64 << 53) as f64;
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(value) if value.fract() == 0.0 && value.abs() <= MOST => {
                Some(*value as i64)
            }
            _ => None,
        }
    }

    /// A number, also one that only [`Spelled`] could read.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text) => spelled(text),
            _ => None,
        }
    }
}

impl Json {
    fn is_plain(&self) -> bool {
        !matches!(self, Self::Numbers(_) | Self::List(_) | Self::Object(_))
    }
}

/// The beginning of the value, for errors.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{:?}", text.chars().take(40).collect::<String>()),
            Self::Numbers(values) => {
                let shown: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
                let more = if values.len() > SHOWN { ", ..." } else { "" };
                write!(f, "[{}{more}]", shown.join(", "))
            }
            // Of a few plain values the odd one shows.
            Self::List(values) if values.len() <= SHOWN && values.iter().all(Self::is_plain) => {
                let shown: Vec<String> = values.iter().map(Self::to_string).collect();
                write!(f, "[{}]", shown.join(", "))
            }
            Self::List(values) => write!(f, "a list of {} values", values.len()),
            Self::Object(fields) => write!(f, "an object of {} fields", fields.len()),
        }
    }
}

fn spelled(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        let whole = i64::try_from(value).map(Json::Integer);
        Ok(whole.unwrap_or(Json::Float(value as f64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json, A::Error> {
        let mut numbers = Vec::new();
        while let Some(value) = values.next_element::<Json>()? {
            if let Some(number) = value.number() {
                numbers.push(number);
                continue;
            }
            let mut list: Vec<Json> = numbers.into_iter().map(Json::Float).collect();
            list.push(value);
            while let Some(value) = values.next_element()? {
                list.push(value);
            }
            return Ok(Json::List(list));
        }
        Ok(Json::Numbers(numbers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

/// A reader that puts quotes round `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes
/// and JSON does not have.
pub(super) struct Spelled<R> {
    inner: R,
    /// What is read and not yet handed on.
    ready: Vec<u8>,
    handed: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    InText,
    Escaped,
    /// After a minus, which is held back.
    Minus,
    /// Within a word that got an opening quote.
    InWord,
}

impl<R: Read> Spelled<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            ready: Vec::new(),
            handed: 0,
            state: State::Between,
        }
    }

    /// Reads on; false at the end of the file.
    fn refill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 1 << 15];
        let read = self.inner.read(&mut chunk)?;
        self.ready.clear();
        self.handed = 0;
        for &byte in &chunk[..read] {
            self.take(byte);
        }
        if read == 0 {
            // What was held back at the end of the file is an error for the parser to tell.
            match std::mem::replace(&mut self.state, State::Between) {
                State::Minus => self.ready.push(b'-'),
                State::InWord => self.ready.push(b'"'),
                _ => {}
            }
        }
        Ok(read > 0)
    }

    fn take(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::InText, b'\\') => State::Escaped,
            (State::InText, b'"') => State::Between,
            (State::InText | State::Escaped, _) => State::InText,
            (State::InWord, byte) if byte.is_ascii_alphabetic() => State::InWord,
            (State::InWord, byte) => {
                self.ready.push(b'"');
                self.state = State::Between;
                return self.take(byte);
            }
            (State::Minus, b'I') => {
                self.ready.extend(b"\"-");
                State::InWord
            }
            (State::Minus, byte) => {
                self.ready.push(b'-');
                self.state = State::Between;
                return self.take(byte);
            }
            (State::Between, b'-') => {
                self.state = State::Minus;
                return;
            }
            (State::Between, b'N' | b'I') => {
                self.ready.push(b'"');
                State::InWord
            }
            (State::Between, b'"') => State::InText,
            (State::Between, _) => State::Between,
        };
        self.ready.push(byte);
    }
}

impl<R: Read> Read for Spelled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A chunk may be all held back though more follows.
        while self.handed == self.ready.len() && self.refill()? {}
        let left = &self.ready[self.handed..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.handed += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives one byte a call, as the slowest of files does.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn quoted(text: &str) -> String {
        let mut out = String::new();
        let mut slow = String::new();
        Spelled::new(text.as_bytes())
            .read_to_string(&mut out)
            .unwrap();
        Spelled::new(Slow(text.as_bytes()))
            .read_to_string(&mut slow)
            .unwrap();
        assert_eq!(out, slow);
        out
    }

    #[test]
    fn words_that_json_lacks_get_quotes_and_texts_stay() {
        let given = r#"{"NaN": [NaN, -Infinity,Infinity, -1], "x": "say \"NaN\"", "y":NaN}"#;
        let expected =
            r#"{"NaN": ["NaN", "-Infinity","Infinity", -1], "x": "say \"NaN\"", "y":"NaN"}"#;
        assert_eq!(quoted(given), expected);
        assert_eq!(quoted("[-"), "[-");
        assert_eq!(quoted("NaN"), "\"NaN\"");
    }

    #[test]
    fn any_value_is_read_as_what_it_is() {
        let text = r#"{"a": 3, "b": [1, 2.5, NaN], "c": [[1], "x"], "d": null, "a": 18446744073709551615}"#;
        let value: Json = serde_json::from_reader(Spelled::new(text.as_bytes())).unwrap();
        assert_eq!(value.get("a"), Some(&Json::Float(18446744073709551615.0)));
        let Some(Json::Numbers(numbers)) = value.get("b") else {
            panic!("{value:?}")
        };
        assert!(numbers[2].is_nan() && numbers[..2] == [1.0, 2.5]);
        assert!(matches!(value.get("c"), Some(Json::List(list)) if list.len() == 2));
        assert_eq!(value.get("d"), None);
    }

    proptest! {
        #[test]
        fn what_is_json_stays_as_it_is(text in "[-0-9a-z:,\"\\\\ {}\\[\\].]{0,60}") {
            prop_assert_eq!(quoted(&text), text);
        }
    }
}
