//! What a lenient import or export left out, for people and for programs.

use emberlens::table::import::Skipped;
use serde_json::{Value, json};

/// A line for each reason, with the first example.
pub fn notes(skipped: &Skipped) -> Vec<String> {
    let reasons = skipped.by_reason().map(|(reason, kind)| {
        let first = kind.examples.first().map_or("", String::as_str);
        format!("skipped {}: {reason}; the first: {first}", kind.count)
    });
    reasons.collect()
}

/// The counts and examples by reason.
pub fn json(skipped: &Skipped) -> Value {
    let reasons = skipped.by_reason().map(|(reason, kind)| {
        json!({
            "reason": reason.to_string(),
            "count": kind.count,
            "examples": kind.examples,
        })
    });
    json!({ "count": skipped.count(), "reasons": reasons.collect::<Vec<_>>() })
}
