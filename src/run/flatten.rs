//! Parameters as one flat JSON object with dotted keys.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::json::to_json;
use crate::{Error, Result};

/// Flattens anything that serde serialises to an object: `{"opt": {"lr": 0.1}}` is `opt.lr = 0.1`.
///
/// Lists of plain values stay lists; lists that hold objects are flattened by index
/// (`layers.0.width`). NaN and infinities become the strings `NaN`, `Infinity` and `-Infinity`.
/// Empty objects stay, so that nothing vanishes. `null` holds no parameters.
///
/// # Errors
/// `Invalid` for a value that is no object, a value without JSON form, or two that get the same key.
pub(crate) fn flatten(parameters: &impl Serialize) -> Result<BTreeMap<String, Value>> {
    let mut flat = BTreeMap::new();
    match to_json(parameters)? {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, value) in fields {
                insert(key, value, &mut flat)?;
            }
        }
        other => {
            return Err(Error::invalid(
                "parameters",
                other,
                "it has no names",
                "pass a struct or a map",
            ));
        }
    }
    Ok(flat)
}

fn insert(key: String, value: Value, flat: &mut BTreeMap<String, Value>) -> Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .into_iter()
            .try_for_each(|(inner, value)| insert(format!("{key}.{inner}"), value, flat)),
        Value::Array(items) if items.iter().any(holds_object) => items
            .into_iter()
            .enumerate()
            .try_for_each(|(index, value)| insert(format!("{key}.{index}"), value, flat)),
        plain => match flat.insert(key.clone(), plain) {
            None => Ok(()),
            Some(first) => Err(Error::invalid(
                "parameters",
                key,
                format!("two values get this key, one of them {first}"),
                "rename one of them",
            )),
        },
    }
}

fn holds_object(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(holds_object),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Serialize)]
    enum Optimiser {
        Adam { beta: (f32, f32) },
    }

    #[derive(Serialize)]
    struct Config {
        learning_rate: f32,
        optimiser: Optimiser,
        sizes: Vec<usize>,
        layers: Vec<BTreeMap<&'static str, i32>>,
        clip: f64,
        floor: f64,
        note: Option<String>,
    }

    #[test]
    fn nested_values_get_dotted_keys() {
        let config = Config {
            learning_rate: 0.001,
            optimiser: Optimiser::Adam { beta: (0.9, 0.999) },
            sizes: vec![64, 10],
            layers: vec![
                BTreeMap::from([("width", 8)]),
                BTreeMap::from([("width", 4)]),
            ],
            clip: f64::NAN,
            floor: f64::NEG_INFINITY,
            note: None,
        };
        let flat = serde_json::to_value(flatten(&config).unwrap()).unwrap();
        assert_eq!(
            flat,
            json!({
                "learning_rate": 0.001,
                "optimiser.Adam.beta": [0.9, 0.999],
                "sizes": [64, 10],
                "layers.0.width": 8,
                "layers.1.width": 4,
                "clip": "NaN",
                "floor": "-Infinity",
                "note": null,
            })
        );
    }

    #[test]
    fn two_values_with_one_key_are_refused() {
        let error = flatten(&json!({"a.b": 1, "a": {"b": 2}}))
            .unwrap_err()
            .to_string();
        assert!(error.contains("a.b"), "{error}");
    }

    #[test]
    fn a_plain_number_is_refused_with_the_way_out() {
        let error = flatten(&3).unwrap_err().to_string();
        assert!(error.contains("struct or a map"), "{error}");
        assert!(flatten(&Value::Null).unwrap().is_empty());
    }
}
